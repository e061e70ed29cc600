import type { Node, Pod } from '../snapshot/objects.ts';
import type { Gap } from './host.ts';

/** What a helper pod's status says about its start. */
export type HelperState =
  /** Exec may be tried: the kubelet answers it some time before it reports the container as running. */
  { readonly say: 'try' } | { readonly say: 'wait' } | FailedState;

export interface FailedState {
  readonly say: 'failed';
  readonly gap: Gap;
  readonly detail: string;
  /** The image's part in it: it cannot be had, or it is not podtriage's. */
  readonly image: 'none' | 'pull' | 'foreign';
}

/** How long each stage of a start may take, from the pod's creation. */
export interface StartLimits {
  /** Until the kubelet has taken the pod; a node that is dead never does. */
  readonly takenMs: number;
  /** Until the container runs, an image to be pulled included. */
  readonly runningMs: number;
  /** From running to the node side's first word. */
  readonly answersMs: number;
}

export const START_LIMITS: StartLimits = { takenMs: 6_000, runningMs: 15_000, answersMs: 8_000 };

/** kubelet's reasons (pkg/kubelet/images/types.go, pkg/kubelet/container/sync_result.go) that waiting does not mend. */
const IMAGE_REASONS = [
  'ErrImagePull',
  'ImagePullBackOff',
  'ErrImageNeverPull',
  'InvalidImageName',
  'ImageInspectError',
];
const CONTAINER_REASONS = ['CreateContainerConfigError', 'CreateContainerError', 'RunContainerError', 'StartError'];

/** Judges a pod by its status and its age. `pod` is undefined while it is not there. */
export function helperState(pod: Pod | undefined, ageMs: number, limits: StartLimits = START_LIMITS): HelperState {
  if (!pod) return ageMs > limits.takenMs ? failed('no helper pod was made') : { say: 'wait' };
  if (pod.metadata.deletionTimestamp) return failed('the helper pod was deleted by somebody else');
  const { phase, containerStatuses, conditions } = pod.status;
  if (phase === 'Failed' || phase === 'Succeeded') return endedEarly(pod);
  const status = containerStatuses?.[0];
  const waiting = status?.state?.waiting;
  if (waiting?.reason && IMAGE_REASONS.includes(waiting.reason)) return failed(saying(waiting), 'pull');
  if (waiting?.reason && CONTAINER_REASONS.includes(waiting.reason)) return failed(saying(waiting));
  if (status?.state?.running) return { say: 'try' };
  const taken = containerStatuses !== undefined || conditions?.some((one) => one.type === 'Initialized') === true;
  if (!taken && ageMs > limits.takenMs) {
    return failed(`its kubelet did not take the helper pod within ${limits.takenMs / 1000} s`);
  }
  if (ageMs <= limits.runningMs) return { say: 'try' };
  const why = waiting?.reason ?? 'no reason given';
  const detail = `the helper did not run within ${limits.runningMs / 1000} s (${why})`;
  return failed(detail, why === 'ContainerCreating' ? 'pull' : 'none');
}

function endedEarly({ status: { phase, reason, message, containerStatuses } }: Pod): FailedState {
  const ended = containerStatuses?.[0]?.state?.terminated;
  const why = saying({ reason: reason ?? ended?.reason, message: message ?? ended?.message }) || phase;
  const foreign = /executable file not found|no such file or directory/.test(ended?.message ?? '');
  return failed(`the helper pod ended before it could be used (${why})`, foreign ? 'foreign' : 'none');
}

function saying({ reason, message }: { reason?: string | undefined; message?: string | undefined }): string {
  return [reason, message].filter((part) => part).join(': ');
}

function failed(detail: string, image: FailedState['image'] = 'none'): FailedState {
  return { say: 'failed', gap: 'unreachable', detail, image };
}

/** ` (node is NotReady: …)`, or '' for a node that is ready or not known. */
export function nodeRemark(node: Node | undefined): string {
  const ready = node?.status.conditions?.find((one) => one.type === 'Ready');
  if (!ready || ready.status === 'True') return '';
  return ` (the node is not Ready: ${ready.message ?? ready.reason ?? 'no reason given'})`;
}

/** How this node's runtime is given an image from a file; the command is for a shell on the node. */
export function preloadCommand(node: Node | undefined, image: string): string {
  const runtime = node?.status.nodeInfo?.containerRuntimeVersion ?? '';
  const kubelet = node?.status.nodeInfo?.kubeletVersion ?? '';
  const load = kubelet.includes('+k3s')
    ? 'k3s ctr images import podtriage.tar'
    : kubelet.includes('+rke2')
      ? '/var/lib/rancher/rke2/bin/ctr -a /run/k3s/containerd/containerd.sock -n k8s.io images import podtriage.tar'
      : runtime.startsWith('docker')
        ? 'docker load -i podtriage.tar'
        : runtime.startsWith('cri-o')
          ? 'podman load -i podtriage.tar'
          : 'ctr -n k8s.io images import podtriage.tar';
  const make = `npm run image -- --output podtriage.tar --reference ${image}`;
  return `${make}, then on the node: ${load}`;
}
