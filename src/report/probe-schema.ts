import type { Times } from '../probe/describe-times.ts';
import type { SampleOutcome } from '../probe/probe-sample.ts';
import type { ProbeState } from '../probe/state-watch.ts';
import type { HistogramBin } from '../probe/time-histogram.ts';
import { INTEGER, type JsonSchema, listOf, MILLISECONDS, objectOf, oneOf, ref, WORDS } from './json-schema.ts';
import {
  PROBE_SCHEMA,
  type ProbeReport,
  type ProbeReportChange,
  type ProbeReportOutcome,
  type ProbeReportRepeat,
  type ProbeReportShare,
  type ProbeReportTarget,
} from './probe-report.ts';

/** The JSON Schema (draft 2020-12) of what `probe tcp` and `probe ping` print with `-o json`. */

const COUNTED: JsonSchema = { type: 'integer', minimum: 1 };
const PERCENT: JsonSchema = { type: 'number', minimum: 0, maximum: 100 };

const outcome = objectOf<ProbeReportOutcome>(
  {
    outcome: oneOf<SampleOutcome>({
      connected: true,
      refused: true,
      reset: true,
      'timed-out': true,
      unreachable: true,
      failed: true,
      answered: true,
      unanswered: true,
      'icmp-error': true,
      untold: true,
    }),
    count: COUNTED,
    statement: WORDS,
  },
  {},
);

const times = objectOf<Times>(
  {
    count: COUNTED,
    minMs: MILLISECONDS,
    avgMs: MILLISECONDS,
    maxMs: MILLISECONDS,
    stddevMs: MILLISECONDS,
    p50Ms: MILLISECONDS,
    p95Ms: MILLISECONDS,
    p99Ms: MILLISECONDS,
  },
  {},
);

const bin = objectOf<HistogramBin>({ fromMs: MILLISECONDS, toMs: MILLISECONDS, count: INTEGER }, {});
const repeat = objectOf<ProbeReportRepeat>({ aroundMs: MILLISECONDS, count: COUNTED }, {});

const target = objectOf<ProbeReportTarget>(
  {
    role: oneOf<ProbeReportTarget['role']>({ asked: true, backend: true }),
    name: WORDS,
    sent: INTEGER,
    answered: INTEGER,
    failed: INTEGER,
    unknown: INTEGER,
    lossPercent: PERCENT,
    outcomes: listOf(ref('probeOutcome')),
    times: ref('probeTimes'),
    histogram: listOf(ref('probeBin')),
    repeatedSyns: listOf(ref('probeRepeat')),
    duplicates: INTEGER,
  },
  { lossPercent: 'optional', times: 'optional' },
);

const change = objectOf<ProbeReportChange>(
  {
    target: WORDS,
    at: { type: 'string', pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}\\.\\d{3}Z$' },
    to: oneOf<ProbeState>({ answering: true, 'not-answering': true }),
    formerMs: MILLISECONDS,
    statement: WORDS,
  },
  {},
);

const share = objectOf<ProbeReportShare>(
  {
    explains: oneOf<ProbeReportShare['explains']>({ backend: true, way: true, none: true, unknown: true }),
    expectedPercent: PERCENT,
    statement: WORDS,
  },
  {},
);

const properties = objectOf<ProbeReport>(
  {
    schema: { const: PROBE_SCHEMA },
    kind: oneOf<ProbeReport['kind']>({ tcp: true, ping: true }),
    verdict: oneOf<ProbeReport['verdict']>({ answered: true, failed: true, unknown: true }),
    summary: WORDS,
    findings: listOf(WORDS),
    targets: { ...listOf(ref('probeTarget')), minItems: 1 },
    share: ref('probeShare'),
    changes: listOf(ref('probeChange')),
    changesLeftOut: INTEGER,
    intervalMs: MILLISECONDS,
    waitMs: MILLISECONDS,
    sourcePort: { type: 'integer', minimum: 1, maximum: 65_535 },
    target: objectOf<ProbeReport['target']>(
      { source: WORDS, destination: WORDS, flow: WORDS, notes: listOf(WORDS) },
      {},
    ),
    created: listOf(WORDS),
    durationMs: MILLISECONDS,
  },
  { share: 'optional', sourcePort: 'optional' },
);

export const probeSchema: JsonSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  $id: 'urn:podtriage:probe:v1',
  title: PROBE_SCHEMA,
  description:
    'What became of repeated connects or pings to a destination, and to each backend of a Service by itself.',
  ...properties,
  $defs: {
    probeOutcome: outcome,
    probeTimes: times,
    probeBin: bin,
    probeRepeat: repeat,
    probeTarget: target,
    probeChange: change,
    probeShare: share,
  },
};
