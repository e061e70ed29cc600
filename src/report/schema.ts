import type { ClassId } from '../diagnose/cause.ts';
import type { Confidence, Evidence } from '../diagnose/evidence.ts';
import type { WorkflowStep } from '../diagnose/symptom.ts';
import { captureDefinitions, captureSection } from './capture-schema.ts';
import {
  INTEGER,
  type JsonSchema,
  listOf,
  MILLISECONDS,
  NAMESPACE,
  objectOf,
  oneOf,
  ref,
  SCALARS,
  STRING,
  WORDS,
} from './json-schema.ts';
import {
  REPORT_SCHEMA,
  type Report,
  type ReportCause,
  type ReportEvidence,
  type ReportPlace,
  type ReportProbe,
  type ReportUnexplained,
} from './report.ts';
import { DISPOSITION, TRUTH, tripDefinitions } from './trip-schema.ts';

/** The JSON Schema (draft 2020-12) of what `diagnose -o json` prints. */

const CLASS = oneOf<ClassId>({
  'network-unreachable': true,
  'port-unreachable': true,
  'dns-failure': true,
  'large-packet-loss': true,
  'cni-fault': true,
  intermittent: true,
  latency: true,
});

const reportPlace = objectOf<ReportPlace>(
  { node: STRING, namespace: NAMESPACE, object: STRING },
  { object: 'optional' },
);

const reportEvidence = objectOf<ReportEvidence>(
  {
    kind: WORDS,
    plane: oneOf<Evidence['plane']>({ state: true, walk: true, probe: true, capture: true, kernel: true }),
    place: ref('reportPlace'),
    source: WORDS,
    line: INTEGER,
    text: STRING,
    statement: WORDS,
    values: SCALARS,
  },
  { line: 'optional', text: 'optional' },
);

const reportCause = objectOf<ReportCause>(
  {
    id: { type: 'string', pattern: '^[a-z0-9]+(-[a-z0-9]+)*$' },
    class: CLASS,
    confidence: oneOf<Confidence>({ proven: true, observed: true, predicted: true, suspected: true }),
    gravity: oneOf<ReportCause['gravity']>({ fault: true, 'by-design': true, risk: true }),
    title: WORDS,
    behind: { const: true },
    place: ref('reportPlace'),
    evidence: { ...listOf(ref('reportEvidence')), minItems: 1 },
    counterfactual: objectOf<NonNullable<ReportCause['counterfactual']>>({ change: WORDS, disposition: WORDS }, {}),
    fix: objectOf<ReportCause['fix']>({ summary: WORDS, commands: listOf(STRING) }, {}),
    explains: listOf(ref('reportCause')),
  },
  { behind: 'optional', counterfactual: 'optional' },
);

type IdAndReason = Report['ruledOut'][number];
const idsWithReasons = listOf(objectOf<IdAndReason>({ id: WORDS, because: WORDS }, {}));

const properties = objectOf<Report>(
  {
    schema: { const: REPORT_SCHEMA },
    verdict: oneOf<Report['verdict']>({ fault: true, healthy: true, inconclusive: true }),
    class: { anyOf: [CLASS, { type: 'null' }] },
    summary: WORDS,
    target: objectOf<Report['target']>({ source: WORDS, destination: WORDS, flow: WORDS, notes: listOf(WORDS) }, {}),
    causes: listOf(ref('reportCause')),
    unexplained: listOf(
      objectOf<ReportUnexplained>(
        {
          disposition: DISPOSITION,
          flow: WORDS,
          place: ref('reportPlace'),
          at: STRING,
          text: STRING,
          chance: ref('chance'),
        },
        {},
      ),
    ),
    disagreements: listOf(WORDS),
    ruledOut: idsWithReasons,
    notChecked: idsWithReasons,
    paths: listOf(objectOf<Report['paths'][number]>({ flow: WORDS, description: WORDS, trip: ref('roundTrip') }, {})),
    probes: listOf(
      objectOf<ReportProbe>(
        {
          id: WORDS,
          from: ref('reportPlace'),
          to: WORDS,
          outcome: WORDS,
          latencyMs: MILLISECONDS,
          statement: WORDS,
        },
        { latencyMs: 'optional' },
      ),
    ),
    captures: listOf(captureSection),
    moved: listOf(
      objectOf<Report['moved'][number]>(
        { place: ref('reportPlace'), counter: WORDS, rose: { type: 'integer', minimum: 1 } },
        {},
      ),
    ),
    workflow: listOf(objectOf<WorkflowStep>({ step: WORDS, question: WORDS, answer: TRUTH, because: WORDS }, {})),
    datapath: listOf(WORDS),
    created: listOf(WORDS),
    timings: { type: 'object', additionalProperties: MILLISECONDS },
    durationMs: MILLISECONDS,
  },
  {},
);

export const reportSchema: JsonSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  $id: 'urn:podtriage:report:v1',
  title: REPORT_SCHEMA,
  description:
    'What podtriage found on one question: verdict, root causes with their proof and fix, and the paths walked.',
  ...properties,
  $defs: {
    reportPlace,
    reportEvidence,
    reportCause,
    ...tripDefinitions,
    ...captureDefinitions,
  },
};
