import type { ClassId } from '../diagnose/cause.ts';
import type { Confidence, Evidence } from '../diagnose/evidence.ts';
import type { WorkflowStep } from '../diagnose/symptom.ts';
import type { Request } from '../host/host.ts';
import type { Meta, Packet } from '../net/packet.ts';
import type { Place } from '../net/place.ts';
import type {
  Chance,
  Disposition,
  Fork,
  Hop,
  LeafEnd,
  RoundTrip,
  Segment,
  Step,
  StepRef,
  Trace,
  Truth,
} from '../simulate/trace.ts';
import type { Source } from '../snapshot/snapshot.ts';
import {
  REPORT_SCHEMA,
  type Report,
  type ReportCause,
  type ReportEvidence,
  type ReportPlace,
  type ReportProbe,
  type ReportUnexplained,
} from './report.ts';

/**
 * The JSON Schema (draft 2020-12) of what `-o json` prints. It is written along the types, so that a field that is added
 * to, or taken from, a type does not compile until the schema has followed: `objectOf<T>` wants every key of T, and
 * `oneOf<T>` every member of a union of strings.
 */

/** A JSON Schema, as plain data. */
export type JsonSchema = { readonly [keyword: string]: unknown };

type OptionalKeys<T> = { [K in keyof T]-?: object extends Pick<T, K> ? K : never }[keyof T];

/** A closed object: exactly the keys of T, required unless T has them optional. */
function objectOf<T>(
  properties: { readonly [K in keyof T]-?: JsonSchema },
  optional: { readonly [K in OptionalKeys<T>]: 'optional' },
): JsonSchema {
  const required = Object.keys(properties).filter((key) => !(key in optional));
  return { type: 'object', additionalProperties: false, required, properties };
}

function oneOf<T extends string>(members: Readonly<Record<T, true>>): JsonSchema {
  return { type: 'string', enum: Object.keys(members) };
}

function listOf(items: JsonSchema): JsonSchema {
  return { type: 'array', items };
}

function ref(name: string): JsonSchema {
  return { $ref: `#/$defs/${name}` };
}

const STRING: JsonSchema = { type: 'string' };
const WORDS: JsonSchema = { type: 'string', minLength: 1 };
const INTEGER: JsonSchema = { type: 'integer', minimum: 0 };
const MILLISECONDS: JsonSchema = { type: 'number', minimum: 0 };
const BOOLEAN: JsonSchema = { type: 'boolean' };
const SCALAR: JsonSchema = { type: ['string', 'number', 'boolean', 'null'] };
const SCALARS: JsonSchema = { type: 'object', additionalProperties: SCALAR };
const NAMESPACE: JsonSchema = { type: 'string', pattern: '^(host|pod/[^/]+/[^/]+)$' };
const PORT: JsonSchema = { anyOf: [{ type: 'integer', minimum: 0, maximum: 65535 }, { const: 'ephemeral' }] };
const SENDER_SEES: JsonSchema = { type: 'string', pattern: '^(reply|nothing|reset|icmp [0-9]+/[0-9]+)$' };

const CLASS = oneOf<ClassId>({
  'network-unreachable': true,
  'port-unreachable': true,
  'dns-failure': true,
  'large-packet-loss': true,
  'cni-fault': true,
  intermittent: true,
  latency: true,
});

const TRUTH = oneOf<Truth>({ yes: true, no: true, unknown: true });

