/**
 * Cases for causes' tests over a real, healthy cluster, recorded: flannel VXLAN, kube-proxy in iptables mode. A test says
 * what is broken, as a change of the snapshot or as what a tool would then print; the walks are real ones, so that steps
 * and their values are what causes meet on the road.
 *
 *   const given = recordedCase({ changes: [policy(W1, 'FORWARD', 'drop')], probes: { main: probe('no', 'timed-out') } });
 *   checkWith(forwardPolicyDrop, given, W1);
 *   namedOn(given);   // what the engine makes of it with all the causes there are
 */
import { readFileSync } from 'node:fs';
import { datapathGate } from '../../cni/gate.ts';
import type { Case } from '../../diagnose/check.ts';
import type { Flow, FlowProbe } from '../../diagnose/derived.ts';
import { type Diagnosis, diagnose } from '../../diagnose/engine.ts';
import { clusterAddresses, leafHealth } from '../../diagnose/leaf-health.ts';
import { tripLeaves } from '../../diagnose/leaves.ts';
import type { Named } from '../../diagnose/named.ts';
import { AFTER_PROBES, type Reply } from '../../host/host.ts';
import type { Address } from '../../net/address.ts';
import type { L4 } from '../../net/packet.ts';
import { CLUSTER, hostOf, type Place, placeKey, podPlace } from '../../net/place.ts';
import type { DatapathGate } from '../../simulate/datapath.ts';
import { simulateRoundTrip } from '../../simulate/simulate-round-trip.ts';
import { buildPacket, ECHO, tcpSyn } from '../../simulate/testing/build-hook-input.ts';
import { type Edit, parseRecording } from '../../simulate/testing/recording.ts';
import { createSnapshot } from '../../snapshot/create-snapshot.ts';
import type { FactArgs, FactName } from '../../snapshot/facts.ts';
import type { Snapshot, SnapshotChange } from '../../snapshot/snapshot.ts';
import type { Endpoint, PodEndpoint, Question } from '../../target/question.ts';
import { causes } from '../index.ts';

const RECORDING = parseRecording(
  readFileSync(new URL('../../simulate/fixtures/flannel-vxlan.json', import.meta.url), 'utf8'),
);

/** The recording was made before ConfigMaps were read: what `kubectl get configmap kube-flannel-cfg` said there. */
const FLANNEL_CONFIGURATION: Answer = [
  'api.configmaps',
  CLUSTER,
  { namespace: 'kube-flannel' },
  JSON.stringify({
    kind: 'ConfigMapList',
    items: [
      {
        metadata: { name: 'kube-flannel-cfg', namespace: 'kube-flannel' },
        data: {
          'net-conf.json': '{ "Network": "10.244.0.0/16", "EnableNFTables": false, "Backend": { "Type": "vxlan" } }',
        },
      },
    ],
  }),
];

export const W1 = hostOf('w1');
export const W2 = hostOf('w2');
export const W1_IP: Address = '10.79.0.11';
export const W2_IP: Address = '10.79.0.12';
/** The pod that asks, on w1. */
export const CLIENT: Place = podPlace('w1', 'demo', 'client-tf545');
export const CLIENT_IP: Address = '10.244.0.4';
export const CLIENT_VETH = 'vethb8e68d63';
/** The pod that is asked, on w2, and one beside the client. */
export const WEB: Place = podPlace('w2', 'demo', 'web-2ql6z');
export const WEB_IP: Address = '10.244.1.3';
export const WEB_VETH = 'vetheccf066d';
export const NEAR_WEB: Place = podPlace('w1', 'demo', 'web-8tx4m');
export const NEAR_WEB_IP: Address = '10.244.0.3';
export const SERVICE_IP: Address = '10.96.218.39';
export const OUTSIDE_IP: Address = '10.79.0.254';

export const VXLAN_MAC = { w1: 'd2:7a:6b:c6:dc:7d', w2: '76:da:b1:5b:19:df' } as const;

