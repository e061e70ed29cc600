/**
 * Small cases for tests of the engine and of causes: values that look like a real run, without a host, a parser or a
 * walk. Say only what the test is about; everything else has a plain default (client `demo/client` 10.244.1.5 on w1,
 * server `demo/web` 10.244.2.7 on w2, TCP 8080, IPv4, a gate that models everything).
 *
 *   const snapshot = fakeSnapshot({
 *     facts: [
 *       ['sysctls', hostOf('w1'), {}, { 'net.ipv4.ip_forward': '0' }],
 *       ['routes', hostOf('w1'), { family: 4 }, routes, { complete: false }],   // seen, but not wholly
 *     ],
 *     gaps: [['links', hostOf('w2'), {}, 'timed-out', 'no answer within 10 s']],
 *   });
 *   const dying = leafTrace('forwarding-disabled', { place: hostOf('w1'), steps: [step({ kind: 'sysctl' })] });
 *   const given = buildCase({ snapshot, flows: [flow({ forward: dying, probe: probe('no', 'timed-out') })] });
 *   const finding = checkWith(ipForwardDisabled, given, hostOf('w1'));
 *
 * Facts are found by name, network namespace and arguments, as the engine asks them (fact-scope.ts): API objects at
 * CLUSTER with `{}`; routes, rules and iptables.legacy with `{ family }`; iptables.nft with `{ family, table: '' }`.
 * What is not listed is unseen, `not-asked`.
 *
 * `snapshot.with(changes)` answers a snapshot with the same facts that remembers its changes (`changesOf`), so that a
 * test's `walkAgain` can tell by them what the walk would find; `whenChanged` gives other facts instead.
 */
import type { Gap, Request } from '../../host/host.ts';
import type { Address, Family } from '../../net/address.ts';
import type { Meta, Packet } from '../../net/packet.ts';
import { CLUSTER, hostOf, type Place, placeKey, podPlace } from '../../net/place.ts';
import type { DatapathGate } from '../../simulate/datapath.ts';
import type { Disposition, Hop, LeafEnd, RoundTrip, SenderSees, Step, StepRef, Trace } from '../../simulate/trace.ts';
import type { FactArgs, FactName, Facts } from '../../snapshot/facts.ts';
import type { Observed, Snapshot, SnapshotChange, Source } from '../../snapshot/snapshot.ts';
import type { NameEndpoint, PodEndpoint, Question, ServiceEndpoint } from '../../target/question.ts';
import type { Cause, Finding, Known } from '../cause.ts';
import { type Case, checkCause, placesFor } from '../check.ts';
import type { Flow, FlowProbe } from '../derived.ts';
import type { Evidence } from '../evidence.ts';
import { clusterAddresses, leafHealth } from '../leaf-health.ts';
import { tripLeaves } from '../leaves.ts';

export const CLIENT: Address = '10.244.1.5';
export const SERVER: Address = '10.244.2.7';
export const CLIENT_PLACE: Place = podPlace('w1', 'demo', 'client');
export const SERVER_PLACE: Place = podPlace('w2', 'demo', 'web');

/** `[name, place, args, value]`, and where it was not seen wholly a fifth: `{ complete: false }` or `{ unparsed: […] }`. */
export type FakeFact = {
  readonly [K in FactName]: readonly [
    name: K,
    place: Place,
    args: FactArgs,
    value: Facts[K],
    how?: { readonly complete?: boolean; readonly unparsed?: readonly string[] },
  ];
}[FactName];

export interface FakeSnapshotInput {
  readonly facts?: readonly FakeFact[];
  /** What the second look after the probes saw. */
  readonly after?: readonly FakeFact[];
  readonly gaps?: readonly (readonly [FactName, Place, FactArgs, Gap, string])[];
  /** Nodes beside those that facts and gaps speak of. */
  readonly nodes?: readonly string[];
  /** The facts (and so on) that stand after these changes; by default the facts stay as they are. */
  readonly whenChanged?: (changes: readonly SnapshotChange[]) => FakeSnapshotInput;
}

