import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, test } from 'vitest';
import { type ProbeSample, sampleOfLookup } from '../probe/probe-sample.ts';
import type { LookupAnswer, LookupQuery } from '../snapshot/probe-answers.ts';
import { buildDnsReport, type DnsSeen } from './build-dns-report.ts';
import type { DnsReport, DnsReportQuestion, DnsReportServer } from './dns-report.ts';
import { dnsSchema } from './dns-schema.ts';
import { renderDnsText } from './dns-text.ts';
import { renderDnsJson } from './json.ts';

const NAME = 'gw.corp.test.';

const query = (name: string, outcome: LookupQuery['outcome'], latencyMs?: number): LookupQuery => ({
  ...{ name, type: 'A', server: '10.96.0.10', transport: 'udp', sentAtMs: 0, outcome },
  ...(latencyMs === undefined ? {} : { latencyMs }),
});

const found = (latencyMs: number, queries = [query(NAME, 'answered', 1)]): LookupAnswer => ({
  ...{ outcome: 'found', addresses: ['10.80.0.1'], found: NAME, latencyMs, queries },
});

const samples = (...answers: readonly LookupAnswer[]): ProbeSample[] =>
  answers.map((answer, at) => sampleOfLookup(at, 1_000 * at, answer));

const asked = (more: Partial<DnsReportQuestion> = {}): DnsReportQuestion => ({
  ...{ name: NAME, type: 'A', transport: 'udp', outcome: 'answered', passed: 'yes', tries: 1, truncated: false },
  ...{ statement: 'said', latencyMs: 1 },
  ...more,
});
const silent = (more: Partial<DnsReportQuestion> = {}): DnsReportQuestion =>
  asked({ outcome: 'timed-out', passed: 'no', tries: 3, ...more });

const server = (
  role: DnsReportServer['role'],
  name: string,
  questions: readonly DnsReportQuestion[] = [asked(), asked({ transport: 'tcp', bytes: 58 })],
): DnsReportServer => ({ role, name, from: role === 'upstream' ? 'pod/kube-system/dns' : 'pod/demo/a', questions });

function report(more: Partial<DnsSeen> = {}): DnsReport {
  const made = buildDnsReport({
    resolver: {
      ...{ library: 'glibc', sources: ['files', 'dns'], hosts: [], nameservers: ['10.96.0.10'] },
      ...{ search: ['demo.svc.cluster.local'], options: ['ndots:5'] },
    },
    ...{
      lookups: [{ style: 'glibc', samples: samples(found(3)) }],
      asked: NAME,
      unasked: [],
      changes: [],
      created: [],
    },
    servers: [server('nameserver', '10.96.0.10'), server('endpoint', '10.244.0.2'), server('upstream', '10.9.0.1')],
    target: { source: 'pod/demo/a', destination: 'gw.corp.test', flow: 'dns', notes: [] },
    durationMs: 5,
    ...more,
  });
  const validate = new Ajv2020({ strict: true, allowUnionTypes: true }).compile(dnsSchema);
  validate(JSON.parse(renderDnsJson(made)));
  expect(validate.errors ?? []).toEqual([]);
  expect(renderDnsText(made, { color: false, columns: 100, verbose: true })).toContain(made.summary.slice(0, 20));
  return made;
}

test('all answered: no step fails', () => {
  expect(report()).toMatchObject({ verdict: 'answered', findings: [] });
  expect(report().failsAt).toBeUndefined();
});

test('what is behind is named before what it makes fail', () => {
  const servers = [
    server('nameserver', '10.96.0.10', [asked({ outcome: 'servfail' })]),
    server('endpoint', '10.244.0.2', [silent()]),
    server('upstream', '10.9.0.1', [silent()]),
  ];
  const failed: LookupAnswer = {
    outcome: 'try-again',
    addresses: [],
    latencyMs: 8_000,
    queries: [query(NAME, 'servfail', 4_000)],
  };
  const made = report({ servers, lookups: [{ style: 'glibc', samples: samples(failed) }] });
  expect(made.verdict).toBe('failed');
  expect(made.failsAt).toMatch(/^upstream: 10\.9\.0\.1 \(from pod\/kube-system\/dns\) does not answer/);
});

test('one silent DNS server of two, and the waits of multiples of five seconds', () => {
  const servers = [
    server('nameserver', '10.96.0.10'),
    server('endpoint', 'pod/a 10.244.0.2'),
    server('endpoint', 'pod/b 10.244.1.4', [silent()]),
  ];
  const made = report({
    servers,
    lookups: [{ style: 'glibc', samples: samples(found(3), found(5_004), found(10_010), found(7_900)) }],
  });
  expect(made.failsAt).toBe('DNS server: pod/b 10.244.1.4 does not answer by its own address');
  expect(made.lookups[0]!.waits).toEqual([
    { aroundMs: 5_000, count: 1 },
    { aroundMs: 10_000, count: 1 },
  ]);
  expect(made.findings.join('\n')).toContain('1 of 2 DNS servers');
});

