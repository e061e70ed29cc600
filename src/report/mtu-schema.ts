import { BOOLEAN, INTEGER, type JsonSchema, listOf, MILLISECONDS, objectOf, oneOf, ref, WORDS } from './json-schema.ts';
import type {
  MtuReport,
  MtuReportDevice,
  MtuReportLearnt,
  MtuReportReading,
  MtuReportSearch,
  MtuReportSize,
  MtuReportTooBig,
  MtuReportWay,
} from './mtu-report.ts';
import { PROBE_SCHEMA } from './probe-report.ts';

/** The JSON Schema (draft 2020-12) of what `probe mtu` prints with `-o json`. */

const BYTES: JsonSchema = { type: 'integer', minimum: 1 };

const READINGS: Readonly<Record<MtuReportReading, true>> = {
  whole: true,
  smaller: true,
  unanswered: true,
  unknown: true,
};

const size = objectOf<MtuReportSize>({ sizeBytes: BYTES, sent: INTEGER, answered: INTEGER }, {});

const search = objectOf<MtuReportSearch>(
  {
    by: oneOf<MtuReportSearch['by']>({ icmp: true, tcp: true }),
    reading: oneOf<MtuReportReading>(READINGS),
    mtuBytes: BYTES,
    statement: WORDS,
    sizes: listOf(ref('mtuSize')),
  },
  { mtuBytes: 'optional' },
);

const tooBig = objectOf<MtuReportTooBig>(
  { from: WORDS, name: WORDS, mtuBytes: BYTES },
  { name: 'optional', mtuBytes: 'optional' },
);

const device = objectOf<MtuReportDevice>(
  { place: WORDS, device: WORDS, mtuBytes: BYTES, carriesBytes: { type: 'integer' } },
  {},
);

const learnt = objectOf<MtuReportLearnt>(
  {
    mtuBytes: BYTES,
    expiresS: { type: 'integer' },
    since: oneOf<MtuReportLearnt['since']>({ before: true, probe: true }),
  },
  { expiresS: 'optional' },
);

const way = objectOf<MtuReportWay>(
  {
    direction: oneOf<MtuReportWay['direction']>({ there: true, back: true }),
    from: WORDS,
    to: WORDS,
    reading: oneOf<MtuReportWay['reading']>({ ...READINGS, unprobed: true }),
    sendingMtuBytes: BYTES,
    mtuBytes: BYTES,
    isTold: BOOLEAN,
    statement: WORDS,
    findings: listOf(WORDS),
    searches: listOf(ref('mtuSearch')),
    tooBig: listOf(ref('mtuTooBig')),
    devices: listOf(ref('mtuDevice')),
    mssBytes: BYTES,
    learnt: listOf(ref('mtuLearnt')),
  },
  { sendingMtuBytes: 'optional', mtuBytes: 'optional', isTold: 'optional', mssBytes: 'optional' },
);

const properties = objectOf<MtuReport>(
  {
    schema: { const: PROBE_SCHEMA },
    kind: { const: 'mtu' },
    verdict: oneOf<MtuReport['verdict']>({ answered: true, failed: true, unknown: true }),
    summary: WORDS,
    ways: { ...listOf(ref('mtuWay')), minItems: 2, maxItems: 2 },
    target: objectOf<MtuReport['target']>({ source: WORDS, destination: WORDS, flow: WORDS, notes: listOf(WORDS) }, {}),
    created: listOf(WORDS),
    durationMs: MILLISECONDS,
  },
  {},
);

export const mtuSchema: JsonSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  $id: 'urn:podtriage:probe-mtu:v1',
  title: PROBE_SCHEMA,
  description: 'The path MTU there and back, what limits it, and whether the sender is told.',
  ...properties,
  $defs: {
    mtuSize: size,
    mtuSearch: search,
    mtuTooBig: tooBig,
    mtuDevice: device,
    mtuLearnt: learnt,
    mtuWay: way,
  },
};
