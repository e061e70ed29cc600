import { backendShare, type ShareFinding } from '../probe/backend-share.ts';
import { describeTimes } from '../probe/describe-times.ts';
import { repeatedSyns } from '../probe/repeated-syn.ts';
import type { StateChange } from '../probe/state-watch.ts';
import type { TallyReading } from '../probe/tally.ts';
import { timeHistogram } from '../probe/time-histogram.ts';
import {
  PROBE_SCHEMA,
  type ProbeReport,
  type ProbeReportChange,
  type ProbeReportShare,
  type ProbeReportTarget,
} from './probe-report.ts';

/** What a probe's report is made of. */
export interface ProbeSeen {
  readonly kind: 'tcp' | 'ping';
  readonly target: ProbeReport['target'];
  /** First the one that was asked for. */
  readonly tried: readonly {
    readonly role: ProbeReportTarget['role'];
    readonly name: string;
    readonly reading: TallyReading;
  }[];
  /** Why the Service does not spread its connections over its backends evenly, where that is known. */
  readonly unevenBecause?: string;
  readonly changes: readonly (StateChange & { readonly target: string })[];
  readonly plan: Pick<ProbeReport, 'intervalMs' | 'waitMs' | 'sourcePort'>;
  readonly created: readonly string[];
  readonly durationMs: number;
}

const CHANGES_MAX = 200;

/** The report of `probe tcp` and `probe ping`. */
export function buildProbeReport(seen: ProbeSeen): ProbeReport {
  const targets = seen.tried.map((one) => targetOf(one, seen.kind));
  const changes = seen.changes.toSorted((a, b) => a.atMs - b.atMs);
  const share = shareOf(seen);
  const verdict = verdictOf(targets);
  return {
    schema: PROBE_SCHEMA,
    kind: seen.kind,
    verdict,
    summary: summaryOf(targets[0]!, targets.slice(1)),
    findings: [...(share ? [share.statement] : []), ...targets.flatMap(findingsOf)],
    targets,
    ...(share && { share }),
    changes: changes.slice(0, CHANGES_MAX).map(changeOf),
    changesLeftOut: Math.max(0, changes.length - CHANGES_MAX),
    ...seen.plan,
    target: seen.target,
    created: seen.created,
    durationMs: seen.durationMs,
  };
}

function targetOf({ role, name, reading }: ProbeSeen['tried'][number], kind: ProbeSeen['kind']): ProbeReportTarget {
  const { sent, passed, failed, unknown, outcomes, timesMs, duplicates } = reading;
  const told = passed + failed;
  const times = describeTimes(timesMs);
  return {
    ...{ role, name, sent, answered: passed, failed, unknown, outcomes, duplicates },
    ...(told > 0 && { lossPercent: percent(failed / told) }),
    ...(times && { times }),
    histogram: timeHistogram(timesMs),
    repeatedSyns: kind === 'tcp' ? repeatedSyns(timesMs) : [],
  };
}

function shareOf({ tried, unevenBecause }: ProbeSeen): ProbeReportShare | undefined {
  const [asked, ...backends] = tried.map(({ name, reading: { passed, failed } }) => ({
    name,
    sent: passed + failed,
    failed,
  }));
  const finding: ShareFinding | undefined = asked && backendShare(asked, backends, unevenBecause);
  if (!finding) return undefined;
  const { explains, expected, statement } = finding;
  return { explains, expectedPercent: percent(expected), statement };
}

/** What fails by itself, past the Service, is a failure as well: the Service sends there. */
function verdictOf(targets: readonly ProbeReportTarget[]): ProbeReport['verdict'] {
  if (targets.some(({ failed }) => failed > 0)) return 'failed';
  return targets.some(({ unknown, answered }) => unknown > 0 || answered === 0) ? 'unknown' : 'answered';
}

function summaryOf(asked: ProbeReportTarget, backends: readonly ProbeReportTarget[]): string {
  const { sent, answered, failed, lossPercent } = asked;
  const loss = lossPercent === undefined ? 'nothing is known of any' : `${lossPercent} % loss`;
  const bad = backends.filter((one) => one.failed > 0).length;
  const behind = bad > 0 ? `; of ${backends.length} backends by themselves, ${bad} failed at least once` : '';
  return `${answered} of ${sent} answered, ${failed} failed (${loss})${behind}`;
}

function findingsOf({ name, repeatedSyns: repeats, duplicates, times }: ProbeReportTarget): string[] {
  const after = repeats.map(({ aroundMs, count }) => `${count} after about ${aroundMs / 1_000} s`).join(', ');
  return [
    ...(after === ''
      ? []
      : [
          `${name}: of ${times!.count} that connected, ${after}: that is when the kernel sends a SYN again, so one or its answer was lost on the way or not taken by a full listen queue; loss, not latency`,
        ]),
    ...(duplicates > 0
      ? [`${name}: ${duplicates} more answers than requests that were answered: something on the way doubles packets`]
      : []),
  ];
}

function changeOf({ target, atMs, to, formerMs, statement }: ProbeSeen['changes'][number]): ProbeReportChange {
  return { target, at: new Date(atMs).toISOString(), to, formerMs, statement };
}

function percent(share: number): number {
  return Math.round(share * 10_000) / 100;
}
