import { randomBytes } from 'node:crypto';
import type { Host, Limits, Reply, Request } from './host.ts';
import { type Access, reviewAccess } from './kubernetes-access.ts';
import { answerFromApi } from './kubernetes-api.ts';
import { type ApiAnswer, ApiFailure, createApiClient } from './kubernetes-client.ts';
import { type KubeContext, loadKubeContext } from './kubernetes-config.ts';
import { connect, type Impersonation } from './kubernetes-connection.ts';
import type { ExecChannel, ExecOutput } from './kubernetes-exec.ts';
import { createHelperPool, plannedManifests } from './kubernetes-helper.ts';
import { HelperFailure } from './kubernetes-helper-failure.ts';
import { type HelperSettings, type Manifest, namespaceManifest } from './kubernetes-helper-manifest.ts';
import type { StartLimits } from './kubernetes-helper-state.ts';
import { KubernetesProblem } from './kubernetes-problem.ts';
import { HELPER_MEBIBYTES } from './tool-memory.ts';

export interface KubernetesOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly as?: Impersonation;
  readonly image: string;
  /** Default `podtriage`, which is made where it is missing; one that is named must exist. */
  readonly helperNamespace?: string;
  /** What the user named, for who may not list the whole cluster; the context's own namespace is always tried. */
  readonly namespaces?: readonly string[];
  readonly imagePullSecret?: string;
  readonly helperMemoryMebibytes?: number;
  readonly privileged?: boolean;
  /** The cluster ends every helper after this time. */
  readonly lifetimeSeconds?: number;
  /** podtriage's own version. */
  readonly version: string;
  readonly notice?: (line: string) => void;
  readonly startLimits?: StartLimits;
}

/** A Host on a cluster: API facts by HTTP, node facts by a helper on each node that is asked. */
export interface KubernetesHost extends Host {
  readonly context: KubeContext;
  readonly runId: string;
  /** Starts these nodes' helpers now; whoever asks them later waits the less. Never throws. */
  prepare(nodes: readonly string[]): void;
  /** A command of the image in that node's helper. Rejects with an error whose message says why there is none. */
  exec(node: string, command: readonly string[], output: ExecOutput): Promise<ExecChannel>;
  /** What a run over these nodes would create, without creating it. */
  plannedObjects(nodes: readonly string[]): Promise<readonly Manifest[]>;
  access(): Promise<Access>;
}

export const HELPER_NAMESPACE = 'podtriage';
const LIFETIME_SECONDS = 300;
const VERSION_TIMEOUT_MS = 8_000;
/** The node side keeps the deadline itself; we give up on it this much later. */
const DEADLINE_GRACE_MS = 1_000;

/** Throws KubernetesProblem: an unreadable kubeconfig, an unknown context, a cluster that does not answer. */
export async function createKubernetesHost(options: KubernetesOptions): Promise<KubernetesHost> {
  const context = await loadKubeContext(options);
  const connection = await connect(context, options.as);
  const client = createApiClient(connection);
  const settings = settingsOf(options);
  const greeting = await greet(client, context);
  const clockAheadMs = (greeting.dateMs ?? Date.now()) - Date.now();
  const access = reviewAccess(client, settings.namespace);
  const namespaces = [...new Set([...(options.namespaces ?? []), context.namespace])];
  const pool = createHelperPool({
    client,
    settings,
    access,
    version: options.version,
    notice: options.notice ?? (() => undefined),
    serverNowMs: () => Date.now() + clockAheadMs,
    mayCreateNamespace: options.helperNamespace === undefined,
    ...(options.startLimits ? { limits: options.startLimits } : {}),
  });

  let closed: Promise<readonly string[]> | undefined;

  const ofCluster = async (request: Request, limits: Limits, signal: AbortSignal): Promise<Reply> => {
    if (request.action !== 'api.access') return answerFromApi(client, request, limits, signal, namespaces);
    const startedAtMs = Date.now();
    const raw = Buffer.from(JSON.stringify((await access).answers));
    const rest = { got: 'raw', raw, exitCode: 0, truncated: false, tool: 'kubernetes' } as const;
    return { request, startedAtMs, tookMs: Date.now() - startedAtMs, ...rest };
  };

  const ofNode = async (
    node: string,
    requests: readonly Request[],
    limits: Limits,
    signal: AbortSignal,
    onReply: (reply: Reply) => void,
  ): Promise<void> => {
    const startedAtMs = Date.now();
    try {
      (await pool.link(node)).perform(requests, limits, signal, onReply);
    } catch (error) {
      const gap = error instanceof HelperFailure ? error.gap : 'failed';
      for (const request of requests) onReply(nothing(request, startedAtMs, gap, (error as Error).message));
    }
  };

  return {
    context,
    runId: settings.runId,
    access: () => access,
    prepare(nodes) {
      for (const node of nodes) void pool.link(node).catch(() => undefined);
    },
    exec: (node, command, output) => pool.exec(node, command, output),
    async plannedObjects(nodes) {
      const path = `/api/v1/namespaces/${settings.namespace}`;
      const exists = await client.request({ path }).then(
        () => true,
        (error: ApiFailure) => error.status !== 404,
      );
      return [...(exists ? [] : [namespaceManifest(settings.namespace)]), ...plannedManifests(settings, nodes)];
    },
    perform: (requests, limits, signal) =>
      inAnyOrder(requests, limits, signal, (onReply) => {
        for (const [node, asked] of Map.groupBy(requests, ({ place }) => place.node)) {
          if (node !== '') void ofNode(node, asked, limits, signal, onReply);
          else for (const request of asked) void ofCluster(request, limits, signal).then(onReply);
        }
      }),
    nowMs: () => Date.now(),
    close() {
      closed ??= pool
        .close()
        .catch((error: Error) => [`not all could be removed: ${error.message}`])
        .finally(() => connection.close());
      return closed;
    },
  };
}

