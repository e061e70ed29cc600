import { flannelNode } from '../../cni/flannel/flannel-network.ts';
import { type Ask, defineCause, type Given } from '../../diagnose/cause.ts';
import type { Evidence } from '../../diagnose/evidence.ts';
import {
  type DeadEnd,
  deadEnds,
  hopsTo,
  probeEvidence,
  stateEvidence,
  walkEvidence,
} from '../../diagnose/evidence-of.ts';
import { type Address, familyOf } from '../../net/address.ts';
import { hostOf, type Place, placeKey } from '../../net/place.ts';
import { networkOf } from '../../net/prefix.ts';
import type { Link } from '../../parse/ip-link.ts';
import type { Disposition, Step } from '../../simulate/trace.ts';
import type { Node } from '../../snapshot/objects.ts';
import { isComplete, type Observed, type SnapshotChange } from '../../snapshot/snapshot.ts';
import { absentFromWalks } from '../shared/absent-from-walks.ts';
import { claimsOf, distinctBy } from '../shared/claims.ts';
import { nodeByName, podCidrFor, podOfAddress } from '../shared/cluster-pods.ts';
import { isFlannel } from '../shared/pod-route.ts';
import { present } from '../shared/present.ts';

/**
 * What the sending node holds of the peer's VXLAN device (its MAC in the neighbour table, the node behind that MAC in
 * the FDB) is not what the peer has: the device was rebuilt, systemd gave it another MAC, or an entry is stale or gone
 * (flannel-io/flannel#1155, #1330). The peer drops the inner frame, since its MAC is somebody else's.
 */
export const vtepAddressMismatch = defineCause({
  id: 'vtep-address-mismatch',
  class: 'network-unreachable',
  title: 'The VXLAN tunnel’s address of the other node is wrong here',
  gravity: 'fault',
  at: 'path-node',
  needs: ['flows', 'gate', 'links', 'neighbours', 'fdb', 'api.nodes', 'api.pods'],
  // A stale entry of the tunnel leads to a node address that nobody has.
  refines: ['neighbour-unresolved'],
  check(given, place, ask) {
    const entries = deadEnds(given.flows).flatMap((end) => tunnelled(end, given, place, ask));
    const judged = entries.map((entry) => ({ ...entry, ...truthOf(entry, given, ask) }));
    const broken = judged.filter((one) => isMismatch(one));
    if (broken.length === 0) {
      const unsure = judged.find((one) => one.truth.mac === undefined);
      if (unsure)
        return { is: 'unknown', because: `the MAC of the VXLAN device of ${unsure.peer} was not seen, nor announced` };
      if (!isComplete(given.links))
        return { is: 'unknown', because: `the devices of ${place.node} were not read wholly` };
      return absentFromWalks(
        given.flows,
        `no packet ended in the tunnel for what ${place.node} holds of its other end`,
      );
    }
    if (broken.some((one) => one.lacks === 'mac') && !isComplete(given.neighbours))
      return { is: 'unknown', because: `the neighbours of ${place.node} were not read wholly` };
    if (broken.some((one) => one.lacks === 'remote') && !isComplete(given.fdb))
      return { is: 'unknown', because: `the forwarding table of ${place.node} was not read wholly` };
    const peers = distinctBy(broken, (one) => `${one.device} ${one.peer}`);
    return present({
      claims: claimsOf(broken.map((one) => one.end)),
      evidence: [
        ...peers.flatMap((one) => evidenceOf(one, given, place)),
        ...probeEvidence(distinctBy(broken, (one) => one.end.flow.id).map((one) => one.end.flow)),
      ],
      place: { ...place, object: peers.map((one) => `${one.device} towards ${one.peer}`).join(', ') },
      change: peers.flatMap((one) => corrected(one, place)),
      fix: {
        summary: fixSummary(peers, place),
        commands: peers.flatMap((one) => commandsFor(one, place)),
      },
    });
  },
});

type Needs = Given<'flows' | 'gate' | 'links' | 'neighbours' | 'fdb' | 'api.nodes' | 'api.pods'>;

/** What this node used, or lacked, to put a dead packet into the tunnel to the node that owns its destination. */
interface Tunnelled {
  readonly end: DeadEnd;
  readonly step: Step;
  /** The local VXLAN device. */
  readonly device: string;
  readonly vni?: number;
  readonly peer: string;
  readonly node: Node;
  /** The next hop on the tunnel: the peer's own address there. */
  readonly gateway: Address;
  readonly mac?: string;
  readonly remote?: Address;
  /** The entry that is not there. */
  readonly lacks?: 'mac' | 'remote';
}