/** A Snapshot over listed facts; see the top of this file. */
export function fakeSnapshot(input: FakeSnapshotInput = {}, changes: readonly SnapshotChange[] = []): Snapshot {
  const gaps = new Map((input.gaps ?? []).map((gap) => [keyOf(gap[0], gap[1], gap[2]), gap]));
  const places = [...(input.facts ?? []), ...(input.gaps ?? [])].map((one) => one[1]);
  const snapshot: Snapshot = {
    fact: (name, place, args = {}) => observed(name, place, args, input.facts ?? [], gaps, 1),
    after: (name, place, args = {}) => observed(name, place, args, input.after ?? [], new Map(), 1000),
    placesOf: (node) => [
      ...new Map(
        places
          .filter((place) => place.node === node)
          .map((place) => [placeKey(place), { node: place.node, namespace: place.namespace }]),
      ).values(),
    ],
    nodes: () => [
      ...new Set([...places.map((place) => place.node).filter((node) => node !== ''), ...(input.nodes ?? [])]),
    ],
    with: (more) => {
      const all = [...changes, ...more];
      return fakeSnapshot(input.whenChanged ? input.whenChanged(all) : input, all);
    },
  };
  CHANGES.set(snapshot, changes);
  return snapshot;
}

const CHANGES = new WeakMap<Snapshot, readonly SnapshotChange[]>();

/** The changes by which `with` made this fake snapshot; none for an original. */
export function changesOf(snapshot: Snapshot): readonly SnapshotChange[] {
  return CHANGES.get(snapshot) ?? [];
}

function observed<K extends FactName>(
  name: K,
  place: Place,
  args: FactArgs,
  facts: readonly FakeFact[],
  gaps: ReadonlyMap<string, readonly [FactName, Place, FactArgs, Gap, string]>,
  round: number,
): Observed<Facts[K]> {
  const key = keyOf(name, place, args);
  const request: Request = { action: name, place, args, round };
  const found = facts.find((fact) => keyOf(fact[0], fact[1], fact[2]) === key);
  if (found) {
    const how = found[4] ?? {};
    return {
      state: 'seen',
      value: found[3] as Facts[K],
      source: { request },
      complete: how.complete ?? true,
      unparsed: (how.unparsed ?? []).map((text): Source => ({ request, text })),
    };
  }
  const gap = gaps.get(key);
  return { state: 'unseen', gap: gap?.[3] ?? 'not-asked', detail: gap?.[4] ?? 'nobody asked', want: request };
}

function keyOf(name: string, place: Place, args: FactArgs): string {
  const sorted = Object.entries(args).sort(([a], [b]) => (a < b ? -1 : 1));
  return `${name}|${placeKey(place)}|${JSON.stringify(sorted)}`;
}

/** A source that names a fact; `line` and `text` are the very line of the reply. */
export function sourceOf(action: string, place: Place, line?: number, text?: string): Source {
  return {
    request: { action, place, args: {}, round: 1 },
    ...(line !== undefined && { line }),
    ...(text !== undefined && { text }),
  };
}

/** A SYN from client to server, unless told otherwise. */
export function packet(
  input: {
    readonly source?: Address;
    readonly destination?: Address;
    readonly l4?: Packet['l4'];
    readonly port?: number;
    readonly lengthBytes?: number;
    readonly df?: boolean;
  } = {},
): Packet {
  return {
    ip: {
      source: input.source ?? CLIENT,
      destination: input.destination ?? SERVER,
      ttl: 64,
      tos: 0,
      df: input.df ?? true,
    },
    l4: input.l4 ?? {
      protocol: 'tcp',
      sourcePort: 'ephemeral',
      destinationPort: input.port ?? 8080,
      flags: ['syn'],
      mss: 1410,
    },
    lengthBytes: input.lengthBytes ?? 60,
  };
}

export const NEW_META: Meta = { mark: 0, connmark: 0, conntrack: 'new', zone: 0, nat: [] };

/** One step of a hop; a route lookup in table main unless told otherwise. */
export function step(input: Partial<Step> = {}): Step {
  const kind = input.kind ?? 'route';
  return {
    kind,
    at: kind === 'route' ? 'route main' : kind,
    matched: 'yes',
    source: sourceOf('routes', hostOf('w1')),
    values: {},
    text: `${kind} step`,
    changes: [],
    features: [],
    ...input,
  };
}

export function hop(place: Place, steps: readonly Step[] = [], more: Partial<Hop> = {}): Hop {
  return { place, packet: packet(), meta: NEW_META, steps, ...more };
}