test('a nameserver that is silent while the servers behind it answer; TCP alone', () => {
  const silentService = [server('nameserver', '10.96.0.10', [silent()]), server('endpoint', '10.244.0.2')];
  expect(report({ servers: silentService }).failsAt).toContain('while the DNS servers behind it do');
  const noTcp = [server('nameserver', '10.96.0.10', [asked(), silent({ transport: 'tcp' })])];
  expect(report({ servers: noTcp }).failsAt).toBe(
    'TCP: 10.96.0.10 does not answer by TCP: an answer too large for UDP cannot be fetched',
  );
});

test('a large answer is lost only where it is known not to fit a packet, and every way that may carry it is silent', () => {
  const ways = (at1232: Partial<DnsReportQuestion>, at4096: DnsReportQuestion): DnsReportServer[] => [
    server('nameserver', '10.96.0.10', [
      asked({ truncated: true, outcome: 'no-data' }),
      asked({ transport: 'tcp', bytes: 3_000 }),
      asked({ ednsBytes: 1232, ...at1232 }),
      at4096,
    ]),
  ];
  const cut = { truncated: true };
  const lost = report({ servers: ways(cut, silent({ ednsBytes: 4096 })) });
  expect(lost.failsAt).toContain('large answers: from 10.96.0.10');
  expect(lost.findings.join('\n')).toContain(
    'truncated without EDNS (512 bytes), with EDNS 1232; over TCP it has 3000 bytes',
  );
  // Near misses: an answer of one packet is not lost for its size, and one that came is not lost at all.
  expect(report({ servers: ways({ bytes: 900 }, silent({ ednsBytes: 4096 })) }).failsAt).toBeUndefined();
  expect(report({ servers: ways(cut, asked({ ednsBytes: 4096, bytes: 2_000 })) }).failsAt).toBeUndefined();
});

test('the search list’s denials are told where the name as it is was the right one, and nowhere else', () => {
  const denials = [query('gw.corp.test.demo.svc.cluster.local.', 'nxdomain', 1), query(NAME, 'answered', 1)];
  expect(report({ lookups: [{ style: 'glibc', samples: samples(found(3, denials)) }] }).findings[0]).toContain(
    '1 of 2 questions',
  );
  const short = [
    query('web.demo.demo.svc.cluster.local.', 'nxdomain', 1),
    query('web.demo.svc.cluster.local.', 'answered', 1),
  ];
  const made = report({
    asked: 'web.demo.svc.cluster.local.',
    lookups: [{ style: 'glibc', samples: samples(found(3, short)) }],
  });
  expect(made.findings).toEqual([]);
});

test('a name that nobody knows is told as such; what is untold is never called healthy', () => {
  const denied: LookupAnswer = {
    outcome: 'no-such-name',
    addresses: [],
    latencyMs: 2,
    queries: [query(NAME, 'nxdomain', 1)],
  };
  expect(report({ lookups: [{ style: 'glibc', samples: samples(denied) }] }).failsAt).toMatch(/^the name: /);
  const untold: ProbeSample = { attempt: 0, sentAtMs: 0, outcome: 'untold', passed: 'unknown', statement: 'gone' };
  expect(report({ lookups: [{ style: 'glibc', samples: [untold] }] }).verdict).toBe('unknown');
});

test('the hosts file before DNS, and after it', () => {
  const resolver = { ...report().resolver, hosts: ['10.0.0.5'] };
  expect(report({ resolver }).findings[0]).toContain('ask no DNS');
  expect(report({ resolver: { ...resolver, sources: ['dns', 'files'] } }).findings[0]).toContain('comes after DNS');
});

test('where the library is not known both are told, and that they differ', () => {
  const failed: LookupAnswer = {
    outcome: 'try-again',
    addresses: [],
    latencyMs: 5_000,
    queries: [query(NAME, 'servfail', 1)],
  };
  const made = report({
    resolver: { ...report().resolver, library: 'unknown' },
    lookups: [
      { style: 'glibc', samples: samples(found(3)) },
      { style: 'musl', samples: samples(failed) },
    ],
  });
  expect(made.summary).toContain('if it is musl: 0 of 1');
  expect(made.findings.join('\n')).toContain('glibc and musl end differently');
});
