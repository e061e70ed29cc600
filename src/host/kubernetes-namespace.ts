import type { Namespace } from '../snapshot/objects.ts';
import { type ApiClient, ApiFailure } from './kubernetes-client.ts';
import { namespaceManifest } from './kubernetes-helper-manifest.ts';

export interface HelperNamespace {
  /** True where this run made it. */
  readonly created: boolean;
  /** Whether it is known to admit a privileged pod; where not, a server-side dry run tells. */
  readonly admitsPrivileged: boolean;
}

const ENFORCE = 'pod-security.kubernetes.io/enforce';
const TERMINATING_MS = 15_000;
const RETRY_MS = 500;

/** Finds the helpers' namespace or makes it. Throws ApiFailure. */
export async function ensureNamespace(client: ApiClient, name: string, mayCreate: boolean): Promise<HelperNamespace> {
  const until = Date.now() + TERMINATING_MS;
  for (;;) {
    const found = await readNamespace(client, name);
    if (found === 'unknown') return { created: false, admitsPrivileged: false };
    if (found && !found.metadata.deletionTimestamp) {
      return { created: false, admitsPrivileged: found.metadata.labels?.[ENFORCE] === 'privileged' };
    }
    if (!found && !mayCreate) {
      throw new ApiFailure(
        'not-permitted',
        404,
        'NotFound',
        `namespace ${name} does not exist; make it, or name another`,
      );
    }
    if (!found && (await createNamespace(client, name))) return { created: true, admitsPrivileged: true };
    if (Date.now() > until) {
      throw new ApiFailure('failed', 409, 'Conflict', `namespace ${name} is being deleted by somebody`);
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

/** Who may not read namespaces may still use one that is there. */
async function readNamespace(client: ApiClient, name: string): Promise<Namespace | undefined | 'unknown'> {
  return client.json<Namespace>({ path: `/api/v1/namespaces/${name}` }).catch((error: ApiFailure) => {
    if (error.status === 404) return undefined;
    if (error.status === 403) return 'unknown' as const;
    throw error;
  });
}

/** False where another run was quicker. */
async function createNamespace(client: ApiClient, name: string): Promise<boolean> {
  try {
    await client.request({ method: 'POST', path: '/api/v1/namespaces', body: namespaceManifest(name) });
  } catch (error) {
    if (error instanceof ApiFailure && error.status === 409) return false;
    throw error;
  }
  // A pod is refused until its namespace has this account, which a controller makes in its own time, or never if it is down.
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace: name } };
  await client
    .request({ method: 'POST', path: `/api/v1/namespaces/${name}/serviceaccounts`, body: account })
    .catch(() => undefined);
  return true;
}