export interface LeafInput {
  /** Where the walk ends: the server's place for a delivery, otherwise the host of w1. */
  readonly place?: Place;
  /** Steps of the last hop; the end stands at the last of them. */
  readonly steps?: readonly Step[];
  /** Hops before the last one: by default the client's own namespace (none where the end is there). */
  readonly before?: readonly Hop[];
  readonly input?: string;
  readonly output?: string;
  readonly packet?: Packet;
  readonly meta?: Meta;
  readonly senderSees?: SenderSees;
  readonly because?: string;
  readonly wants?: readonly Request[];
}

/** A walk without forks that ends so; its one segment is number 0. */
export function leafTrace(end: Disposition, input: LeafInput = {}): Trace {
  const place = input.place ?? (end === 'delivered' ? SERVER_PLACE : hostOf('w1'));
  const last = hop(place, input.steps ?? [], {
    packet: input.packet ?? packet(),
    meta: input.meta ?? NEW_META,
    ...(input.input !== undefined && { input: input.input }),
    ...(input.output !== undefined && { output: input.output }),
  });
  const isAtClient = placeKey(place) === placeKey(CLIENT_PLACE);
  const before = input.before ?? (isAtClient ? [] : [hop(CLIENT_PLACE)]);
  const hops = [...before, last];
  const at: StepRef = { segment: 0, hop: hops.length - 1, step: Math.max(0, last.steps.length - 1) };
  const then = leafEnd(end, { ...input, place, at });
  return {
    packet: input.packet ?? packet(),
    from: hops[0]!.place,
    segments: [{ hops, then }],
    unwalked: 0,
  };
}

/** The end of a walk by itself, for traces with forks that a test writes out. */
export function leafEnd(end: Disposition, input: LeafInput & { readonly at?: StepRef } = {}): LeafEnd {
  return {
    end,
    at: input.at ?? { segment: 0, hop: 0, step: 0 },
    packet: input.packet ?? packet(),
    meta: input.meta ?? NEW_META,
    place: input.place ?? hostOf('w1'),
    senderSees: input.senderSees ?? (end === 'delivered' ? 'reply' : 'nothing'),
    wants: input.wants ?? [],
    ...(input.because !== undefined && { because: input.because }),
  };
}

export const OPEN_GATE: DatapathGate = { parts: [], podAddressesRoutable: 'no' };

const CLIENT_AND_SERVER = fakeSnapshot({
  facts: [
    [
      'api.pods',
      CLUSTER,
      {},
      [CLIENT, SERVER].map((ip) => ({
        metadata: { name: ip },
        spec: { containers: [] },
        status: { podIPs: [{ ip }] },
      })),
    ],
    ['api.nodes', CLUSTER, {}, []],
    ['api.services', CLUSTER, {}, []],
  ],
});

export interface FlowInput {
  readonly id?: string;
  readonly purpose?: Flow['purpose'];
  /** null: from outside the cluster. */
  readonly from?: Place | null;
  readonly source?: Address;
  readonly destination?: Address;
  readonly protocol?: Flow['protocol'];
  readonly port?: number;
  /** By default delivered. */
  readonly forward?: Trace;
  /** By default every delivered forward end gets a delivered reply. */
  readonly replies?: RoundTrip['replies'];
  readonly probe?: FlowProbe;
  /** Whose addresses tell whether a packet that left the cluster was lost; by default the client and the server are all of it. */
  readonly snapshot?: Snapshot;
  readonly gate?: DatapathGate;
}

/** A flow with its leaves, the dead and the unknown ones told apart as on the road (leaf-health.ts). */
export function flow(input: FlowInput = {}): Flow {
  const id = input.id ?? input.purpose ?? 'main';
  const forward = input.forward ?? leafTrace('delivered');
  const trip: RoundTrip = { forward, replies: input.replies ?? deliveredReplies(forward) };
  const leaves = tripLeaves(trip, id);
  const addresses = clusterAddresses(input.snapshot ?? CLIENT_AND_SERVER);
  const health = (leaf: (typeof leaves)[number]) => leafHealth(leaf, addresses, input.gate ?? OPEN_GATE);
  const protocol = input.protocol ?? (id === 'icmp' ? 'icmp' : 'tcp');
  return {
    id,
    purpose: input.purpose ?? (id.split('/')[0] as Flow['purpose']),
    ...(input.from !== null && { from: input.from ?? CLIENT_PLACE }),
    source: input.source ?? CLIENT,
    destination: input.destination ?? SERVER,
    protocol,
    ...(protocol !== 'icmp' && { port: input.port ?? 8080 }),
    trip,
    leaves,
    dead: leaves.filter((leaf) => health(leaf) === 'dead'),
    unknown: leaves.filter((leaf) => health(leaf) === 'unknown'),
    ...(input.probe && { probe: input.probe }),
  };
}

