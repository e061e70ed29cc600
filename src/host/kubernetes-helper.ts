import type { Node, Pod } from '../snapshot/objects.ts';
import type { Gap } from './host.ts';
import { type Access, formatRight } from './kubernetes-access.ts';
import { type ApiClient, ApiFailure } from './kubernetes-client.ts';
import { openExec } from './kubernetes-exec.ts';
import {
  AGENT_COMMAND,
  type HelperSettings,
  helperName,
  jobManifest,
  type Manifest,
  podManifest,
} from './kubernetes-helper-manifest.ts';
import {
  type FailedState,
  helperState,
  nodeRemark,
  preloadCommand,
  START_LIMITS,
  type StartLimits,
} from './kubernetes-helper-state.ts';
import { LinkRefused, type NodeLink, openLink } from './kubernetes-link.ts';
import { ensureNamespace, type HelperNamespace } from './kubernetes-namespace.ts';
import { execTarget, type PodWatch, watchPods } from './kubernetes-pods.ts';
import { deleteObject, KINDS, sweepLeftovers } from './kubernetes-sweep.ts';

/** Why a node has no helper. */
export class HelperFailure extends Error {
  override readonly name = 'HelperFailure';
  readonly gap: Gap;

  constructor(gap: Gap, message: string) {
    super(message);
    this.gap = gap;
  }
}

/** The helpers of one run: started when they are first asked for, removed together. */
export interface HelperPool {
  /** The node side of that node. Rejects with HelperFailure; a second call gets the same answer. */
  link(node: string): Promise<NodeLink>;
  /** Removes all that was made; the lines name each thing and what became of it. Never throws. */
  close(): Promise<readonly string[]>;
}

export interface PoolOptions {
  readonly client: ApiClient;
  readonly settings: HelperSettings;
  readonly access: Promise<Access>;
  /** Of this podtriage, for the node side's hello. */
  readonly version: string;
  /** A line for the user, while the run goes on. */
  readonly notice: (line: string) => void;
  /** The server's clock. */
  readonly serverNowMs: () => number;
  /** Whether a namespace that is missing may be made. */
  readonly mayCreateNamespace: boolean;
  readonly limits?: StartLimits;
}

interface Helper {
  readonly node: string;
  readonly name: string;
  /** What was asked to be created, in that order; a failed creation may have happened all the same. */
  readonly objects: { readonly kind: keyof typeof KINDS; readonly name: string }[];
  creating: Promise<unknown>;
  pod?: Pod;
  link?: NodeLink;
}

/** The Job controller makes a pod within some 50 ms; after this, it is not there. */
const CONTROLLER_MS = 2_000;
/** Exec is tried this often while the container is being made; it costs the kubelet one look at its containers. */
const TRY_EVERY_MS = 100;
const HELLO_MS = 4_000;
const FORBIDDEN = 403;

export function createHelperPool(options: PoolOptions): HelperPool {
  const { client, settings, notice } = options;
  const helpers = new Map<string, { helper: Helper; link: Promise<NodeLink> }>();
  const stopped = new AbortController();
  let watch: PodWatch | undefined;
  let namespace: Promise<HelperNamespace> | undefined;
  let swept: Promise<readonly string[]> = Promise.resolve([]);

  const prepareNamespace = async (): Promise<HelperNamespace> => {
    const ready = await ensureNamespace(client, settings.namespace, options.mayCreateNamespace);
    watch ??= watchPods(client, settings.namespace, settings.runId);
    if (!ready.created) {
      swept = sweepLeftovers(client, settings.namespace, settings.runId, options.serverNowMs());
    }
    return ready;
  };

  const start = async (helper: Helper): Promise<NodeLink> => {
    const access = await options.access;
    refuseWithoutRights(access, settings.namespace);
    const node = readNode(client, helper.node);
    namespace ??= prepareNamespace();
    const [{ admitsPrivileged }, found] = await Promise.all([namespace, node]);
    refuseNode(found, helper.node);
    if (stopped.signal.aborted) throw new HelperFailure('unreachable', 'the run was stopped');
    const begunAtMs = Date.now();
    await Promise.all([
      createHelper(client, settings, helper, access),
      admitsPrivileged ? undefined : refuseByDryRun(client, settings, helper),
    ]);
    const limits = options.limits ?? START_LIMITS;
    helper.link = await connectHelper({
      options,
      helper,
      watch: watch!,
      begunAtMs,
      limits,
      node: found === 'missing' ? undefined : found,
      stopped: stopped.signal,
    });
    return helper.link;
  };

  const explained =
    (helper: Helper) =>
    (error: unknown): never => {
      const gap = error instanceof HelperFailure || error instanceof ApiFailure ? error.gap : 'failed';
      const failure = new HelperFailure(gap, `no helper on node ${helper.node}: ${(error as Error).message}`);
      if (!stopped.signal.aborted) notice(failure.message);
      throw failure;
    };

  return {
    link(node) {
      const known = helpers.get(node);
      if (known) return known.link;
      const helper: Helper = {
        node,
        name: helperName(settings, helpers.size),
        objects: [],
        creating: Promise.resolve(),
      };
      const link = start(helper).catch(explained(helper));
      link.catch(() => undefined);
      helpers.set(node, { helper, link });
      return link;
    },
    async close() {
      stopped.abort();
      const lines = await Promise.all(
        [...helpers.values()].map(({ helper }) => {
          helper.pod = watch?.find(helper.name) ?? helper.pod;
          return removeHelper(client, settings, helper);
        }),
      );
      watch?.stop();
      return [...(await namespaceLines(namespace, settings.namespace)), ...lines.flat(), ...(await swept)];
    },
  };
}

