/** Repeated probes on recorded clusters: the recording says who is asked, and what an attempt meets is given here. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import type { Host, Reply, Request } from '../../src/host/host.ts';
import { createReplayHost } from '../../src/host/replay.ts';
import { renderProbeJson } from '../../src/report/json.ts';
import type { ProbeReport } from '../../src/report/probe-report.ts';
import { probeSchema } from '../../src/report/probe-schema.ts';
import { renderProbeText } from '../../src/report/probe-text.ts';
import { decodeBundle } from '../../src/snapshot/bundle.ts';
import type { IcmpAnswer, TcpAnswer } from '../../src/snapshot/probe-answers.ts';
import type { QuestionWords } from '../../src/target/resolve-question.ts';
import { type ProbeOptions, type ProbeQuestionOutcome, probeQuestion } from '../../src/triage/probe-question.ts';
import { ROOT } from '../tidy/sources.ts';
import { loadScenario } from './load-scenario.ts';

type Answer = TcpAnswer | IcmpAnswer | undefined;

const CONNECTED: TcpAnswer = { outcome: 'connected', latencyMs: 0.4 };
const LOST: TcpAnswer = { outcome: 'timed-out' };
const POD = 'pod/demo/client-jnxdb';

/** The recording, but what is sent meets `answer`; undefined: the node gives none. `asked` keeps what was sent. */
async function hostOf(id: string, answer: (request: Request) => Answer, asked: Request[] = []): Promise<Host> {
  const replies = id.startsWith('constructed-')
    ? loadScenario(id).replies
    : (await decodeBundle(readFileSync(join(ROOT, 'scenarios', id, 'bundle.tar.gz')))).replies;
  const recorded = createReplayHost(replies);
  return {
    ...recorded,
    async *perform(requests, limits, signal) {
      const sent = requests.filter(({ args }) => args['attempt'] !== undefined);
      asked.push(...sent);
      for (const request of sent) yield replyOf(request, answer(request));
      const others = requests.filter((request) => !sent.includes(request));
      if (others.length > 0) yield* recorded.perform(others, limits, signal);
    },
  };
}

function replyOf(request: Request, answer: Answer): Reply {
  const times = { request, startedAtMs: 0, tookMs: 0 };
  if (answer === undefined) return { ...times, got: 'nothing', gap: 'unreachable', detail: 'the helper is gone' };
  const raw = new TextEncoder().encode(JSON.stringify(answer));
  return { ...times, got: 'raw', raw, exitCode: 0, truncated: false, tool: '' };
}

async function ask(host: Host, words: QuestionWords, more: Partial<ProbeOptions> = {}): Promise<ProbeQuestionOutcome> {
  const outcome = await probeQuestion(host, words, {
    ...{ signal: new AbortController().signal, sleep: async () => {}, notes: [], prepare: () => {} },
    ...{ tell: () => {}, live: () => {}, mark: () => {}, isWatch: false },
    plan: { count: 30, intervalMs: 200, waitMs: 3_500 },
    ...more,
  });
  if (outcome.kind === 'probe') expect(faultsOf(outcome.report)).toEqual([]);
  return outcome;
}

async function reportOf(...given: Parameters<typeof ask>): Promise<ProbeReport> {
  const outcome = await ask(...given);
  if (outcome.kind === 'problem') throw new Error(outcome.problem.problem);
  return outcome.report;
}

const validate = new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true }).compile(probeSchema);
function faultsOf(report: ProbeReport): string[] {
  validate(JSON.parse(renderProbeJson(report)));
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}

const textOf = (report: ProbeReport, verbose = false): string =>
  renderProbeText(report, { color: false, columns: 100, verbose });

const tcpWords = { source: POD, destination: 'svc/demo/web:80', protocol: 'tcp' } as const;

