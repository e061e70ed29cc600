import type { Pod } from '../snapshot/objects.ts';
import { type ApiClient, sleep } from './kubernetes-client.ts';
import { CONTAINER, RUN_LABEL } from './kubernetes-helper-manifest.ts';

/** The helper pods of this run as the API last told them. */
export interface PodWatch {
  /** The pod of that Job, or the bare pod of that name. */
  find(helper: string): Pod | undefined;
  /** Resolves at the next change of any of them, or after `milliseconds`. */
  changed(milliseconds: number): Promise<void>;
  stop(): void;
}

const JOB_LABEL = 'batch.kubernetes.io/job-name';
const RETRY_MS = 300;

/** Watches; where that is not permitted or breaks, lists every 300 ms. */
export function watchPods(client: ApiClient, namespace: string, runId: string): PodWatch {
  const stopped = new AbortController();
  const pods = new Map<string, Pod>();
  let change = Promise.withResolvers<void>();
  const asked = {
    path: `/api/v1/namespaces/${namespace}/pods`,
    query: { labelSelector: `${RUN_LABEL}=${runId}` },
    signal: stopped.signal,
  };
  const put = (pod: Pod, deleted: boolean): void => {
    const kept = deleted ? { ...pod, metadata: { ...pod.metadata, deletionTimestamp: 'now' } } : pod;
    pods.set(pod.metadata.name, kept);
    change.resolve();
    change = Promise.withResolvers<void>();
  };
  const follow = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      await client.watch(asked, ({ type, object }) => {
        if (type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED') put(object as Pod, type === 'DELETED');
      });
      await sleep(RETRY_MS, stopped.signal);
      const list = await client.json<{ items?: Pod[] }>(asked).catch(() => undefined);
      for (const pod of list?.items ?? []) put(pod, false);
    }
  };
  void follow();
  return {
    find: (helper) => [...pods.values()].find((pod) => isOf(pod, helper)),
    changed: (milliseconds) => Promise.race([change.promise, sleep(milliseconds, stopped.signal)]),
    stop: () => stopped.abort(),
  };
}

function isOf(pod: Pod, helper: string): boolean {
  const owner = pod.metadata.labels?.[JOB_LABEL] ?? pod.metadata.labels?.['job-name'];
  return pod.metadata.name === helper || owner === helper;
}

/** Where to run a command in that pod. */
export function execTarget(
  pod: Pod,
  command: readonly string[],
): Parameters<typeof import('./kubernetes-exec.ts').openExec>[1] {
  return { namespace: pod.metadata.namespace!, pod: pod.metadata.name, container: CONTAINER, command };
}
