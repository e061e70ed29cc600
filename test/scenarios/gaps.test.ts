/** Recorded runs in which one answer is missing: what was not seen must make no other cause, no fault and no "healthy". */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { wordsOfArguments } from '../../src/cli/words-of-arguments.ts';
import type { Reply, Request } from '../../src/host/host.ts';
import { createReplayHost } from '../../src/host/replay.ts';
import type { Report } from '../../src/report/report.ts';
import { decodeBundle } from '../../src/snapshot/bundle.ts';
import { triage } from '../../src/triage.ts';
import { ROOT } from '../tidy/sources.ts';

const FOLDER = join(ROOT, 'scenarios');

/** The recorded run, diagnosed again without the answers to these requests. */
async function without(id: string, isGone: (request: Request) => boolean, probe = true): Promise<Report> {
  const lacking = (replies: readonly Reply[]): Reply[] => {
    expect(replies.some(({ request }) => isGone(request))).toBe(true);
    return replies.map((reply) => (isGone(reply.request) ? timedOut(reply.request) : reply));
  };
  return diagnosed(id, lacking, probe);
}

async function diagnosed(
  id: string,
  change: (replies: readonly Reply[]) => readonly Reply[],
  probe: boolean,
): Promise<Report> {
  const { replies } = await decodeBundle(readFileSync(join(FOLDER, id, 'bundle.tar.gz')));
  const { question } = JSON.parse(readFileSync(join(FOLDER, id, 'expect.json'), 'utf8')) as { question: string[] };
  const options = { probe, signal: new AbortController().signal, tell: () => {}, notes: [], prepare: () => {} };
  const outcome = await triage(createReplayHost(change(replies)), wordsOfArguments(question), options);
  if (outcome.kind === 'problem') throw new Error(outcome.problem.problem);
  return outcome.report;
}

function timedOut(request: Request): Reply {
  return { request, startedAtMs: 0, tookMs: 15_000, got: 'nothing', gap: 'timed-out', detail: 'no answer' };
}

/** The recorded run, with other answers to its look-ups. */
async function withLookUps(id: string, answer: Readonly<Record<string, unknown>>): Promise<Report> {
  const change = (reply: Reply): Reply => {
    if (reply.got !== 'raw' || reply.request.action !== 'probe.dns') return reply;
    const recorded = JSON.parse(new TextDecoder().decode(reply.raw)) as Record<string, unknown>;
    return { ...reply, raw: new TextEncoder().encode(JSON.stringify({ ...recorded, ...answer })) };
  };
  return diagnosed(id, (replies) => replies.map(change), true);
}

const faultsOf = (report: Report): string[] =>
  report.causes.filter(({ gravity }) => gravity === 'fault').map(({ id }) => id);

test.each([
  ['healthy-pod-outside-by-name', 'outside.corp.test.'],
  ['healthy-pod-service-by-name', 'web.demo.svc.cluster.local.'],
])('%s: the names beside the right one are denied, and the right one got no answer', async (id, name) => {
  const report = await without(id, ({ action, args }) => action === 'probe.dns' && args['name'] === name);
  expect(faultsOf(report)).toEqual([]);
  expect(report.verdict).toBe('inconclusive');
});

test('a look-up at a DNS server itself that got no answer blames no Service path', async () => {
  const isAsked = ({ action, args }: Request) =>
    action === 'probe.dns' && args['server'] === '10.244.0.10' && args['name'] === 'api.corp.test.';
  expect(faultsOf(await without('dns-upstream-unreachable', isAsked))).toEqual(['dns-upstream-unreachable']);
});

test.each([
  ['resolv-conf', true],
  ['resolv-conf', false],
  ['probe.dns', true],
])(
  'the address of a name’s Service answers; without %s (probes: %s) nobody saw that the name leads there',
  async (action, probe) => {
    const report = await without('dns-wrong-nameserver', (request) => request.action === action, probe);
    expect(report.verdict).toBe('inconclusive');
    expect(report.summary).toContain('whether the name leads to it was not seen');
  },
);

test('the DNS without servers keeps its name where its Deployment was not read', async () => {
  const report = await without('dns-no-endpoints', ({ action }) => action === 'api.deployments');
  expect(faultsOf(report)).toEqual(['dns-no-endpoints']);
});

test('without the list of nodes it is not known for whom a tunnel’s packet is', async () => {
  const report = await without('healthy-pod-outside-by-name', ({ action }) => action === 'api.nodes', false);
  expect(report.unexplained).toEqual([]);
  expect(report.verdict).not.toBe('fault');
});

test('a name that exists without an address of the family leads nowhere, though its Service answers', async () => {
  const report = await withLookUps('healthy-pod-service-by-name', {
    outcome: 'no-data',
    rcode: 'NOERROR',
    addresses: [],
  });
  expect(report.verdict).toBe('inconclusive');
  expect(report.class).toBe('dns-failure');
});

/** What became of one answer; the reply's first half stands for a tool that was cut short. */
const SPOILT = {
  'timed out': (reply: Reply): Reply => timedOut(reply.request),
  'cut short': (reply: Reply): Reply =>
    reply.got === 'raw' ? { ...reply, raw: reply.raw.slice(0, reply.raw.length >> 1), truncated: true } : reply,
} as const;

test.each([
  ['healthy-pod-pod-cross-node', 'timed out', []],
  ['healthy-pod-pod-cross-node', 'cut short', []],
  ['no-listener', 'timed out', ['no-listener']],
  ['no-listener', 'cut short', ['no-listener']],
  ['pod-cidr-route-missing-back', 'cut short', ['pod-cidr-route-missing']],
] as const)(
  '%s: whichever one fact of a node is %s, no other cause is named, and no fault where there is none',
  { timeout: 120_000 },
  async (id, how, allowed) => {
    const { replies } = await decodeBundle(readFileSync(join(FOLDER, id, 'bundle.tar.gz')));
    const facts = replies.flatMap(({ got, request }, index) =>
      got === 'raw' && request.place.node !== '' && !request.action.startsWith('probe.') ? [index] : [],
    );
    expect(facts.length).toBeGreaterThan(40);
    const wrong: string[] = [];
    for (const spoilt of facts) {
      const change = (all: readonly Reply[]) => all.map((reply, at) => (at === spoilt ? SPOILT[how](reply) : reply));
      const report = await diagnosed(id, change, false);
      const named = faultsOf(report).filter((cause) => !(allowed as readonly string[]).includes(cause));
      const isFault = allowed.length === 0 && report.verdict === 'fault';
      const { request } = replies[spoilt]!;
      if (named.length > 0 || isFault)
        wrong.push(
          `${request.action} of ${request.place.node} ${request.place.namespace}: ${report.verdict} ${named.join()}`,
        );
    }
    expect(wrong).toEqual([]);
  },
);
