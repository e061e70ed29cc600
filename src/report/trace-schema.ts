import {
  INTEGER,
  type JsonSchema,
  listOf,
  MILLISECONDS,
  NAMESPACE,
  objectOf,
  oneOf,
  ref,
  STRING,
  WORDS,
} from './json-schema.ts';
import type { ReportPlace } from './report.ts';
import { TRACE_SCHEMA, type TraceChange, type TraceEnd, type TraceReport, type TraceResult } from './trace-report.ts';
import { DISPOSITION, tripDefinitions } from './trip-schema.ts';

/** The JSON Schema (draft 2020-12) of what `simulate -o json` prints. */

const reportPlace = objectOf<ReportPlace>(
  { node: STRING, namespace: NAMESPACE, object: STRING },
  { object: 'optional' },
);

const traceEnd = objectOf<TraceEnd>(
  {
    leg: { type: 'string', pattern: '^(forward|reply-[0-9]+)$' },
    segment: INTEGER,
    chance: ref('chance'),
    disposition: DISPOSITION,
    fate: oneOf<TraceEnd['fate']>({ passed: true, lost: true, unknown: true }),
    place: ref('reportPlace'),
    text: WORDS,
  },
  {},
);

const VERDICT = oneOf<TraceResult['verdict']>({ delivered: true, lost: true, unknown: true });

const result = { verdict: VERDICT, summary: WORDS, ends: listOf(ref('traceEnd')), trip: ref('roundTrip') };
const traceResult = objectOf<TraceResult>(result, {});

const traceChange = objectOf<TraceChange>({ change: WORDS, place: ref('reportPlace') }, {});

const properties = objectOf<TraceReport>(
  {
    schema: { const: TRACE_SCHEMA },
    ...result,
    target: objectOf<TraceReport['target']>(
      { source: WORDS, destination: WORDS, flow: WORDS, notes: listOf(WORDS) },
      {},
    ),
    whatIf: objectOf<NonNullable<TraceReport['whatIf']>>(
      { changes: { ...listOf(ref('traceChange')), minItems: 1 }, before: ref('traceResult') },
      {},
    ),
    datapath: listOf(WORDS),
    created: listOf(WORDS),
    durationMs: MILLISECONDS,
  },
  { whatIf: 'optional' },
);

export const traceSchema: JsonSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  $id: 'urn:podtriage:trace:v1',
  title: TRACE_SCHEMA,
  description:
    'The walk of one packet there and back through the state of the nodes: every stage, rule, branch and end.',
  ...properties,
  $defs: { reportPlace, traceEnd, traceChange, traceResult, ...tripDefinitions },
};
