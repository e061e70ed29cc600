import type { Node, Pod } from '../snapshot/objects.ts';
import { openExec } from './kubernetes-exec.ts';
import type { PoolOptions } from './kubernetes-helper.ts';
import { create, type Helper } from './kubernetes-helper-create.ts';
import { HelperFailure } from './kubernetes-helper-failure.ts';
import { AGENT_COMMAND } from './kubernetes-helper-manifest.ts';
import {
  type FailedState,
  helperState,
  nodeRemark,
  preloadCommand,
  type StartLimits,
} from './kubernetes-helper-state.ts';
import { LinkRefused, type NodeLink, openLink } from './kubernetes-link.ts';
import { execTarget, type PodWatch } from './kubernetes-pods.ts';
import { deleteObject } from './kubernetes-sweep.ts';

/** The Job controller makes a pod within some 50 ms; after this, it is not there. */
const CONTROLLER_MS = 2_000;
/** Exec is tried this often while the container is being made; it costs the kubelet one look at its containers. */
const TRY_EVERY_MS = 100;
const HELLO_MS = 4_000;

export interface Connecting {
  readonly options: PoolOptions;
  readonly helper: Helper;
  readonly watch: PodWatch;
  readonly begunAtMs: number;
  readonly limits: StartLimits;
  readonly node: Node | undefined;
  readonly stopped: AbortSignal;
}

/**
 * Follows the pod's status and tries exec beside it, since the kubelet reports a container up to a second after its
 * start. A try may hang (a frozen kubelet takes the call and says nothing), so the bounds are kept without waiting for it.
 */
export async function connectHelper(connecting: Connecting): Promise<NodeLink> {
  const { options, helper, watch, begunAtMs, limits, stopped } = connecting;
  let attempt: Promise<NodeLink | string> | undefined;
  let refusal = '';
  let runningSinceMs: number | undefined;
  const settle = (outcome: NodeLink | string): NodeLink | string => {
    attempt = undefined;
    if (typeof outcome === 'string') refusal = outcome;
    return outcome;
  };
  try {
    for (;;) {
      if (stopped.aborted) throw new HelperFailure('unreachable', 'the run was stopped');
      helper.pod = watch.find(helper.name) ?? helper.pod;
      const state = helperState(helper.pod, Date.now() - begunAtMs, limits);
      if (state.say === 'failed') throw withAdvice(state, connecting);
      if (!helper.pod) await replaceController(connecting);
      if (isRunning(helper.pod)) runningSinceMs ??= Date.now();
      if (runningSinceMs !== undefined && Date.now() - runningSinceMs > limits.answersMs) {
        throw new HelperFailure(
          'unreachable',
          `its helper runs, but exec does not reach it: ${refusal || 'no answer'}`,
        );
      }
      if (state.say === 'try' && helper.pod) attempt ??= tryLink(options, helper.pod).then(settle);
      const outcome = await Promise.race([...(attempt ? [attempt] : []), watch.changed(TRY_EVERY_MS)]);
      if (outcome && typeof outcome !== 'string') return outcome;
      if (outcome !== undefined) await watch.changed(TRY_EVERY_MS);
    }
  } finally {
    // A try that succeeds too late must not leave a node side waiting.
    void attempt?.then(
      (late) => (typeof late === 'string' ? undefined : late.close()),
      () => undefined,
    );
  }
}

function isRunning(pod: Pod | undefined): boolean {
  return pod?.status.containerStatuses?.[0]?.state?.running !== undefined;
}

/** No pod for the Job: its controller is down. A bare pod takes its place; the Job goes, lest it make a second one later. */
async function replaceController({ options, helper, begunAtMs }: Connecting): Promise<void> {
  const job = helper.objects.at(-1);
  if (job?.kind !== 'job' || Date.now() - begunAtMs < CONTROLLER_MS) return;
  options.notice(`no pod was made for job ${job.name} within 2 s (controller-manager down?): using a bare pod`);
  const { client, settings } = options;
  await create(client, settings, helper, 'pod', helper.name);
  await deleteObject(client, 'job', settings.namespace, job.name);
}

/** The link, or why it cannot be had yet. Throws HelperFailure where trying again is of no use. */
async function tryLink({ client, version, settings }: PoolOptions, pod: Pod): Promise<NodeLink | string> {
  try {
    const open = (onBytes: (bytes: Uint8Array) => void) =>
      openExec(client.connection, execTarget(pod, AGENT_COMMAND), { onBytes });
    return await openLink(open, { version, helloMs: HELLO_MS });
  } catch (error) {
    const { message } = error as Error;
    if (/Unexpected server response: 40[13]/.test(message)) {
      throw new HelperFailure('not-permitted', `this user may not exec into pods of namespace ${settings.namespace}`);
    }
    if (isFinal(error as Error)) throw new HelperFailure('failed', `image ${settings.image}: ${message}`);
    return message;
  }
}

/** The image is another's, or of another version. */
function isFinal(error: Error): boolean {
  if (!(error instanceof LinkRefused)) return false;
  return (
    error.exitCode !== undefined ||
    /speaks protocol|expected a podtriage frame|executable file not found|no such file or directory/.test(error.message)
  );
}

function withAdvice(state: FailedState, { node, options: { settings } }: Connecting): HelperFailure {
  const advice = {
    none: '',
    pull: `; to preload the image: ${preloadCommand(node, settings.image)}`,
    foreign: `; ${settings.image} is not an image of podtriage`,
  }[state.image];
  return new HelperFailure(state.gap, `${state.detail}${nodeRemark(node)}${advice}`);
}
