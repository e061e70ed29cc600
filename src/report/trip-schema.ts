import type { Request } from '../host/host.ts';
import type { BareHeader, EncryptedHeader, KeyedHeader, Meta, NumberedHeader, Packet } from '../net/packet.ts';
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
  BOOLEAN,
  INTEGER,
  type JsonSchema,
  listOf,
  NAMESPACE,
  objectOf,
  oneOf,
  ref,
  SCALAR,
  SCALARS,
  STRING,
  WORDS,
} from './json-schema.ts';

/** The schema of a walk there and back, as a report and a trace carry it. */

const PORT: JsonSchema = { anyOf: [{ type: 'integer', minimum: 0, maximum: 65535 }, { const: 'ephemeral' }] };
const SENDER_SEES: JsonSchema = { type: 'string', pattern: '^(reply|nothing|reset|error EINVAL|icmp [0-9]+/[0-9]+)$' };

export const TRUTH = oneOf<Truth>({ yes: true, no: true, unknown: true });

export const DISPOSITION = oneOf<Disposition>({
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
  'accept-queue-full': true,
  'reply-not-matched': true,
  'conntrack-refused': true,
  'tunnel-dropped': true,
  loop: true,
  'insufficient-information': true,
});

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

const tunnel: JsonSchema = {
  anyOf: [
    objectOf<NumberedHeader>({ kind: oneOf<NumberedHeader['kind']>({ vxlan: true, geneve: true }), vni: INTEGER }, {}),
    objectOf<BareHeader>({ kind: oneOf<BareHeader['kind']>({ ipip: true, sit: true, ip6tnl: true }) }, {}),
    objectOf<KeyedHeader>(
      { kind: oneOf<KeyedHeader['kind']>({ gre: true, gretap: true }), key: INTEGER },
      { key: 'optional' },
    ),
    objectOf<EncryptedHeader>({ kind: { const: 'wireguard' }, from: STRING, to: STRING }, {}),
  ],
};

const packet = objectOf<Packet>(
  {
    macs: objectOf<Macs>(
      {
        source: STRING,
        destination: STRING,
        vlan: INTEGER,
        vlanProtocol: { const: '802.1ad' },
        asked: { const: true },
      },
      { vlan: 'optional', vlanProtocol: 'optional', asked: 'optional' },
    ),
    ip: objectOf<Packet['ip']>(
      { source: WORDS, destination: WORDS, ttl: INTEGER, tos: INTEGER, df: BOOLEAN, fragmentOffset: INTEGER },
      { fragmentOffset: 'optional' },
    ),
    l4: ref('l4'),
    lengthBytes: INTEGER,
    inner: ref('packet'),
    tunnel,
    fragmentBytes: INTEGER,
    series: objectOf<NonNullable<Packet['series']>>({ count: INTEGER, lastBytes: INTEGER }, {}),
  },
  { macs: 'optional', inner: 'optional', tunnel: 'optional', fragmentBytes: 'optional', series: 'optional' },
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
        chosenFrom: objectOf<{ from: number; to: number }>({ from: INTEGER, to: INTEGER }, {}),
        chosenFor: STRING,
        flags: listOf(STRING),
        mss: INTEGER,
      },
      { chosenFrom: 'optional', chosenFor: 'optional', flags: 'optional', mss: 'optional' },
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
    zoneDirection: oneOf<NonNullable<Meta['zoneDirection']>>({ original: true, reply: true }),
    nat: listOf(oneOf<Meta['nat'][number]>({ source: true, destination: true })),
  },
  { zoneDirection: 'optional' },
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
    continues: { const: true },
  },
  { input: 'optional', output: 'optional', continues: 'optional' },
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

/** What `#/$defs/…` of a walk's schema refers to. */
export const tripDefinitions = {
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
};

/** Every way in which a walk can end; each is defined in docs/dispositions.md. */
export const dispositions = DISPOSITION['enum'] as readonly Disposition[];
