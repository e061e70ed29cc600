import { AFTER_PROBES, type Host, type Reply, type Request } from '../host/host.ts';
import { createReplyStore, type ReplyStore } from '../snapshot/create-snapshot.ts';
import { factKey } from '../snapshot/fact-key.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { withPodUids } from './places-asked.ts';

export interface Run {
  readonly host: Host;
  snapshot(): Snapshot;
  replies(): readonly Reply[];
  /**
   * Asks what has not been asked yet; comes back when every reply to these requests is there, also to those that
   * somebody else asked before and that are still under way, or when the run's deadline has passed.
   */
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
  const asked = new Map<string, Promise<void>>();
  const timings: Record<string, number> = {};

  const timed = async <T>(what: string, work: () => T | Promise<T>): Promise<T> => {
    const startedAtMs = host.nowMs();
    try {
      return await work();
    } finally {
      timings[what] = (timings[what] ?? 0) + (host.nowMs() - startedAtMs);
    }
  };

  const perform = async (requests: readonly Request[]): Promise<void> => {
    const limits = { deadlineMs: options.deadlineMs, maxBytes: options.maxBytes };
    for await (const reply of host.perform(withPodUids(store.snapshot(), requests), limits, options.signal))
      store.add(reply);
  };

  const collect = async (what: string, requests: readonly Request[]): Promise<void> => {
    const wanted = new Map(requests.map((request) => [keyOf(request), request]));
    const fresh = [...wanted].filter(([key]) => !asked.has(key));
    const underWay = [...wanted].flatMap(([key]) => asked.get(key) ?? []);
    if (fresh.length > 0) {
      options.tell(`${what} (${fresh.length})`);
      const performed = timed(what, () => perform(fresh.map(([, request]) => request)));
      for (const [key] of fresh) asked.set(key, performed);
      underWay.push(performed);
    }
    await Promise.all(underWay);
  };

  return { host, snapshot: () => store.snapshot(), replies: () => store.replies(), collect, timings, timed };
}

function keyOf(request: Request): string {
  return `${factKey(request.action, request.place, request.args)}#${request.round === AFTER_PROBES ? 'after' : ''}`;
}
