import { factKey } from '../snapshot/fact-key.ts';
import { AFTER_PROBES, type Host, type Reply, type Request } from './host.ts';

/**
 * A host that answers from recorded replies, as a bundle keeps them. What was not recorded is a gap 'not-asked'.
 * The second look after the probes is another recording than the first.
 */
export function createReplayHost(recorded: readonly Reply[], nowMs: () => number = () => lastMs(recorded)): Host {
  const byKey = new Map<string, Reply>();
  for (const reply of recorded) {
    const key = lookKey(reply.request);
    // Of several replies to one question the first is the one that the run reasoned with.
    if (!byKey.has(key)) byKey.set(key, reply);
  }
  return {
    nowMs,
    close: async () => [],
    async *perform(requests, _limits, signal) {
      for (const request of requests) {
        if (signal.aborted) return;
        const reply = byKey.get(lookKey(request));
        // The arguments as they were: how long and how often it was asked then is part of what was seen.
        yield reply ? { ...reply, request: { ...request, args: reply.request.args } } : notRecorded(request, nowMs());
      }
    },
  };
}

/** The look after the probes is another than any before; which round asked, and how the pod was found, do not count. */
function lookKey({ action, place, args, round }: Request): string {
  return `${round === AFTER_PROBES ? 'after' : 'before'} ${factKey(action, place, args)}`;
}

function notRecorded(request: Request, nowMs: number): Reply {
  const args = Object.entries(request.args).map(([key, value]) => ` ${key}=${value}`);
  const where = request.place.node === '' ? 'the cluster' : `${request.place.namespace} on ${request.place.node}`;
  const detail = `the bundle has no ${request.action}${args.join('')} of ${where}`;
  return { request, startedAtMs: nowMs, tookMs: 0, got: 'nothing', gap: 'not-asked', detail };
}

function lastMs(recorded: readonly Reply[]): number {
  return recorded.reduce((last, { startedAtMs, tookMs }) => Math.max(last, startedAtMs + tookMs), 0);
}
