import type { Node } from '../snapshot/objects.ts';
import { type Access, formatRight } from './kubernetes-access.ts';
import { type ApiClient, ApiFailure } from './kubernetes-client.ts';
import { type ExecChannel, type ExecOutput, openExec } from './kubernetes-exec.ts';
import { connectHelper } from './kubernetes-helper-connect.ts';
import { createHelper, type Helper, refuseByDryRun } from './kubernetes-helper-create.ts';
import { HelperFailure } from './kubernetes-helper-failure.ts';
import { type HelperSettings, helperName, jobManifest, type Manifest } from './kubernetes-helper-manifest.ts';
import { START_LIMITS, type StartLimits } from './kubernetes-helper-state.ts';
import type { NodeLink } from './kubernetes-link.ts';
import { ensureNamespace, type HelperNamespace } from './kubernetes-namespace.ts';
import { execTarget, type PodWatch, watchPods } from './kubernetes-pods.ts';
import { deleteObject, sweepLeftovers } from './kubernetes-sweep.ts';

/** The helpers of one run: started when they are first asked for, removed together. */
export interface HelperPool {
  /** The node side of that node. Rejects with HelperFailure; a second call gets the same answer. */
  link(node: string): Promise<NodeLink>;
  /**
   * A command of the image in that node's helper, which is started where it is not there. The node side runs beside it,
   * and ends the helper with all that is in it when this program is gone. Rejects with HelperFailure.
   */
  exec(node: string, command: readonly string[], output: ExecOutput): Promise<ExecChannel>;
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

  const linkOf = (node: string): Promise<NodeLink> => {
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
  };

  return {
    link: linkOf,
    async exec(node, command, output) {
      await linkOf(node);
      const { pod } = helpers.get(node)!.helper;
      if (!pod) throw new HelperFailure('failed', `no helper on node ${node}: its pod is not known`);
      return openExec(client.connection, execTarget(pod, command), output);
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