describe('a Service', () => {
  test('is tried at its own address and at each backend past it, and all is well', async () => {
    const asked: Request[] = [];
    const report = await reportOf(await hostOf('healthy-pod-service', () => CONNECTED, asked), tcpWords);
    expect(report.verdict).toBe('answered');
    const [service, ...backends] = report.targets;
    expect(service).toMatchObject({ role: 'asked', sent: 30, answered: 30, failed: 0, lossPercent: 0 });
    expect(service!.times).toMatchObject({ count: 30, minMs: 0.4, maxMs: 0.4, stddevMs: 0 });
    expect(backends.length).toBeGreaterThan(1);
    for (const backend of backends) expect(backend.name).toMatch(/^pod\/demo\/web-\w+ 10\.244\.\d\.\d+:8080$/);
    expect(report.share).toMatchObject({ explains: 'none', expectedPercent: 0 });
    // From the pod's own network namespace, found by its uid.
    expect(new Set(asked.map(({ place }) => place.namespace))).toEqual(new Set([POD]));
    expect(asked.every(({ podUid }) => podUid !== undefined)).toBe(true);
  });

  test('with one bad backend: the share that fails is what that one explains', async () => {
    const asked: Request[] = [];
    const probing = await reportOf(await hostOf('healthy-pod-service', () => CONNECTED, asked), tcpWords);
    const addresses = [...new Set(asked.map(({ args }) => String(args['address'])))];
    const [clusterIp, bad] = addresses;
    const backends = addresses.length - 1;
    let nth = 0;
    const host = await hostOf('healthy-pod-service', ({ args }) => {
      if (args['address'] === bad) return LOST;
      return args['address'] === clusterIp && nth++ % backends === 0 ? LOST : CONNECTED;
    });
    const report = await reportOf(host, tcpWords);
    expect(report.verdict).toBe('failed');
    expect(report.targets[0]!.failed).toBe(30 / backends);
    expect(report.share!.explains).toBe('backend');
    expect(report.findings[0]).toMatch(new RegExp(`1 of ${backends} backends fails always .*that explains it$`));
    expect(textOf(report)).toContain('✗ SOME FAILED');
    expect(textOf(report)).toMatch(/✗ pod\/demo\/web-\w+ .*: 30 sent, 0 answered, 30 failed \(100 % loss\)/);
    expect(probing.targets.map(({ name }) => name)).toEqual(report.targets.map(({ name }) => name));
  });

  test('from one source port: only the Service itself, one attempt after the other', async () => {
    const asked: Request[] = [];
    const plan = { count: 4, intervalMs: 200, waitMs: 3_500, sourcePort: 40_000 };
    const report = await reportOf(await hostOf('healthy-pod-service', () => CONNECTED, asked), tcpWords, { plan });
    expect(report.targets).toHaveLength(1);
    expect(report.sourcePort).toBe(40_000);
    expect(asked.map(({ args }) => args['sourcePort'])).toEqual([40_000, 40_000, 40_000, 40_000]);
    expect(report.target.notes.join()).toMatch(/backends are not tried/);
  });
});

test('times near those of a repeated SYN are called loss', async () => {
  let nth = 0;
  const host = await hostOf('healthy-pod-service', () => ({
    ...CONNECTED,
    latencyMs: nth++ % 10 === 0 ? 1_003.5 : 0.4,
  }));
  const words = { source: POD, destination: '198.51.100.9:443', protocol: 'tcp' } as const;
  const report = await reportOf(host, words);
  expect(report.verdict).toBe('answered');
  expect(report.targets[0]!.repeatedSyns).toEqual([{ aroundMs: 1_000, count: 3 }]);
  expect(report.findings).toEqual([
    expect.stringMatching(/^198\.51\.100\.9:443: of 30 that connected, 3 after about 1 s: .*loss, not latency$/),
  ]);
  expect(textOf(report)).toMatch(/1 s – 2 s +3 █+/);
});

describe('a watch', () => {
  test('marks each change as it comes, and tells them all at the end', async () => {
    const marked: string[] = [];
    const lines: string[] = [];
    const words = { source: POD, destination: '198.51.100.9:443', protocol: 'tcp' } as const;
    let nth = 0;
    const host = await hostOf('healthy-pod-service', () => {
      nth++;
      return nth > 10 && nth <= 20 ? LOST : CONNECTED;
    });
    const report = await reportOf(host, words, {
      isWatch: true,
      mark: ({ to, target }) => marked.push(`${target} ${to}`),
      live: (line) => lines.push(line),
    });
    expect(marked).toEqual(['198.51.100.9:443 not-answering', '198.51.100.9:443 answering']);
    expect(report.changes.map(({ to, formerMs }) => [to, formerMs])).toEqual([
      ['not-answering', 2_000],
      ['answering', 2_000],
    ]);
    expect(lines).toHaveLength(30);
    expect(lines.at(-1)).toMatch(/^30 sent, 20 answered, 33\.3 % loss, last 0\.4 ms$/);
    expect(textOf(report)).toMatch(/STATE CHANGES\n.*198\.51\.100\.9:443 no longer answers, after 2\.0 s: TCP to/);
  });
});

