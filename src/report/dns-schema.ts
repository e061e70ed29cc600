import type { ResolverStyle } from '../probe/resolver-question.ts';
import type { DnsAnswer, LookupAnswer, LookupQuery } from '../snapshot/probe-answers.ts';
import {
  DNS_SCHEMA,
  type DnsReport,
  type DnsReportLookup,
  type DnsReportQuestion,
  type DnsReportResolver,
  type DnsReportServer,
} from './dns-report.ts';
import { BOOLEAN, INTEGER, type JsonSchema, listOf, MILLISECONDS, objectOf, oneOf, ref, WORDS } from './json-schema.ts';
import { probeSchema } from './probe-schema.ts';

/** The JSON Schema (draft 2020-12) of what `probe dns` prints with `-o json`. */

const ANSWERS: Readonly<Record<DnsAnswer['outcome'], true>> = {
  answered: true,
  'no-data': true,
  nxdomain: true,
  servfail: true,
  refused: true,
  'timed-out': true,
  unreachable: true,
  failed: true,
};
const STYLES: Readonly<Record<ResolverStyle, true>> = { glibc: true, musl: true };
const TYPE = oneOf<'A' | 'AAAA'>({ A: true, AAAA: true });
const TRANSPORT = oneOf<'udp' | 'tcp'>({ udp: true, tcp: true });
const LOOKUP_OUTCOME = oneOf<LookupAnswer['outcome']>({
  found: true,
  'no-such-name': true,
  'no-address': true,
  'try-again': true,
  failed: true,
  'cut-off': true,
});

const resolver = objectOf<DnsReportResolver>(
  {
    library: oneOf<DnsReportResolver['library']>({ ...STYLES, unknown: true }),
    sources: listOf(WORDS),
    hosts: listOf(WORDS),
    nameservers: listOf(WORDS),
    search: listOf(WORDS),
    options: listOf(WORDS),
  },
  { sources: 'optional', hosts: 'optional' },
);

const query = objectOf<LookupQuery>(
  {
    ...{ name: WORDS, type: TYPE, server: WORDS, transport: TRANSPORT, sentAtMs: MILLISECONDS },
    ...{ outcome: oneOf(ANSWERS), latencyMs: MILLISECONDS, truncated: BOOLEAN },
  },
  { latencyMs: 'optional', truncated: 'optional' },
);

const lookup = objectOf<DnsReportLookup>(
  {
    style: oneOf(STYLES),
    ...{ sent: INTEGER, found: INTEGER, unknown: INTEGER, addresses: listOf(WORDS) },
    outcomes: listOf(objectOf<DnsReportLookup['outcomes'][number]>({ outcome: LOOKUP_OUTCOME, count: INTEGER }, {})),
    times: ref('probeTimes'),
    waits: listOf(objectOf<DnsReportLookup['waits'][number]>({ aroundMs: MILLISECONDS, count: INTEGER }, {})),
    slowest: objectOf<NonNullable<DnsReportLookup['slowest']>>(
      { latencyMs: MILLISECONDS, questions: listOf(ref('dnsQuery')) },
      {},
    ),
  },
  { times: 'optional', slowest: 'optional' },
);

const question = objectOf<DnsReportQuestion>(
  {
    ...{ name: WORDS, type: TYPE, transport: TRANSPORT, ednsBytes: INTEGER, statement: WORDS },
    outcome: oneOf<DnsReportQuestion['outcome']>({ ...ANSWERS, untold: true }),
    passed: oneOf<DnsReportQuestion['passed']>({ yes: true, no: true, unknown: true }),
    ...{ tries: INTEGER, latencyMs: MILLISECONDS, truncated: BOOLEAN, bytes: INTEGER },
  },
  { ednsBytes: 'optional', latencyMs: 'optional', bytes: 'optional' },
);

const server = objectOf<DnsReportServer>(
  {
    role: oneOf<DnsReportServer['role']>({ nameserver: true, endpoint: true, upstream: true }),
    ...{ name: WORDS, from: WORDS, questions: listOf(ref('dnsQuestion')) },
  },
  {},
);

const properties = objectOf<DnsReport>(
  {
    schema: { const: DNS_SCHEMA },
    verdict: oneOf<DnsReport['verdict']>({ answered: true, failed: true, unknown: true }),
    ...{ summary: WORDS, failsAt: WORDS, findings: listOf(WORDS), resolver, lookups: listOf(ref('dnsLookup')) },
    ...{ asked: WORDS, servers: listOf(ref('dnsServer')), unasked: listOf(WORDS) },
    ...{ changes: listOf(ref('probeChange')), changesLeftOut: INTEGER },
    target: objectOf<DnsReport['target']>({ source: WORDS, destination: WORDS, flow: WORDS, notes: listOf(WORDS) }, {}),
    ...{ created: listOf(WORDS), durationMs: MILLISECONDS },
  },
  { failsAt: 'optional' },
);

const { probeTimes, probeChange } = probeSchema['$defs'] as Readonly<Record<string, JsonSchema>>;

export const dnsSchema: JsonSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  $id: 'urn:podtriage:probe-dns:v1',
  title: DNS_SCHEMA,
  description: 'How a name is looked up from a pod, question by question, and what each server on the way answers.',
  ...properties,
  $defs: { dnsQuery: query, dnsLookup: lookup, dnsQuestion: question, dnsServer: server, probeTimes, probeChange },
};
