import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Host, Reply, Request } from '../host/host.ts';
import { hostOf } from '../net/place.ts';
import type { ProbeSample } from '../probe/probe-sample.ts';
import { type SendPlan, type SendTarget, sendRepeatedly } from './send-repeatedly.ts';

const CONNECTED = new TextEncoder().encode('{"outcome":"connected","latencyMs":0.5}');
const GONE = { got: 'nothing', gap: 'unreachable', detail: 'gone' } as const;

interface Asked {
  readonly atMs: number;
  readonly requests: readonly Request[];
}

function target(action: 'probe.tcp' | 'probe.icmp', address: string): SendTarget {
  const args: Request['args'] = action === 'probe.tcp' ? { address, port: 80 } : { address, sizeBytes: 56, df: false };
  return { request: { action, place: hostOf('w1'), args, round: 0 }, circumstances: {} };
}

/** Sends by a clock that goes on at once. A batch is answered after `lastsMs`, or as soon as the signal comes. */
async function send(
  plan: SendPlan,
  targets = [target('probe.tcp', '10.0.0.1')],
  how: { readonly lastsMs?: number; readonly answers?: boolean; readonly abortAtMs?: number } = {},
) {
  const startedAtMs = Date.now();
  const asked: Asked[] = [];
  const taken: { readonly target: number; readonly sample: ProbeSample }[] = [];
  const abort = new AbortController();
  const { signal } = abort;
  if (how.abortAtMs !== undefined) setTimeout(() => abort.abort(), how.abortAtMs);
  const sleep = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      setTimeout(resolve, ms);
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  let underWay = 0;
  let most = 0;
  const host: Pick<Host, 'perform' | 'nowMs'> = {
    nowMs: () => Date.now() - startedAtMs,
    async *perform(requests): AsyncIterable<Reply> {
      asked.push({ atMs: Date.now() - startedAtMs, requests });
      most = Math.max(most, ++underWay);
      await sleep(how.lastsMs ?? 0);
      underWay--;
      for (const request of requests) yield replyTo(request, how.answers !== false && !signal.aborted);
    },
  };
  const sending = sendRepeatedly(host, targets, plan, { signal, sleep }, (at, sample) =>
    taken.push({ target: at, sample }),
  );
  await vi.runAllTimersAsync();
  await sending;
  return { asked, taken, most };
}

function replyTo(request: Request, isAnswered: boolean): Reply {
  const times = { request, startedAtMs: 0, tookMs: 0 };
  if (!isAnswered) return { ...times, ...GONE };
  return { ...times, got: 'raw', raw: CONNECTED, exitCode: 0, truncated: false, tool: '' };
}

const PLAN: SendPlan = { count: 120, intervalMs: 200, waitMs: 3_500 };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('sendRepeatedly', () => {
  it('gives a prober what belongs to ten seconds, and begins the next one when these are over', async () => {
    const { asked, taken } = await send(PLAN);
    expect(asked.map(({ requests }) => requests.length)).toEqual([50, 50, 20]);
    expect(asked.map(({ atMs }) => atMs)).toEqual([0, 10_250, 20_500]);
    expect(asked[0]!.requests.map(({ args }) => args.afterMs)).toEqual(Array.from({ length: 50 }, (_, at) => at * 200));
    expect(asked.every(({ requests }) => requests.every(({ args }) => args.timeoutMs === 3_500))).toBe(true);
    expect(taken.map(({ sample }) => sample.attempt)).toEqual([...Array(120).keys()]);
    expect(taken[50]!.sample.sentAtMs).toBe(10_250);
  });

  it('asks for no two attempts that are the same fact', async () => {
    const { asked } = await send(PLAN, [target('probe.tcp', '10.0.0.1'), target('probe.tcp', '10.0.0.1')]);
    const all = asked.flatMap(({ requests }) => requests.map(({ args }) => args.attempt));
    expect(new Set(all).size).toBe(240);
  });

  it('lets destinations take turns, and keeps a batch within one frame of the protocol', async () => {
    const targets = ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5'].map((one) => target('probe.tcp', one));
    const { asked, taken } = await send({ ...PLAN, count: 50 }, targets);
    expect(asked.map(({ requests }) => requests.length)).toEqual([200, 50]);
    const first = targets.map(({ request }) =>
      asked[0]!.requests.filter(({ args }) => args.address === request.args.address).map(({ args }) => args.afterMs),
    );
    expect(first.map(([at]) => at)).toEqual([0, 40, 80, 120, 160]);
    expect(targets.map((_, at) => taken.filter((one) => one.target === at).length)).toEqual([50, 50, 50, 50, 50]);
  });

  it('has three probers at most, however long attempts wait', async () => {
    const { most, asked } = await send({ ...PLAN, count: 500, waitMs: 20_000 }, undefined, { lastsMs: 40_000 });
    expect(most).toBe(3);
    expect(asked.flatMap(({ requests }) => requests)).toHaveLength(500);
  });

  it('uses one source port for one connection at a time', async () => {
    const plan = { ...PLAN, count: 4, sourcePort: 40_000 };
    const { asked, most } = await send(plan, undefined, { lastsMs: 900 });
    expect(most).toBe(1);
    expect(asked.map(({ requests }) => requests.map(({ args }) => args.sourcePort))).toEqual(Array(4).fill([40_000]));
    expect(asked[1]!.atMs).toBeGreaterThanOrEqual(900);
  });

  it('lets ping repeat by itself, two seconds at a time', async () => {
    const { asked } = await send({ ...PLAN, count: 25, waitMs: 1_000 }, [target('probe.icmp', '10.0.0.1')]);
    expect(asked.map(({ requests }) => requests.map(({ args }) => [args.count, args.intervalMs]))).toEqual([
      [[10, 200]],
      [[10, 200]],
      [[5, 200]],
    ]);
    expect(asked.map(({ atMs }) => atMs)).toEqual([0, 2_000, 4_000]);
  });

  it('stops where the node gives no answer, and tells what is not known', async () => {
    const { asked, taken } = await send({ ...PLAN, count: 10_000 }, undefined, { answers: false });
    expect(asked.length).toBeLessThanOrEqual(4);
    expect(taken[0]!.sample).toMatchObject({ outcome: 'untold', passed: 'unknown', statement: 'unreachable: gone' });
  });

  it('ends on the signal, and counts nothing of what that cut off', async () => {
    const { asked, taken } = await send({ ...PLAN, count: 10_000 }, undefined, { lastsMs: 13_000, abortAtMs: 25_000 });
    expect(asked.length).toBeLessThanOrEqual(3);
    expect(taken.every(({ sample }) => sample.outcome === 'connected')).toBe(true);
  });
});
