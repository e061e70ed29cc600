/** Path-MTU searches on recorded clusters: the recording says who and where, and what a packet of a size meets is given here. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import type { Host, Reply, Request } from '../../src/host/host.ts';
import { createReplayHost } from '../../src/host/replay.ts';
import { renderMtuJson } from '../../src/report/json.ts';
import type { MtuReport } from '../../src/report/mtu-report.ts';
import { mtuSchema } from '../../src/report/mtu-schema.ts';
import { renderMtuText } from '../../src/report/mtu-text.ts';
import { decodeBundle } from '../../src/snapshot/bundle.ts';
import type { QuestionWords } from '../../src/target/resolve-question.ts';
import { mtuQuestion } from '../../src/triage/mtu-question.ts';
import { ROOT } from '../tidy/sources.ts';

const POD = 'pod/demo/client-jnxdb';
const WORDS = { source: POD, destination: 'svc/demo/web:80' } as const;

type Leg = 'there' | 'back';

interface Path {
  /** The largest that passes each way; 0: nothing. */
  readonly carries: Readonly<Record<Leg, number>>;
  readonly pings?: boolean;
  readonly syns?: boolean;
  /** Who tells, there. */
  readonly told?: { readonly from: string; readonly mtu: number };
  /** `ip route show cache` of the asking pod: before and after. */
  readonly learnt?: readonly [before: number | undefined, after: number | undefined];
}

const OPPOSITE = { there: 'back', back: 'there' } as const;

/** What the node side would say of one request; undefined: as it was recorded. */
function answerTo({ action, place, args }: Request, path: Path): unknown {
  const leg: Leg = place.namespace === POD ? 'there' : 'back';
  const { carries, pings = true, syns = true, told, learnt = [undefined, undefined] } = path;
  if (action === 'route-exceptions') {
    const mtu = place.namespace === POD ? learnt[args['when'] === 'after' ? 1 : 0] : undefined;
    const one = { dst: '10.244.0.4', gateway: '10.244.1.1', dev: 'eth0', flags: [], cache: [], expires: 590 };
    return mtu === undefined ? [] : [{ ...one, dst: far, metrics: [{ mtu }] }];
  }
  const size = Number(args['sizeBytes']);
  const sent = Number(args['count']);
  if (action === 'probe.syn')
    return { sent, answered: syns && size <= carries[leg] ? sent : 0, resets: 0, disturbed: 0, mss: 1410 };
  if (action !== 'probe.icmp') return undefined;
  const length = size + 28;
  const isAnswered = pings && length <= carries[leg] && length <= carries[OPPOSITE[leg]];
  const isTold = told && leg === 'there' && length > told.mtu;
  const errors = isTold ? [{ from: told.from, text: `Frag needed and DF set (mtu = ${told.mtu})`, mtu: told.mtu }] : [];
  const outcome = isAnswered ? 'answered' : isTold ? 'too-big' : 'silent';
  return { outcome, sent, received: isAnswered ? sent : 0, errors, ...(isAnswered ? { latencyMs: 0.1 } : {}) };
}

const { replies: RECORDED } = await decodeBundle(
  readFileSync(join(ROOT, 'scenarios', 'healthy-pod-service', 'bundle.tar.gz')),
);
let far = '';

function hostOf(path: Path, asked: Request[] = []): Host {
  const recorded = createReplayHost(RECORDED);
  return {
    ...recorded,
    async *perform(requests, limits, signal) {
      const others: Request[] = [];
      for (const request of requests) {
        if (request.action === 'probe.icmp' && request.place.namespace === POD) far = String(request.args['address']);
        const answer = answerTo(request, path);
        if (answer === undefined) others.push(request);
        else yield replyOf(request, answer);
        asked.push(request);
      }
      if (others.length > 0) yield* recorded.perform(others, limits, signal);
    },
  };
}

function replyOf(request: Request, answer: unknown): Reply {
  const raw = new TextEncoder().encode(JSON.stringify(answer));
  return { request, startedAtMs: 0, tookMs: 0, got: 'raw', raw, exitCode: 0, truncated: false, tool: '' };
}

const validate = new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true }).compile(mtuSchema);

