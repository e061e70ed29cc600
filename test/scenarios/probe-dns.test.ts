/** A look-up on a recorded cluster: the recording says who is asked and whom its DNS asks, and what they answer is given here. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Host, Request } from '../../src/host/host.ts';
import { createReplayHost } from '../../src/host/replay.ts';
import type { DnsReport } from '../../src/report/dns-report.ts';
import { decodeBundle } from '../../src/snapshot/bundle.ts';
import type { DnsAnswer, LookupAnswer } from '../../src/snapshot/probe-answers.ts';
import { type DnsWords, probeName } from '../../src/triage/dns-question.ts';
import { ROOT } from '../tidy/sources.ts';

const ANSWERED: DnsAnswer = {
  ...{ outcome: 'answered', rcode: 'NOERROR', addresses: ['10.80.0.10'], names: [], truncated: false },
  ...{ bytes: 60, latencyMs: 1 },
};
const SILENT: DnsAnswer = { outcome: 'timed-out', addresses: [], names: [], truncated: false };
const FOUND: LookupAnswer = {
  ...{ outcome: 'found', addresses: ['10.80.0.10'], found: 'api.corp.test.', latencyMs: 4, queries: [] },
};
const POD = 'pod/demo/client';

async function ask(
  answer: (request: Request) => DnsAnswer | LookupAnswer,
  more: Partial<DnsWords> = {},
): Promise<{ readonly report?: DnsReport; readonly problem?: string; readonly sent: readonly Request[] }> {
  const id = 'dns-upstream-unreachable';
  const { replies } = await decodeBundle(readFileSync(join(ROOT, 'scenarios', id, 'bundle.tar.gz')));
  const recorded = createReplayHost(replies);
  const sent: Request[] = [];
  const host: Host = {
    ...recorded,
    async *perform(requests, limits, signal) {
      const probes = requests.filter(({ action }) => action === 'probe.dns' || action === 'probe.lookup');
      sent.push(...probes);
      for (const request of probes) {
        const raw = new TextEncoder().encode(JSON.stringify(answer(request)));
        yield { request, startedAtMs: 0, tookMs: 0, got: 'raw', raw, exitCode: 0, truncated: false, tool: '' };
      }
      const others = requests.filter((request) => !probes.includes(request));
      if (others.length > 0) yield* recorded.perform(others, limits, signal);
    },
  };
  const pods = replies.find(({ request }) => request.action === 'api.pods');
  const text = pods?.got === 'raw' ? new TextDecoder().decode(pods.raw) : '';
  const client = /"name":\s*"(client-[a-z0-9]+)"/.exec(text)![1];
  const words = { source: POD.replace('client', client!), name: 'api.corp.test', ...more };
  const outcome = await probeName(host, words, {
    ...{ signal: new AbortController().signal, sleep: async () => {}, notes: [], prepare: () => {} },
    ...{ tell: () => {}, live: () => {}, mark: () => {}, isWatch: false },
    plan: { count: 2, intervalMs: 100, waitMs: 5_000 },
  });
  return outcome.kind === 'dns' ? { report: outcome.report, sent } : { problem: outcome.problem.problem, sent };
}

test('every server on the way is asked: the nameserver, the DNS servers behind it, and their upstream from their own network', async () => {
  const { report, sent } = await ask(({ action }) => (action === 'probe.lookup' ? FOUND : ANSWERED));
  expect(report!.verdict).toBe('answered');
  expect(report!.asked).toBe('api.corp.test.');
  const roles = report!.servers.map(({ role }) => role);
  expect(roles.filter((role) => role === 'nameserver')).toHaveLength(1);
  expect(roles.filter((role) => role === 'endpoint').length).toBeGreaterThan(0);
  const upstream = report!.servers.find(({ role }) => role === 'upstream')!;
  expect(upstream.from).toMatch(/^pod\/kube-system\/coredns-/);
  const lookups = sent.filter(({ action }) => action === 'probe.lookup');
  // Recorded before the container's libraries were looked at: both ways are tried.
  expect(new Set(lookups.map(({ args }) => args['style']))).toEqual(new Set(['glibc', 'musl']));
  expect(lookups[0]!.args).toMatchObject({ host: 'api.corp.test', options: 'ndots:5' });
});

test('a silent upstream is asked three times, and is what fails', async () => {
  const { report, sent } = await ask(({ action, place }) => {
    if (action === 'probe.lookup') return { ...FOUND, outcome: 'try-again', addresses: [] };
    return place.namespace.startsWith('pod/kube-system/') ? SILENT : ANSWERED;
  });
  expect(report).toMatchObject({ verdict: 'failed' });
  expect(report!.failsAt).toMatch(/^upstream: /);
  const plain = sent.filter(
    ({ action, place, args }) =>
      action === 'probe.dns' && place.namespace.startsWith('pod/kube-system/') && args['transport'] === 'udp',
  );
  expect(Math.max(...plain.map(({ args }) => Number(args['attempt'])))).toBe(3);
});

test('a name of the cluster has no upstream', async () => {
  const name = 'web.demo.svc.cluster.local';
  const found = { ...FOUND, found: `${name}.` };
  const { report } = await ask(({ action }) => (action === 'probe.lookup' ? found : ANSWERED), { name });
  expect(report!.servers.filter(({ role }) => role === 'upstream')).toEqual([]);
});

test('wrong words: a Service’s word, a URL, a source outside', async () => {
  const answer = (): DnsAnswer => ANSWERED;
  expect((await ask(answer, { name: 'svc/demo/web' })).problem).toContain('is no DNS name');
  expect((await ask(answer, { name: 'https://web.demo/' })).problem).toContain('without scheme');
  expect((await ask(answer, { source: '192.0.2.1' })).problem).toContain('a source is a running pod or a node');
});
