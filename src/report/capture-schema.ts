import type { AttemptOutcome } from '../capture/attempt.ts';
import {
  CAPTURE_SCHEMA,
  type CaptureFinding,
  type CaptureKernel,
  type CaptureKernelDrop,
  type CaptureReport,
  type CaptureReportAttempt,
  type CaptureReportLoss,
  type CaptureReportPacket,
  type CaptureReportPoint,
  type CaptureReportSighting,
  type CaptureReportStep,
  type CaptureRules,
  type CaptureRuleVerdict,
  type CaptureSection,
} from './capture-report.ts';
import {
  BOOLEAN,
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

/** The JSON Schema (draft 2020-12) of what `capture -o json` prints. */

const reportPlace = objectOf<ReportPlace>(
  { node: STRING, namespace: NAMESPACE, object: STRING },
  { object: 'optional' },
);

const OUTCOME = oneOf<AttemptOutcome>({
  answered: true,
  mismatched: true,
  stalled: true,
  refused: true,
  'icmp-error': true,
  'lost-there': true,
  'lost-back': true,
  unanswered: true,
  unknown: true,
});

const step = objectOf<CaptureReportStep>({ point: INTEGER, way: oneOf<'in' | 'out'>({ in: true, out: true }) }, {});

const loss = objectOf<CaptureReportLoss>(
  { after: ref('captureStep'), before: { ...listOf(ref('captureStep')), minItems: 1 } },
  {},
);

const point = objectOf<CaptureReportPoint>(
  { place: ref('reportPlace'), device: WORDS, filter: STRING, frames: INTEGER, isWhole: BOOLEAN, gap: WORDS },
  { gap: 'optional' },
);

const sighting = objectOf<CaptureReportSighting>(
  {
    point: INTEGER,
    atMs: { type: 'number' },
    source: WORDS,
    destination: WORDS,
    ttl: INTEGER,
    checksum: WORDS,
    tunnel: WORDS,
  },
  { tunnel: 'optional' },
);

const packet = objectOf<CaptureReportPacket>(
  {
    label: WORDS,
    leg: oneOf<CaptureReportPacket['leg']>({ there: true, back: true }),
    sending: { type: 'integer', minimum: 1 },
    fate: oneOf<CaptureReportPacket['fate']>({ arrived: true, left: true, lost: true, unknown: true }),
    loss: ref('captureLoss'),
    because: WORDS,
    seen: { ...listOf(ref('captureSighting')), minItems: 1 },
  },
  { loss: 'optional', because: 'optional' },
);

const attempt = objectOf<CaptureReportAttempt>({ outcome: OUTCOME, packets: listOf(ref('capturePacket')) }, {});

const finding = objectOf<CaptureFinding>(
  {
    outcome: OUTCOME,
    attempts: { type: 'integer', minimum: 1 },
    statement: WORDS,
    loss: ref('captureLoss'),
    between: WORDS,
  },
  { loss: 'optional', between: 'optional' },
);

const kernelDrop = objectOf<CaptureKernelDrop>(
  {
    place: ref('reportPlace'),
    device: WORDS,
    leg: oneOf<CaptureKernelDrop['leg']>({ there: true, back: true }),
    as: oneOf<CaptureKernelDrop['as']>({ itself: true, tunnelled: true, quoted: true }),
    reason: WORDS,
    function: WORDS,
    packets: { type: 'integer', minimum: 1 },
    isLoss: BOOLEAN,
    statement: WORDS,
  },
  { device: 'optional' },
);

const kernel = objectOf<CaptureKernel>(
  {
    nodes: listOf(
      objectOf<CaptureKernel['nodes'][number]>({ node: WORDS, isWhole: BOOLEAN, gap: WORDS }, { gap: 'optional' }),
    ),
    drops: listOf(ref('captureKernelDrop')),
  },
  {},
);

const ruleVerdict = objectOf<CaptureRuleVerdict>(
  {
    place: ref('reportPlace'),
    base: WORDS,
    chain: WORDS,
    by: WORDS,
    verdict: WORDS,
    leg: oneOf<CaptureRuleVerdict['leg']>({ there: true, back: true }),
    packets: { type: 'integer', minimum: 1 },
    statement: WORDS,
  },
  {},
);

const rules = objectOf<CaptureRules>(
  {
    places: listOf(
      objectOf<CaptureRules['places'][number]>(
        { place: ref('reportPlace'), isWhole: BOOLEAN, gap: WORDS },
        { gap: 'optional' },
      ),
    ),
    verdicts: listOf(ref('captureRuleVerdict')),
  },
  {},
);

const seen = {
  verdict: oneOf<CaptureReport['verdict']>({ answered: true, lost: true, refused: true, unknown: true }),
  summary: WORDS,
  findings: listOf(ref('captureFinding')),
  walk: objectOf<CaptureReport['walk']>(
    {
      statement: WORDS,
      agrees: oneOf<CaptureReport['walk']['agrees']>({ yes: true, no: true, unknown: true }),
    },
    {},
  ),
  points: listOf(ref('capturePoint')),
  attempts: listOf(ref('captureAttempt')),
  observations: listOf(WORDS),
  kernel: ref('captureKernel'),
  rules: ref('captureRules'),
};

/** Of a report of `diagnose`: one item of its `captures`. */
export const captureSection = objectOf<CaptureSection>(
  { flow: WORDS, ...seen },
  { kernel: 'optional', rules: 'optional' },
);
export const captureDefinitions = {
  captureStep: step,
  captureLoss: loss,
  capturePoint: point,
  captureSighting: sighting,
  capturePacket: packet,
  captureAttempt: attempt,
  captureFinding: finding,
  captureKernel: kernel,
  captureKernelDrop: kernelDrop,
  captureRules: rules,
  captureRuleVerdict: ruleVerdict,
};

const properties = objectOf<CaptureReport>(
  {
    schema: { const: CAPTURE_SCHEMA },
    ...seen,
    target: objectOf<CaptureReport['target']>(
      { source: WORDS, destination: WORDS, flow: WORDS, notes: listOf(WORDS) },
      {},
    ),
    created: listOf(WORDS),
    durationMs: MILLISECONDS,
  },
  { kernel: 'optional', rules: 'optional' },
);

export const captureSchema: JsonSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  $id: 'urn:podtriage:capture:v1',
  title: CAPTURE_SCHEMA,
  description:
    'What was seen of the same packets at every device on their way, and where those that are lost were seen last.',
  ...properties,
  $defs: { reportPlace, ...captureDefinitions },
};