function deliveredReplies(forward: Trace): RoundTrip['replies'] {
  return forward.segments.flatMap((segment, leaf) => {
    if (!('end' in segment.then) || segment.then.end !== 'delivered') return [];
    const back = packet({ source: SERVER, destination: CLIENT });
    return [
      { leaf, trace: leafTrace('delivered', { place: CLIENT_PLACE, packet: back, before: [hop(SERVER_PLACE)] }) },
    ];
  });
}

/** What a live probe of a flow saw. */
export function probe(
  passed: FlowProbe['passed'],
  outcome: string,
  statement = `connect to ${SERVER}:8080: ${outcome}`,
): FlowProbe {
  return {
    passed,
    outcome,
    statement,
    evidence: evidence({ kind: 'tcp-probe', plane: 'probe', place: CLIENT_PLACE, statement }),
  };
}

/** One thing that was seen; of the walk unless told otherwise. */
export function evidence(input: Partial<Evidence> = {}): Evidence {
  const place = input.place ?? hostOf('w1');
  return {
    kind: 'route',
    plane: 'walk',
    place,
    source: sourceOf('routes', place),
    values: {},
    statement: 'a thing that was seen',
    ...input,
  };
}

export const CLIENT_END: PodEndpoint = {
  kind: 'pod',
  namespace: 'demo',
  name: 'client',
  node: 'w1',
  place: CLIENT_PLACE,
  addresses: [CLIENT],
  hostNetwork: false,
};

export const SERVER_END: PodEndpoint = {
  kind: 'pod',
  namespace: 'demo',
  name: 'web',
  node: 'w2',
  place: SERVER_PLACE,
  addresses: [SERVER],
  hostNetwork: false,
};

export const SERVICE_END: ServiceEndpoint = {
  kind: 'service',
  namespace: 'demo',
  name: 'web',
  type: 'ClusterIP',
  addresses: ['10.96.12.34'],
  headless: false,
  port: { name: 'http', port: 80, targetPort: 8080, protocol: 'TCP' },
  portAsked: '80',
};

export const NAME_END: NameEndpoint = { kind: 'name', host: 'web.demo.svc.cluster.local' };

/** `pod/demo/client` to `pod/demo/web:8080` by TCP over IPv4, unless told otherwise. */
export function question(input: Partial<Question> = {}): Question {
  const family: Family = 4;
  const protocol = input.protocol ?? 'tcp';
  return {
    source: CLIENT_END,
    destination: SERVER_END,
    protocol,
    ...(protocol !== 'icmp' && { port: 8080 }),
    family,
    asked: { source: 'pod/demo/client', destination: 'pod/demo/web:8080' },
    notes: [],
    ...input,
  };
}

/** What the engine and the causes work on. By default one healthy main flow, nothing collected. */
export function buildCase(input: Partial<Case> = {}): Case {
  return {
    snapshot: input.snapshot ?? fakeSnapshot(),
    question: input.question ?? question(),
    flows: input.flows ?? [flow()],
    gate: input.gate ?? OPEN_GATE,
  };
}

/**
 * What one cause finds at one place, needs read by the engine as on the road. Without `place` the cause must be about
 * exactly one place of the case.
 */
export function checkWith<N extends keyof Known, O extends keyof Known>(
  cause: Cause<N, O>,
  given: Case,
  place?: Place,
): Finding {
  const all = checkCause(cause as unknown as Cause, given);
  const known = placesFor(cause.at, given).map(nameOf).join(', ');
  const wanted = place ?? (cause.at === 'question' ? CLUSTER : undefined);
  const found = wanted ? all.filter((one) => nameOf(one.place) === nameOf(wanted)) : all;
  if (found.length !== 1)
    throw new Error(
      `${cause.id} is checked at ${known || 'no place'}; the test asks for ${wanted ? nameOf(wanted) : 'the only one'}`,
    );
  return found[0]!.finding;
}

function nameOf(place: Place): string {
  return `${placeKey(place)}${place.object ? ` ${place.object}` : ''}`;
}