function refuseWithoutRights({ missingForHelpers }: Access, namespace: string): void {
  if (missingForHelpers.length === 0) return;
  const rights = missingForHelpers.map(formatRight).join(', ');
  throw new HelperFailure(
    'not-permitted',
    `this user may not: ${rights}; ask for these rights (docs/security.md), or use --helper-namespace with another than ${namespace}`,
  );
}

async function readNode(client: ApiClient, name: string): Promise<Node | 'missing' | undefined> {
  return client.json<Node>({ path: `/api/v1/nodes/${name}` }).catch((error: ApiFailure) => {
    return error.status === 404 ? ('missing' as const) : undefined;
  });
}

function refuseNode(node: Node | 'missing' | undefined, name: string): void {
  if (node === 'missing') throw new HelperFailure('unreachable', `the cluster has no node ${name}`);
  if (node?.metadata.labels?.['kubernetes.io/os'] === 'windows') {
    throw new HelperFailure('not-supported', 'it runs Windows; podtriage looks into Linux nodes only');
  }
}

/** A Job; a bare Pod where Jobs are forbidden, or as long as nobody turns Jobs into pods. */
async function createHelper(
  client: ApiClient,
  settings: HelperSettings,
  helper: Helper,
  access: Access,
): Promise<void> {
  const jobsDenied = access.answers.some(
    (one) => one.verb === 'create' && one.resource === 'jobs.batch' && !one.allowed,
  );
  try {
    if (!jobsDenied) return await create(client, settings, helper, 'job', helper.name);
  } catch (error) {
    if (!(error instanceof ApiFailure) || error.status !== FORBIDDEN) throw error;
  }
  await create(client, settings, helper, 'pod', helper.name);
}

async function create(
  client: ApiClient,
  settings: HelperSettings,
  helper: Helper,
  kind: keyof typeof KINDS,
  name: string,
): Promise<void> {
  const manifest = (kind === 'job' ? jobManifest : podManifest)(settings, name, helper.node);
  helper.objects.push({ kind, name });
  const creating = client.request({ method: 'POST', path: KINDS[kind](settings.namespace), body: manifest });
  helper.creating = Promise.allSettled([helper.creating, creating]);
  await creating;
}

/** Jobs are admitted and their pods then refused out of sight: the pod itself is put before the server's admission. */
async function refuseByDryRun(client: ApiClient, settings: HelperSettings, helper: Helper): Promise<void> {
  const body = podManifest(settings, `${helper.name}-dry-run`, helper.node);
  const asked = { method: 'POST', path: KINDS.pod(settings.namespace), query: { dryRun: 'All' }, body } as const;
  await client.request(asked).catch((error: ApiFailure) => {
    // Who may make Jobs only learns nothing here.
    if (error.status !== FORBIDDEN || /cannot create resource "pods"/.test(error.message)) return;
    throw new HelperFailure('not-permitted', `namespace ${settings.namespace} does not admit it: ${error.message}`);
  });
}

interface Connecting {
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
async function connectHelper(connecting: Connecting): Promise<NodeLink> {
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
      openExec(client.connection, execTarget(pod, AGENT_COMMAND), onBytes);
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

/** Objects first asked for are deleted by name even where their creation seemed to fail: an answer may have been lost. */
async function removeHelper(client: ApiClient, settings: HelperSettings, helper: Helper): Promise<string[]> {
  const saidBye = helper.link ? await helper.link.close() : false;
  await helper.creating;
  const { pod } = helper;
  const pods = pod && !helper.objects.some((one) => one.name === pod.metadata.name) ? [pod.metadata.name] : [];
  const objects = [...helper.objects, ...pods.map((name) => ({ kind: 'pod' as const, name }))];
  const problems = await Promise.all(
    objects.map((one) => deleteObject(client, one.kind, settings.namespace, one.name)),
  );
  const ended = pod?.status.phase === 'Failed' || pod?.status.phase === 'Succeeded';
  const mayRun = !saidBye && !ended && (helper.link !== undefined || pod?.status.containerStatuses !== undefined);
  const unconfirmed = mayRun ? '; its node did not confirm' : '';
  return helper.objects.map(({ kind, name }, index) => {
    const became = problems[index] ?? `removed${unconfirmed}`;
    return `${kind} ${settings.namespace}/${name} on node ${helper.node}: ${became}`;
  });
}

async function namespaceLines(namespace: Promise<HelperNamespace> | undefined, name: string): Promise<string[]> {
  const made = await namespace?.catch(() => undefined);
  return made?.created ? [`namespace ${name}: kept for later runs (empty; kubectl delete namespace ${name})`] : [];
}

/** What a run over these nodes would create. */
export function plannedManifests(settings: HelperSettings, nodes: readonly string[]): readonly Manifest[] {
  return nodes.map((node, index) => jobManifest(settings, helperName(settings, index), node));
}