/** One flow; by default the question's own, from the client's pod to the web server's on the other node. */
export interface Ask {
  readonly id?: string;
  readonly purpose?: Flow['purpose'];
  readonly from?: Place | { readonly outside: Address };
  readonly source?: Address;
  readonly to?: Address;
  readonly l4?: L4;
  readonly lengthBytes?: number;
}

export const PING: Ask = { id: 'icmp', l4: ECHO };

/** `[fact, place, arguments, what the tool prints]` */
export type Answer = readonly [name: FactName, place: Place, args: FactArgs, text: string];

export interface RecordedInput {
  /** Made on the parsed state. */
  readonly changes?: readonly SnapshotChange[];
  /** What a tool prints instead, from what it printed. */
  readonly edits?: readonly Edit[];
  /** Answers that the recording does not have, or instead of its own. */
  readonly answers?: readonly Answer[];
  /** The second look after the probes. */
  readonly after?: readonly Answer[];
  /** Facts that are not there; without names all of the place. */
  readonly without?: readonly (readonly [place: Place, names?: readonly FactName[]])[];
  readonly asks?: readonly Ask[];
  /** By the flow's id. */
  readonly probes?: Readonly<Record<string, FlowProbe>>;
  readonly gate?: Partial<DatapathGate>;
  readonly question?: Partial<Question>;
}

/** Parsed once for all tests that change nothing but the parsed state. */
const HEALTHY = snapshotOfReplies({});
const GIVEN = new WeakMap<Case, RecordedInput>();

export function recordedCase(input: RecordedInput = {}): Case {
  const snapshot = snapshotFor(input);
  const gate = { ...datapathGate(snapshot), ...input.gate };
  const given: Case = { snapshot, gate, question: questionOf(input), flows: walked(snapshot, gate, input, true) };
  GIVEN.set(given, input);
  return given;
}

/** The case with every walk made anew on its snapshot; the counterfactual's walks have no probes. */
export function walkAgain(given: Case): (snapshot: Snapshot) => readonly Flow[] {
  const input = GIVEN.get(given) ?? {};
  return (snapshot) => walked(snapshot, given.gate, input, false);
}

export function diagnosisOf(given: Case): Diagnosis {
  return diagnose(given, causes, walkAgain(given));
}

/** The faults that the engine names, each with what is nested under it: `link-down > pod-cidr-route-missing`. */
export function namedOn(given: Case): string[] {
  const words = (named: Named): string => [named.cause.id, ...named.explains.map(words)].join(' > ');
  return diagnosisOf(given)
    .causes.filter((named) => named.cause.gravity === 'fault' && !named.behind)
    .map(words);
}

function snapshotFor(input: RecordedInput): Snapshot {
  const { edits, answers, after, without, changes = [] } = input;
  const base = edits || answers || after || without ? snapshotOfReplies(input) : HEALTHY;
  return changes.length > 0 ? base.with(changes) : base;
}

function snapshotOfReplies({ edits = [], answers = [], after = [], without = [] }: RecordedInput): Snapshot {
  const isGone = ({ request }: Reply): boolean =>
    without.some(
      ([place, names]) =>
        placeKey(request.place) === placeKey(place) && (names?.includes(request.action as FactName) ?? true),
    );
  const isReplaced = (reply: Reply): boolean => answers.some(([name, place]) => isOf(reply, name, place));
  const kept = RECORDING.filter((reply) => !isGone(reply) && !isReplaced(reply)).map((reply) => edited(reply, edits));
  const unused = edits.filter(([name, place]) => !kept.some((reply) => isOf(reply, name, place)));
  if (unused.length > 0) throw new Error(`nothing to edit: ${unused.map(([name]) => name).join(', ')}`);
  const more = [
    ...[FLANNEL_CONFIGURATION, ...answers].map((one) => replyOf(one, 0)),
    ...after.map((one) => replyOf(one, AFTER_PROBES)),
  ];
  return createSnapshot([...kept, ...more]);
}