describe('ping', () => {
  const words = { source: POD, destination: '198.51.100.9', protocol: 'icmp' } as const;
  const ping = { sizeBytes: 1_400, df: true };

  test('sends what is asked for, and tells replies, duplicates and errors by who sent them', async () => {
    const asked: Request[] = [];
    const answer = (count: number): IcmpAnswer => ({
      ...{ outcome: 'answered', sent: count, received: count - 2, latencyMs: 0.3, duplicates: 1 },
      errors: [{ from: '10.0.0.1', text: 'Time to live exceeded' }],
      replies: Array.from({ length: count - 2 }, (_, at) => ({ sequence: at + 1, latencyMs: 0.3 + at / 10 })),
    });
    const host = await hostOf('healthy-pod-service', ({ args }) => answer(Number(args['count'])), asked);
    const report = await reportOf(host, words, { ping });
    expect(asked.map(({ args }) => [args['count'], args['sizeBytes'], args['df']])).toEqual([
      [10, 1_400, true],
      [10, 1_400, true],
      [10, 1_400, true],
    ]);
    expect(report).toMatchObject({ kind: 'ping', verdict: 'failed' });
    expect(report.targets[0]).toMatchObject({ sent: 30, answered: 24, failed: 6, lossPercent: 20, duplicates: 3 });
    expect(report.targets[0]!.outcomes).toContainEqual({
      ...{ outcome: 'icmp-error', count: 3, statement: '10.0.0.1: Time to live exceeded' },
    });
    expect(report.findings.join()).toMatch(/3 more answers than requests/);
  });

  test('that may not be sent proves nothing', async () => {
    const host = await hostOf('healthy-pod-service', () => ({
      ...{ outcome: 'not-permitted', sent: 0, received: 0, errors: [], detail: 'socktype: SOCK_RAW' },
    }));
    const report = await reportOf(host, words, { ping });
    expect(report.verdict).toBe('unknown');
    expect(report.targets[0]).not.toHaveProperty('lossPercent');
    expect(textOf(report)).toContain('? COULD NOT TELL');
  });
});

describe('what was not seen is not counted as lost', () => {
  test('a node that does not answer: unknown, and nothing more is sent', async () => {
    const asked: Request[] = [];
    const words = { source: POD, destination: '198.51.100.9:443', protocol: 'tcp' } as const;
    const plan = { count: 1_000, intervalMs: 200, waitMs: 3_500 };
    const report = await reportOf(await hostOf('healthy-pod-service', () => undefined, asked), words, { plan });
    expect(report.verdict).toBe('unknown');
    expect(report.targets[0]).toMatchObject({ sent: 0, answered: 0, failed: 0 });
    // The batches that were under way when the first one came back.
    expect(asked.length).toBeLessThanOrEqual(200);
    expect(textOf(report)).toMatch(/untold: unreachable: the helper is gone/);
  });

  test('a mesh that accepts in the pod’s stead: connected proves nothing', async () => {
    const { question } = loadScenario('constructed-istio-sidecar').expect;
    const host = await hostOf('constructed-istio-sidecar', () => CONNECTED);
    const words = { ...question, destination: '198.51.100.9:443', protocol: 'tcp' } as const;
    const report = await reportOf(host, words);
    expect(report.verdict).toBe('unknown');
    expect(report.targets[0]!.outcomes[0]!.statement).toMatch(/accepts in its stead/);
  });
});

describe('words that lead nowhere', () => {
  test.each([
    ['no port', { source: POD, destination: '198.51.100.9', protocol: 'tcp' }, /tcp needs a port/],
    ['a source outside', { source: 'ip/198.51.100.9', destination: 'svc/demo/web:80', protocol: 'tcp' }, /a source is/],
    ['a name that nobody knows', { source: POD, destination: 'nowhere.test:80', protocol: 'tcp' }, /no look-up/],
  ] as const)('%s', async (_, words, problem) => {
    const outcome = await ask(await hostOf('healthy-pod-service', () => CONNECTED), words);
    expect(outcome).toMatchObject({ kind: 'problem', problem: { problem: expect.stringMatching(problem) } });
  });
});