function settingsOf(options: KubernetesOptions): HelperSettings {
  return {
    image: options.image,
    namespace: options.helperNamespace ?? HELPER_NAMESPACE,
    runId: randomBytes(4).toString('hex'),
    lifetimeSeconds: options.lifetimeSeconds ?? LIFETIME_SECONDS,
    memoryMebibytes: options.helperMemoryMebibytes ?? HELPER_MEBIBYTES,
    privileged: options.privileged ?? false,
    ...(options.imagePullSecret ? { imagePullSecret: options.imagePullSecret } : {}),
  };
}

/** One cheap question before all else, so that a cluster that is not there is one clear line. */
async function greet(client: ReturnType<typeof createApiClient>, context: KubeContext): Promise<ApiAnswer> {
  try {
    return await client.request({ path: '/version', timeoutMs: VERSION_TIMEOUT_MS });
  } catch (error) {
    client.connection.close();
    if (!(error instanceof ApiFailure)) throw error;
    const where = `context "${context.name}"`;
    if (error.status === 401) {
      throw new KubernetesProblem('refused', `${where}: the API server does not know this user: log in again`);
    }
    // Who may not read the version may still read pods.
    if (error.status !== 0) return { status: error.status, body: Buffer.alloc(0), dateMs: undefined };
    throw new KubernetesProblem('unreachable', `${where}: ${error.message}`);
  }
}

/** Replies as they come, exactly one a request: what has not come at the deadline or the signal is told as such. */
async function* inAnyOrder(
  requests: readonly Request[],
  limits: Limits,
  signal: AbortSignal,
  ask: (onReply: (reply: Reply) => void) => void,
): AsyncIterable<Reply> {
  const startedAtMs = Date.now();
  const open = new Set(requests);
  const ready: Reply[] = [];
  let wake = Promise.withResolvers<void>();
  const onReply = (reply: Reply): void => {
    if (!open.delete(reply.request)) return;
    ready.push(reply);
    wake.resolve();
  };
  const giveUp = (detail: string) => (): void => {
    for (const request of [...open]) onReply(nothing(request, startedAtMs, 'timed-out', detail));
  };
  const late = giveUp(`no reply within ${limits.deadlineMs} ms`);
  const timer = setTimeout(late, limits.deadlineMs + DEADLINE_GRACE_MS);
  const aborted = giveUp('the run was stopped');
  signal.addEventListener('abort', aborted, { once: true });
  try {
    if (signal.aborted) aborted();
    else ask(onReply);
    while (ready.length > 0 || open.size > 0) {
      if (ready.length === 0) await wake.promise;
      wake = Promise.withResolvers<void>();
      yield* ready.splice(0);
    }
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', aborted);
  }
}

function nothing(
  request: Request,
  startedAtMs: number,
  gap: Extract<Reply, { got: 'nothing' }>['gap'],
  detail: string,
): Reply {
  return { request, startedAtMs, tookMs: Date.now() - startedAtMs, got: 'nothing', gap, detail };
}
