import { describeTimes } from '../probe/describe-times.ts';
import type { ProbeSample } from '../probe/probe-sample.ts';
import type { ResolverStyle } from '../probe/resolver-question.ts';
import type { StateChange } from '../probe/state-watch.ts';
import type { LookupAnswer } from '../snapshot/probe-answers.ts';
import { dnsFindings } from './dns-findings.ts';
import { DNS_SCHEMA, type DnsReport, type DnsReportLookup } from './dns-report.ts';

/** What a report of `probe dns` is made of. */
export interface DnsSeen
  extends Pick<DnsReport, 'resolver' | 'asked' | 'servers' | 'unasked' | 'target' | 'created' | 'durationMs'> {
  readonly lookups: readonly { readonly style: ResolverStyle; readonly samples: readonly ProbeSample[] }[];
  readonly changes: readonly (StateChange & { readonly target: string })[];
}

const CHANGES_MAX = 200;
/** The time-out that both libraries have by default, and of which slow look-ups then are multiples. */
const WAIT_MS = 5_000;
/** What a look-up takes beside its waits. */
const WAIT_SLACK_MS = 1_000;

/** The report of `probe dns`. */
export function buildDnsReport(seen: DnsSeen): DnsReport {
  const lookups = seen.lookups.map(lookupOf);
  const { resolver, asked, servers, unasked, target, created, durationMs } = seen;
  const changes = seen.changes.toSorted((a, b) => a.atMs - b.atMs);
  return {
    schema: DNS_SCHEMA,
    ...dnsFindings({ resolver, lookups, servers, unasked, asked }),
    ...{ resolver, lookups, asked, servers, unasked, target, created, durationMs },
    changes: changes.slice(0, CHANGES_MAX).map(({ target: of, atMs, to, formerMs, statement }) => ({
      ...{ target: of, at: new Date(atMs).toISOString(), to, formerMs, statement },
    })),
    changesLeftOut: Math.max(0, changes.length - CHANGES_MAX),
  };
}

function lookupOf({ style, samples }: DnsSeen['lookups'][number]): DnsReportLookup {
  const told = samples.flatMap(({ lookup }) => lookup ?? []);
  const counts = new Map<LookupAnswer['outcome'], number>();
  for (const { outcome } of told) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  const timesMs = told.map(({ latencyMs }) => latencyMs);
  const times = describeTimes(timesMs);
  const slowest = told.toSorted((a, b) => b.latencyMs - a.latencyMs)[0];
  return {
    ...{ style, sent: told.length, found: counts.get('found') ?? 0, unknown: samples.length - told.length },
    outcomes: [...counts].map(([outcome, count]) => ({ outcome, count })),
    addresses: [...new Set(told.flatMap(({ addresses }) => addresses))],
    ...(times && { times }),
    // What was cut off ended by our own limit, not by an answer.
    waits: waitsOf(told.filter(({ outcome }) => outcome !== 'cut-off').map(({ latencyMs }) => latencyMs)),
    ...(slowest && { slowest: { latencyMs: slowest.latencyMs, questions: slowest.queries } }),
  };
}

function waitsOf(timesMs: readonly number[]): DnsReportLookup['waits'] {
  const counts = new Map<number, number>();
  for (const ms of timesMs) {
    const multiple = Math.floor(ms / WAIT_MS) * WAIT_MS;
    if (multiple > 0 && ms - multiple < WAIT_SLACK_MS) counts.set(multiple, (counts.get(multiple) ?? 0) + 1);
  }
  return [...counts].sort(([a], [b]) => a - b).map(([aroundMs, count]) => ({ aroundMs, count }));
}