function isOf(reply: Reply, name: string, place: Place): boolean {
  return reply.request.action === name && placeKey(reply.request.place) === placeKey(place);
}

function edited(reply: Reply, edits: readonly Edit[]): Reply {
  if (reply.got !== 'raw') return reply;
  const own = edits.filter(([name, place]) => isOf(reply, name, place));
  const before = new TextDecoder().decode(reply.raw);
  const after = own.reduce((text, [, , edit]) => edit(text), before);
  if (own.length > 0 && after === before) throw new Error(`the edit of ${reply.request.action} changed nothing`);
  return own.length > 0 ? { ...reply, raw: new TextEncoder().encode(after) } : reply;
}

function replyOf([action, place, args, text]: Answer, round: number): Reply {
  return {
    request: { action, place, args, round },
    startedAtMs: 0,
    tookMs: 1,
    got: 'raw',
    raw: new TextEncoder().encode(text),
    exitCode: 0,
    truncated: false,
    tool: '',
  };
}

/** What the recording has for this fact, to be changed and given as an answer of the second look. */
export function recorded(name: FactName, place: Place): string {
  const reply = RECORDING.find((one) => isOf(one, name, place));
  if (reply?.got !== 'raw') throw new Error(`${name} was not recorded`);
  return new TextDecoder().decode(reply.raw);
}

function walked(snapshot: Snapshot, gate: DatapathGate, input: RecordedInput, probed: boolean): Flow[] {
  const addresses = clusterAddresses(snapshot);
  return (input.asks ?? [{}]).map((ask) => {
    const id = ask.id ?? ask.purpose ?? 'main';
    const from = ask.from ?? CLIENT;
    const packet = buildPacket({
      source: ask.source ?? CLIENT_IP,
      destination: ask.to ?? WEB_IP,
      l4: ask.l4 ?? tcpSyn(8080),
      ...(ask.lengthBytes !== undefined && { lengthBytes: ask.lengthBytes }),
    });
    const trip = simulateRoundTrip({ snapshot, gate }, { from, packet });
    const leaves = tripLeaves(trip, id);
    const health = (is: string) => leaves.filter((leaf) => leafHealth(leaf, addresses, gate) === is);
    const probe = probed ? input.probes?.[id] : undefined;
    const { l4 } = packet;
    return {
      id,
      purpose: ask.purpose ?? (id.split('/')[0] as Flow['purpose']),
      ...('node' in from && { from }),
      source: packet.ip.source,
      destination: packet.ip.destination,
      protocol: l4.protocol as Flow['protocol'],
      ...('destinationPort' in l4 && typeof l4.destinationPort === 'number' && { port: l4.destinationPort }),
      trip,
      leaves,
      dead: health('dead'),
      unknown: health('unknown'),
      ...(probe && { probe }),
    };
  });
}

const pod = (place: Place, address: Address): PodEndpoint => {
  const [, namespace, name] = place.namespace.split('/');
  return {
    kind: 'pod',
    namespace: namespace!,
    name: name!,
    node: place.node,
    place,
    addresses: [address],
    hostNetwork: false,
  };
};

export const CLIENT_END: PodEndpoint = pod(CLIENT, CLIENT_IP);
export const WEB_END: PodEndpoint = pod(WEB, WEB_IP);

export function outsideEnd(address: Address = OUTSIDE_IP): Endpoint {
  return { kind: 'address', address };
}

function questionOf(input: RecordedInput): Question {
  return {
    source: CLIENT_END,
    destination: WEB_END,
    protocol: 'tcp',
    ...(input.question?.protocol !== 'icmp' && { port: 8080 }),
    family: 4,
    asked: { source: 'pod/demo/client-tf545', destination: 'pod/demo/web-2ql6z:8080' },
    notes: [],
    ...input.question,
  };
}
