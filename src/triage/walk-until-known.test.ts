import { expect, it } from 'vitest';
import type { Flow } from '../diagnose/derived.ts';
import type { Reply, Request } from '../host/host.ts';
import { hostOf } from '../net/place.ts';
import { createSnapshot } from '../snapshot/create-snapshot.ts';
import type { Run } from './run.ts';
import { walkUntilKnown } from './walk-until-known.ts';

/** A run whose every question is answered by a gap; it counts the rounds. */
function countingRun(): Run & { readonly asked: Request[]; rounds: number } {
  const replies: Reply[] = [];
  const asked: Request[] = [];
  const run = {
    asked,
    rounds: 0,
    host: { nowMs: () => 0, close: async () => [], async *perform() {} },
    snapshot: () => createSnapshot(replies),
    replies: () => replies,
    timings: {},
    timed: async <T>(_what: string, work: () => T | Promise<T>) => work(),
    collect: async (_what: string, requests: readonly Request[]) => {
      run.rounds++;
      asked.push(...requests);
      for (const request of requests) {
        replies.push({ request, startedAtMs: 0, tookMs: 0, got: 'nothing', gap: 'failed', detail: '' });
      }
    },
  };
  return run;
}

/** A walk that always lacks one fact more. */
function lacking(action: string): () => readonly Flow[] {
  let count = 0;
  return () => {
    const want: Request = { action, place: hostOf('w1'), args: { family: 4, chain: `C${count++}` }, round: 0 };
    return [{ leaves: [{ end: { wants: [want] } }] } as unknown as Flow];
  };
}

it('follows chain after chain for longer than it looks into further namespaces, and neither without end', async () => {
  const places = countingRun();
  await walkUntilKnown(places, 4, lacking('routes'));
  expect(places.rounds).toBe(6);
  const chains = countingRun();
  await walkUntilKnown(chains, 4, lacking('iptables.chain'));
  expect(chains.rounds).toBe(24);
});

it('ends where the walk lacks nothing, and reads a namespace that is entered as a whole', async () => {
  const run = countingRun();
  let walks = 0;
  const first = lacking('links');
  await walkUntilKnown(run, 4, () => (walks++ === 0 ? first() : []));
  expect(walks).toBe(2);
  expect(run.asked.map(({ action }) => action)).toEqual(
    expect.arrayContaining(['links', 'routes', 'sockets', 'kernel']),
  );
});