interface Judged extends Tunnelled {
  readonly truth: { readonly mac?: string; readonly address?: Address };
  readonly announced?: { readonly mac?: string; readonly address?: Address };
  readonly theirs: Observed<readonly Link[]>;
  readonly theirDevice?: Link;
}

function tunnelled(end: DeadEnd, given: Needs, place: Place, ask: Ask<'links'>): Tunnelled[] {
  const { packet } = end.leaf.end;
  const destination = (packet.inner ?? packet).ip.destination;
  const peer = podOfAddress(given['api.pods'].value, destination)?.spec.nodeName;
  const node = nodeByName(given['api.nodes'].value, peer);
  if (peer === undefined || !node || peer === place.node || !diedInTheTunnel(end, place, peer)) return [];
  const own = hopsTo(end.leaf)
    .filter((hop) => placeKey(hop.place) === placeKey(place))
    .flatMap((hop) => hop.steps);
  const tunnel = own.findLast((step) => step.kind === 'tunnel' && step.values['act'] !== 'decapsulate');
  const isVxlan = (step: Step): boolean =>
    given.links.value.some((link) => link.kind === 'vxlan' && link.name === step.values['device']);
  const neighbour = own.findLast(
    (step) =>
      step.kind === 'neighbour' && isVxlan(step) && (!tunnel || step.values['device'] === tunnel.values['device']),
  );
  const step = tunnel ?? neighbour;
  if (!step || !neighbour) return [];
  const gateway = String(neighbour.values['address']);
  if (!isOfPeer(gateway, destination, node, ask('links', hostOf(peer)))) return [];
  const device = String(step.values['device']);
  const mac = textOf(tunnel?.values['mac'] ?? neighbour.values['mac']);
  const remote = textOf(tunnel?.values['remote']);
  const lacks =
    !tunnel && mac === undefined ? 'mac' : tunnel?.values['reason'] === 'no-fdb-entry' ? 'remote' : undefined;
  const vni = given.links.value.find((link) => link.name === device)?.vxlan?.id;
  return [
    {
      end,
      step,
      device,
      peer,
      node,
      gateway,
      ...(vni !== undefined && { vni }),
      ...(mac !== undefined && { mac }),
      ...(remote !== undefined && { remote }),
      ...(lacks && { lacks }),
    },
  ];
}

/** How an outer packet ends that was sent to an address which is not the peer's. */
const LED_ASTRAY: ReadonlySet<Disposition> = new Set([
  'left-the-cluster',
  'no-route',
  'route-unreachable',
  'neighbour-unresolved',
  'not-for-this-mac',
  'no-listener',
  'tunnel-dropped',
]);

/**
 * The frame never came out of the tunnel at its own end: it was not wrapped here, its outer packet is what was lost, or
 * the receiving VXLAN device refused its MAC. What a rule dropped is the rule's.
 */
function diedInTheTunnel({ leaf, step }: DeadEnd, place: Place, peer: string): boolean {
  const { end, packet } = leaf.end;
  // Where the outer packet came to the peer, by whatever address of it, the entries led there.
  if (packet.inner) return LED_ASTRAY.has(end) && leaf.end.place.node !== peer;
  if (end === 'not-for-this-mac') return step?.kind === 'link' && step.values['reason'] === 'other-host';
  const isHere = placeKey(leaf.end.place) === placeKey(place);
  return isHere && (end === 'tunnel-dropped' || (end === 'neighbour-unresolved' && step?.kind === 'neighbour'));
}

/**
 * The next hop is an address of the peer's tunnel device (with flannel the pod CIDR's own), or the pod itself where the
 * route names none. Another one is another node's: then the route is at fault, and the entries may be right.
 */
