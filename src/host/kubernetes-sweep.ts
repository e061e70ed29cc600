import type { Metadata } from '../snapshot/objects.ts';
import type { ApiClient } from './kubernetes-client.ts';
import { MANAGED_BY_SELECTOR, RUN_LABEL } from './kubernetes-helper-manifest.ts';

/** A Job or Pod, as much as sweeping looks at. */
interface Leftover {
  readonly metadata: Metadata;
  readonly spec?: { readonly activeDeadlineSeconds?: number };
  readonly status?: {
    readonly phase?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

/** A run may still be taking down what has just passed its deadline. */
const GRACE_MS = 10_000;

/** A Job's conditions, the middle ones from the moment when it is decided (KEP-3998). */
const ENDED = ['Complete', 'SuccessCriteriaMet', 'FailureTarget', 'Failed'];

export const KINDS = {
  job: (namespace: string) => `/apis/batch/v1/namespaces/${namespace}/jobs`,
  pod: (namespace: string) => `/api/v1/namespaces/${namespace}/pods`,
} as const;

/**
 * Deletes helpers of earlier runs that have ended or are past their deadline, and tells which. Those of a run that may
 * still be going on are left. Never throws.
 */
export async function sweepLeftovers(
  client: ApiClient,
  namespace: string,
  runId: string,
  nowMs: number,
): Promise<readonly string[]> {
  const swept = await Promise.all([
    sweepKind(client, 'job', namespace, runId, nowMs),
    sweepKind(client, 'pod', namespace, runId, nowMs),
  ]);
  return swept.flat();
}

async function sweepKind(
  client: ApiClient,
  kind: keyof typeof KINDS,
  namespace: string,
  runId: string,
  nowMs: number,
): Promise<string[]> {
  const path = KINDS[kind](namespace);
  const query = { labelSelector: MANAGED_BY_SELECTOR };
  const list = await client.json<{ items?: Leftover[] }>({ path, query }).catch(() => undefined);
  const left = (list?.items ?? []).filter((one) => isLeftover(one, runId, nowMs));
  const lines = await Promise.all(
    left.map(async ({ metadata: { name } }) => {
      const problem = await deleteObject(client, kind, namespace, name);
      return `${kind} ${namespace}/${name}, left by an earlier run: ${problem ?? 'removed'}`;
    }),
  );
  return lines;
}

/** A Job's pods go with it. */
export function isLeftover({ metadata, spec, status }: Leftover, runId: string, nowMs: number): boolean {
  if (metadata.labels?.[RUN_LABEL] === runId || metadata.labels?.[RUN_LABEL] === undefined) return false;
  if (metadata.deletionTimestamp || metadata.ownerReferences?.some((owner) => owner.controller)) return false;
  const ended = status?.conditions?.some(({ type, status: is }) => ENDED.includes(type) && is === 'True');
  if (ended || status?.phase === 'Succeeded' || status?.phase === 'Failed') return true;
  const createdMs = Date.parse(metadata.creationTimestamp ?? '');
  const deadlineSeconds = spec?.activeDeadlineSeconds;
  return deadlineSeconds !== undefined && nowMs > createdMs + deadlineSeconds * 1000 + GRACE_MS;
}

/** Undefined when it is gone; else what came back. */
export async function deleteObject(
  client: ApiClient,
  kind: keyof typeof KINDS,
  namespace: string,
  name: string,
): Promise<string | undefined> {
  const body = { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0, propagationPolicy: 'Background' };
  return client.request({ method: 'DELETE', path: `${KINDS[kind](namespace)}/${name}`, body, timeoutMs: 5_000 }).then(
    () => undefined,
    (error: { status?: number; message: string }) =>
      error.status === 404 ? undefined : `not removed: ${error.message}`,
  );
}