async function reportOf(path: Path, words: QuestionWords = WORDS, asked: Request[] = []): Promise<MtuReport> {
  const outcome = await mtuQuestion(hostOf(path, asked), words, {
    ...{ signal: new AbortController().signal, notes: [], prepare: () => {}, tell: () => {} },
  });
  if (outcome.kind === 'problem') throw new Error(outcome.problem.problem);
  validate(JSON.parse(renderMtuJson(outcome.report)));
  expect((validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`)).toEqual([]);
  return outcome.report;
}

const textOf = (report: MtuReport): string => renderMtuText(report, { color: false, columns: 100, verbose: true });

test('all that the devices take passes: pings alone tell it, both ways', async () => {
  const asked: Request[] = [];
  const report = await reportOf({ carries: { there: 1450, back: 1450 } }, WORDS, asked);
  expect(report).toMatchObject({
    verdict: 'answered',
    ways: [{ reading: 'whole', mtuBytes: 1450 }, { reading: 'whole' }],
  });
  expect(asked.some(({ action }) => action === 'probe.syn')).toBe(false);
  const inside = report.ways[0]!.devices.filter(({ carriesBytes, mtuBytes }) => carriesBytes < mtuBytes);
  expect(inside).toEqual([
    { place: 'w1', device: 'eth0', mtuBytes: 1500, carriesBytes: 1450 },
    { place: 'w2', device: 'eth0', mtuBytes: 1500, carriesBytes: 1450 },
  ]);
  expect(textOf(report)).toContain('✓ NOTHING IS LOST FOR ITS SIZE');
});

describe('less passes, and nobody tells', () => {
  test('one way only: the SYNs tell which, though the pings fail both ways', async () => {
    const report = await reportOf({ carries: { there: 1350, back: 1450 } });
    expect(report).toMatchObject({
      verdict: 'failed',
      ways: [
        { reading: 'smaller', mtuBytes: 1350, isTold: false },
        { reading: 'whole', mtuBytes: 1450 },
      ],
    });
    expect(report.ways[0]!.findings.join('\n')).toMatch(
      /takes at least 1450 bytes: what takes only 1350 is between them/,
    );
  });

  test('SYNs are not answered: the pings’ answers are as long, so that the way is not told', async () => {
    const report = await reportOf({ carries: { there: 1350, back: 1450 }, syns: false });
    expect(report.verdict).toBe('failed');
    expect(report.ways[1]!.statement).toContain('this way or the other one is it');
  });

  test('no ping is answered: SYNs search the whole range', async () => {
    const report = await reportOf({ carries: { there: 1281, back: 1450 }, pings: false });
    expect(report.ways[0]).toMatchObject({ reading: 'smaller', mtuBytes: 1281 });
    expect(report.ways[0]!.searches.map(({ by, reading }) => [by, reading])).toEqual([
      ['icmp', 'unanswered'],
      ['tcp', 'smaller'],
    ]);
  });
});

test('less passes, and a router tells: nothing is lost for good, and what the probe has taught is said', async () => {
  const told = { from: '10.244.1.1', mtu: 1400 };
  const report = await reportOf({ carries: { there: 1400, back: 1450 }, told, learnt: [undefined, 1400] });
  expect(report).toMatchObject({
    verdict: 'answered',
    ways: [{ reading: 'smaller', isTold: true, tooBig: [{ mtuBytes: 1400 }] }, {}],
  });
  expect(report.ways[0]!.findings.join('\n')).toMatch(/by this probe the sender’s kernel has learnt 1400 bytes/);
});

test('near miss: the router names more than passes: the sender is not told', async () => {
  const told = { from: '10.244.1.1', mtu: 1420 };
  const report = await reportOf({ carries: { there: 1400, back: 1450 }, told });
  expect(report).toMatchObject({ verdict: 'failed', ways: [{ mtuBytes: 1400, isTold: false }, {}] });
});

describe('a learnt MTU is not the path', () => {
  const path: Path = { carries: { there: 1450, back: 1450 }, learnt: [1300, 1300] };

  test('SYNs go beyond it', async () => {
    const report = await reportOf(path);
    expect(report).toMatchObject({ verdict: 'answered', ways: [{ reading: 'whole', mtuBytes: 1450 }, {}] });
    expect(report.ways[0]!.findings.join('\n')).toMatch(
      /keeps 1300 bytes .* the path has 1450: what it has learnt is too small/,
    );
  });

  test('without them it is not known', async () => {
    const report = await reportOf({ ...path, syns: false });
    expect(report).toMatchObject({ verdict: 'unknown', ways: [{ reading: 'unknown' }, {}] });
    expect(report.ways[0]!.statement).toContain('has learnt 1300 bytes');
  });
});

test('nothing answers: it could not be told', async () => {
  const report = await reportOf({ carries: { there: 0, back: 0 } });
  expect(report).toMatchObject({ verdict: 'unknown', ways: [{ reading: 'unanswered' }, { reading: 'unanswered' }] });
});