function isOfPeer(gateway: Address, destination: Address, node: Node, links: Observed<readonly Link[]>): boolean {
  const podCidr = podCidrFor(node, destination);
  if (gateway === destination || (podCidr !== undefined && networkOf(podCidr).address === gateway)) return true;
  const devices = links.state === 'seen' ? links.value.filter((link) => link.kind === 'vxlan') : [];
  return devices.some((link) => link.addresses.some((one) => one.prefix.address === gateway));
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function truthOf(entry: Tunnelled, given: Needs, ask: Ask<'links'>): Omit<Judged, keyof Tunnelled> {
  const theirs = ask('links', hostOf(entry.peer));
  const theirDevice = theirs.state === 'seen' ? deviceOf(theirs.value, entry) : undefined;
  const flannel = isFlannel(given.gate) ? flannelNode(entry.node) : undefined;
  const isFour = familyOf(entry.gateway) === 4;
  const announced = flannel && {
    ...defined('mac', isFour ? flannel.vtepMac : flannel.vtepMac6),
    ...defined('address', isFour ? flannel.publicAddress : flannel.publicAddress6),
  };
  const truth = { ...defined('mac', theirDevice?.mac ?? announced?.mac), ...defined('address', announced?.address) };
  return { theirs, truth, ...(theirDevice && { theirDevice }), ...(announced && { announced }) };
}

function defined<K extends string>(key: K, value: string | undefined): { readonly [P in K]?: string } {
  return (value === undefined ? {} : { [key]: value }) as { readonly [P in K]?: string };
}

/** Both families' devices may have one VNI: then the name tells, and where it does not, neither is meant. */
function deviceOf(links: readonly Link[], { device, vni }: Tunnelled): Link | undefined {
  const same = links.filter((link) => link.kind === 'vxlan' && link.vxlan?.id === vni);
  return same.find((link) => link.name === device) ?? (same.length === 1 ? same[0] : undefined);
}

function isMismatch({ lacks, mac, remote, truth }: Judged): boolean {
  if (truth.mac === undefined) return false;
  if (lacks) return true;
  if (mac !== undefined && mac !== truth.mac) return true;
  return remote !== undefined && truth.address !== undefined && remote !== truth.address;
}

function evidenceOf(one: Judged, given: Needs, place: Place): Evidence[] {
  const { peer, theirs, theirDevice, announced } = one;
  const at = hostOf(peer);
  return [
    walkEvidence('tunnel', place, one.step, mismatchStatement(one, place)),
    ...(theirs.state === 'seen' && theirDevice
      ? [stateEvidence('vtep', at, theirs, `${theirDevice.name} of ${peer} has the MAC ${theirDevice.mac}`)]
      : []),
    ...(announced?.mac
      ? [
          stateEvidence(
            'vtep',
            at,
            given['api.nodes'],
            `${peer} announces the VTEP ${announced.mac} at ${announced.address ?? 'no address'} (flannel’s annotations)`,
          ),
        ]
      : []),
  ];
}

function mismatchStatement({ lacks, gateway, mac, remote, peer, truth }: Judged, place: Place): string {
  if (lacks === 'mac')
    return `${place.node} has no tunnel MAC for ${peer} (neighbour ${gateway}); its device has ${truth.mac}`;
  if (lacks === 'remote') return `${place.node} has no FDB entry for ${mac}, its tunnel MAC of ${peer}`;
  const at = truth.address ? ` at ${truth.address}` : '';
  return `${place.node} sends to ${peer} by MAC ${mac} at ${remote}; its device is ${truth.mac}${at}`;
}

function fixSummary(peers: readonly Judged[], place: Place): string {
  const isAnnouncedWrong = peers.some(
    (one) => one.theirDevice && one.announced?.mac !== undefined && one.theirDevice.mac !== one.announced.mac,
  );
  const where = isAnnouncedWrong
    ? `the peer, whose device is not the announced one, then on ${place.node}`
    : place.node;
  return `restart the CNI’s agent on ${where}; keep systemd from changing the device’s MAC (MACAddressPolicy=none for the CNI’s devices)`;
}

function commandsFor({ device, peer, gateway, truth }: Judged, place: Place): string[] {
  return [
    `ip -d link show ${device}    # on ${peer}: the true MAC`,
    `ip neigh replace ${gateway} lladdr ${truth.mac} dev ${device} nud permanent    # on ${place.node}`,
    ...(truth.address
      ? [`bridge fdb replace ${truth.mac} dev ${device} dst ${truth.address} self permanent    # on ${place.node}`]
      : []),
  ];
}

function corrected(one: Judged, place: Place): SnapshotChange[] {
  const { gateway, device, truth } = one;
  const { mac, address } = truth;
  if (mac === undefined) return [];
  const neighbour = `${gateway} dev ${device}`;
  const remote = address ?? one.remote;
  return [
    ...replaced('neighbour', place, one.lacks === 'mac' ? undefined : neighbour, {
      line: `${neighbour} lladdr ${mac} PERMANENT`,
      text: `${gateway} is at ${mac}`,
    }),
    ...(remote === undefined
      ? []
      : replaced('fdb', place, one.mac === mac && one.remote ? `${mac} dev ${device}` : undefined, {
          line: `${mac} dev ${device} dst ${remote} self permanent`,
          text: `${mac} is behind ${remote}`,
        })),
  ];
}

function replaced(
  op: 'neighbour' | 'fdb',
  place: Place,
  old: string | undefined,
  by: { readonly line: string; readonly text: string },
): SnapshotChange[] {
  return [
    ...(old ? [{ op, place, act: 'remove', line: old, text: `without the entry ${old}` } as const] : []),
    { op, place, act: 'add', ...by },
  ];
}
