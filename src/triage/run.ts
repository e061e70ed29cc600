import { AFTER_PROBES, type Host, type Reply, type Request } from '../host/host.ts';
import { createReplyStore, type ReplyStore } from '../snapshot/create-snapshot.ts';
import { factKey } from '../snapshot/fact-key.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { withPodUids } from './places-asked.ts';

export interface Run {
  readonly host: Host;
  snapshot(): Snapshot;
  replies(): readonly Reply[];
  /** Asks what has not been asked yet; comes back when every reply is there or the run's deadline has passed. */
  collect(what: string, requests: readonly Request[]): Promise<void>;
  /** Milliseconds spent, by what was done. */
  readonly timings: Readonly<Record<string, number>>;
  timed<T>(what: string, work: () => T | Promise<T>): Promise<T>;
}

export interface RunOptions {
  readonly deadlineMs: number;
  readonly maxBytes: number;
  readonly signal: AbortSignal;
  readonly tell: (text: string) => void;
}

/** One run of the road: what was asked and answered so far, and how long it took. */
export function createRun(host: Host, options: RunOptions): Run {
  const store: ReplyStore = createReplyStore();
  const asked = new Set<string>();
  const timings: Record<string, number> = {};

  const timed = async <T>(what: string, work: () => T | Promise<T>): Promise<T> => {
    const startedAtMs = host.nowMs();
    try {
      return await work();
    } finally {
      timings[what] = (timings[what] ?? 0) + (host.nowMs() - startedAtMs);
    }
  };

  const collect = async (what: string, requests: readonly Request[]): Promise<void> => {
    const fresh = requests.filter((request) => {
      const key = `${factKey(request.action, request.place, request.args)}#${request.round === AFTER_PROBES ? 'after' : ''}`;
      return !asked.has(key) && asked.add(key);
    });
    if (fresh.length === 0) return;
    options.tell(`${what} (${fresh.length})`);
    await timed(what, async () => {
      for await (const reply of host.perform(
        withPodUids(store.snapshot(), fresh),
        { deadlineMs: options.deadlineMs, maxBytes: options.maxBytes },
        options.signal,
      ))
        store.add(reply);
    });
  };

  return { host, snapshot: () => store.snapshot(), replies: () => store.replies(), collect, timings, timed };
}
