import type { Node, Pod } from '../snapshot/objects.ts';
import type { Gap } from './host.ts';

/** What a helper pod's status says about its start. */
export type HelperState =
  /** Exec may be tried: the kubelet answers it some time before it reports the container as running. */
  | { readonly say: 'try' }
  | { readonly say: 'wait' }
  | { readonly say: 'failed'; readonly gap: Gap; readonly detail: string; readonly image: boolean };

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
  if (!pod) return ageMs > limits.takenMs ? failed('unreachable', 'no helper pod was made') : { say: 'wait' };
  const { phase, reason, message, containerStatuses, conditions } = pod.status;
  const status = containerStatuses?.[0];
  if (pod.metadata.deletionTimestamp) return failed('unreachable', 'the helper pod was deleted by somebody else');
  if (phase === 'Failed' || phase === 'Succeeded') {
    const ended = status?.state?.terminated;
    const why = [reason ?? ended?.reason, message ?? ended?.message].filter((part) => part).join(': ');
    return failed('unreachable', `the helper pod ended before it could be used (${why || phase})`);
  }
  const waiting = status?.state?.waiting;
  if (waiting?.reason && IMAGE_REASONS.includes(waiting.reason)) {
    return { ...failed('unreachable', `${waiting.reason}: ${waiting.message ?? ''}`.trim()), image: true };
  }
  if (waiting?.reason && CONTAINER_REASONS.includes(waiting.reason)) {
    return failed('unreachable', `${waiting.reason}: ${waiting.message ?? ''}`.trim());
  }
  if (status?.state?.running) return { say: 'try' };
  const taken = containerStatuses !== undefined || conditions?.some((one) => one.type === 'Initialized') === true;
  if (!taken) {
    return ageMs > limits.takenMs
      ? failed('unreachable', `its kubelet did not take the helper pod within ${limits.takenMs / 1000} s`)
      : { say: 'try' };
  }
  if (ageMs <= limits.runningMs) return { say: 'try' };
  const why = waiting?.reason ?? 'no reason given';
  return {
    ...failed('unreachable', `the helper did not run within ${limits.runningMs / 1000} s (${why})`),
    image: waiting?.reason === 'ContainerCreating',
  };
}

function failed(gap: Gap, detail: string): { say: 'failed'; gap: Gap; detail: string; image: boolean } {
  return { say: 'failed', gap, detail, image: false };
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