const DISPOSITION = oneOf<Disposition>({
  delivered: true,
  'left-the-cluster': true,
  'handed-to-userspace': true,
  'dropped-by-rule': true,
  'rejected-by-rule': true,
  'no-route': true,
  'route-unreachable': true,
  'reverse-path-filtered': true,
  martian: true,
  'forwarding-disabled': true,
  'neighbour-unresolved': true,
  'not-for-this-mac': true,
  'bridge-blocked': true,
  'link-down': true,
  'packet-too-big': true,
  'ttl-exceeded': true,
  'no-listener': true,
  'reply-not-matched': true,
  'conntrack-refused': true,
  'tunnel-dropped': true,
  loop: true,
  'insufficient-information': true,
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

const place = objectOf<Place>(
  { node: STRING, namespace: NAMESPACE, device: STRING, object: STRING },
  { device: 'optional', object: 'optional' },
);

const request = objectOf<Request>(
  { action: WORDS, place: ref('place'), args: SCALARS, round: INTEGER, podUid: STRING },
  { podUid: 'optional' },
);

const source = objectOf<Source>(
  { request: ref('request'), line: INTEGER, text: STRING },
  { line: 'optional', text: 'optional' },
);

type Macs = NonNullable<Packet['macs']>;

const packet = objectOf<Packet>(
  {
    macs: objectOf<Macs>({ source: STRING, destination: STRING, vlan: INTEGER }, { vlan: 'optional' }),
    ip: objectOf<Packet['ip']>(
      { source: WORDS, destination: WORDS, ttl: INTEGER, tos: INTEGER, df: BOOLEAN, fragmentOffset: INTEGER },
      { fragmentOffset: 'optional' },
    ),
    l4: ref('l4'),
    lengthBytes: INTEGER,
    inner: ref('packet'),
    tunnel: objectOf<NonNullable<Packet['tunnel']>>({ kind: { const: 'vxlan' }, vni: INTEGER }, {}),
  },
  { macs: 'optional', inner: 'optional', tunnel: 'optional' },
);

type WithPorts = Extract<Packet['l4'], { sourcePort: unknown }>;
type Icmp = Extract<Packet['l4'], { code: number }>;

const l4: JsonSchema = {
  anyOf: [
    objectOf<WithPorts>(
      {
        protocol: oneOf<WithPorts['protocol']>({ tcp: true, udp: true, sctp: true }),
        sourcePort: PORT,
        destinationPort: PORT,
        flags: listOf(STRING),
        mss: INTEGER,
      },
      { flags: 'optional', mss: 'optional' },
    ),
    objectOf<Icmp>(
      {
        protocol: oneOf<Icmp['protocol']>({ icmp: true, icmpv6: true }),
        type: INTEGER,
        code: INTEGER,
        id: INTEGER,
        about: ref('packet'),
      },
      { id: 'optional', about: 'optional' },
    ),
    objectOf<{ protocol: number }>({ protocol: INTEGER }, {}),
  ],
};

const meta = objectOf<Meta>(
  {
    mark: INTEGER,
    connmark: INTEGER,
    conntrack: oneOf<Meta['conntrack']>({
      new: true,
      established: true,
      related: true,
      invalid: true,
      untracked: true,
      none: true,
    }),
    zone: INTEGER,
    nat: listOf(oneOf<Meta['nat'][number]>({ source: true, destination: true })),
  },
  {},
);

const step = objectOf<Step>(
  {
    kind: oneOf<Step['kind']>({
      rule: true,
      policy: true,
      route: true,
      neighbour: true,
      bridge: true,
      tunnel: true,
      conntrack: true,
      nat: true,
      mtu: true,
      socket: true,
      filter: true,
      sysctl: true,
      link: true,
    }),
    at: STRING,
    matched: TRUTH,
    source: ref('source'),
    values: SCALARS,
    text: STRING,
    owner: objectOf<NonNullable<Step['owner']>>({ by: STRING, purpose: STRING }, {}),
    changes: listOf(objectOf<Step['changes'][number]>({ field: STRING, from: SCALAR, to: SCALAR }, {})),
    features: listOf(STRING),
  },
  { owner: 'optional' },
);

const hop = objectOf<Hop>(
  {
    place: ref('place'),
    input: STRING,
    output: STRING,
    packet: ref('packet'),
    meta: ref('meta'),
    steps: listOf(ref('step')),
  },
  { input: 'optional', output: 'optional' },
);

const stepRef = objectOf<StepRef>({ segment: INTEGER, hop: INTEGER, step: INTEGER }, {});

const chance = objectOf<Chance>(
  { min: { type: 'number', minimum: 0, maximum: 1 }, max: { type: 'number', minimum: 0, maximum: 1 } },
  {},
);

const leafEnd = objectOf<LeafEnd>(
  {
    end: DISPOSITION,
    at: ref('stepRef'),
    packet: ref('packet'),
    meta: ref('meta'),
    place: ref('place'),
    senderSees: SENDER_SEES,
    because: STRING,
    wants: listOf(ref('request')),
    errorPacket: ref('packet'),
    errorTrace: ref('trace'),
  },
  { because: 'optional', errorPacket: 'optional', errorTrace: 'optional' },
);

const fork = objectOf<Fork>(
  {
    fork: oneOf<Fork['fork']>({ random: true, multipath: true, undecided: true }),
    at: ref('stepRef'),
    to: listOf(objectOf<Fork['to'][number]>({ segment: INTEGER, chance: ref('chance') }, {})),
  },
  {},
);

const then: JsonSchema = { anyOf: [ref('leafEnd'), ref('fork')] };

const trace = objectOf<Trace>(
  {
    packet: ref('packet'),
    from: ref('place'),
    segments: listOf(objectOf<Segment>({ hops: listOf(ref('hop')), then }, {})),
    unwalked: INTEGER,
  },
  {},
);

const roundTrip = objectOf<RoundTrip>(
  {
    forward: ref('trace'),
    replies: listOf(objectOf<RoundTrip['replies'][number]>({ leaf: INTEGER, trace: ref('trace') }, {})),
  },
  {},
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
    captures: { type: 'array', maxItems: 0 },
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
    place,
    request,
    source,
    packet,
    l4,
    meta,
    step,
    hop,
    stepRef,
    chance,
    leafEnd,
    fork,
    trace,
    roundTrip,
  },
};

/** Every way in which a walk can end; each is defined in docs/dispositions.md. */
export const dispositions = DISPOSITION['enum'] as readonly Disposition[];
