import type { Host } from '../host/host.ts';
import type { KubernetesHost } from '../host/kubernetes.ts';
import { createReplayHost } from '../host/replay.ts';
import { DEFAULT_IMAGE } from './default-image.ts';
import { RunError, UsageError } from './exit-codes.ts';
import type { CommonOptions } from './options.ts';
import { readBundle } from './read-bundle.ts';
import { podtriageVersion } from './version.ts';

export interface OpenedHost {
  readonly host: Host;
  /** What the reader of a report must know of the host: a bundle that is cut, a clock … */
  readonly notes: readonly string[];
  /** Helpers can be started before the first request that needs them. */
  readonly prepare: (nodes: readonly string[]) => void;
  /** Manifests that a run over these nodes would create (--dry-run); none for a bundle. */
  readonly plannedObjects: (nodes: readonly string[]) => Promise<readonly unknown[]>;
  /** A command in a node's helper; none for a bundle. */
  readonly exec?: KubernetesHost['exec'];
  /** Whether probes can be sent, or recorded ones are there. */
  readonly isLive: boolean;
}

const HELPER_LIFETIME_MIN_S = 300;
const HELPER_GRACE_S = 60;

/** The door to the world that the options name: a bundle's recorded replies, or a live cluster. */
export async function openHost(options: CommonOptions, notice: (line: string) => void): Promise<OpenedHost> {
  if (options.bundle !== undefined) return openBundle(options.bundle);
  // Only here: the client side of a cluster is not loaded for a bundle, nor on nodes.
  const [{ createKubernetesHost }, { KubernetesProblem }] = await Promise.all([
    import('../host/kubernetes.ts'),
    import('../host/kubernetes-problem.ts'),
  ]);
  try {
    const host = await createKubernetesHost({
      image: options.image ?? DEFAULT_IMAGE,
      version: podtriageVersion(),
      privileged: options.privileged,
      // The cluster must not end a helper while the run that it serves may still go on.
      lifetimeSeconds: Math.ceil(Math.max(HELPER_LIFETIME_MIN_S, options.timeout + HELPER_GRACE_S)),
      notice,
      ...(options.kubeconfig !== undefined && { kubeconfig: options.kubeconfig }),
      ...(options.context !== undefined && { context: options.context }),
      ...(options.as !== undefined && { as: { user: options.as, groups: [] } }),
      ...(options.namespace !== undefined && { namespaces: [options.namespace] }),
      ...(options.helperMemory !== undefined && { helperMemoryMebibytes: options.helperMemory }),
      ...(options.helperNamespace !== undefined && { helperNamespace: options.helperNamespace }),
      ...(options.imagePullSecret !== undefined && { imagePullSecret: options.imagePullSecret }),
    });
    return {
      host,
      notes: [],
      prepare: (nodes) => host.prepare(nodes),
      plannedObjects: (nodes) => host.plannedObjects(nodes),
      exec: host.exec,
      isLive: true,
    };
  } catch (error) {
    if (!(error instanceof KubernetesProblem)) throw error;
    throw error.kind === 'unreachable' || error.kind === 'refused'
      ? new RunError(error.message)
      : new UsageError(error.message);
  }
}

async function openBundle(path: string): Promise<OpenedHost> {
  const bundle = await readBundle(path);
  const notes = [
    `from the bundle ${path}, written ${new Date(bundle.manifest.createdAtMs).toISOString()} by podtriage ${bundle.manifest.podtriage}`,
    ...bundle.manifest.notes,
    ...bundle.problems,
  ];
  return {
    host: createReplayHost(bundle.replies),
    notes,
    prepare: () => {},
    plannedObjects: async () => [],
    isLive: false,
  };
}
