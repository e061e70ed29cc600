import { type FlannelNode, flannelNode } from '../../cni/flannel/flannel-network.ts';
import type { Flow } from '../../diagnose/derived.ts';
import { type DeadEnd, deadEnds, hopsTo } from '../../diagnose/evidence-of.ts';
import { type Address, familyOf } from '../../net/address.ts';
import { type Place, placeKey } from '../../net/place.ts';
import { formatPrefix, networkOf, type Prefix, parsePrefix, prefixContains } from '../../net/prefix.ts';
import type { Link } from '../../parse/ip-link.ts';
import type { DatapathGate } from '../../simulate/datapath.ts';
import type { Disposition, Step } from '../../simulate/trace.ts';
import type { Node, Pod } from '../../snapshot/objects.ts';
import { internalAddresses, nodeByName, podCidrFor, podOfAddress } from './cluster-pods.ts';

/** A dead end of a packet that died of this node's route to a pod of another node, with that route. */
export interface PodRouting {
  readonly end: DeadEnd;
  readonly route: Step;
  /** The other node's pod: where the packet was to go, or, for the reverse path filter's look-up, where it came from. */
  readonly address: Address;
  readonly owner: Node;
  /** The pod CIDR of the owner that holds the address; undefined where none does. */
  readonly podCidr?: Prefix;
}

export type AssumedRouting = Omit<PodRouting, 'end'> & { readonly flow: Flow };

/** How a packet ends at the node itself when its route leads nowhere; what a rule or a setting stops there, the route does not. */
const LED_ASTRAY: ReadonlySet<Disposition> = new Set([
  'no-route',
  'route-unreachable',
  'left-the-cluster',
  'neighbour-unresolved',
  'not-for-this-mac',
  'tunnel-dropped',
  'loop',
]);

/**
 * Dead ends of packets to another node's pod that died of the route this node chose: they ended here for want of a way,
 * or elsewhere, and never came to that node. And packets from such a pod that the reverse path filter dropped here.
 */
export function podRoutings(
  flows: readonly Flow[],
  place: Place,
  pods: readonly Pod[],
  nodes: readonly Node[],
): PodRouting[] {
  return deadEnds(flows).flatMap((end) => {
    const isReverse = end.leaf.end.end === 'reverse-path-filtered';
    const isHere = placeKey(end.leaf.end.place) === placeKey(place);
    if (isHere ? !isReverse && !LED_ASTRAY.has(end.leaf.end.end) : isReverse) return [];
    const { packet } = end.leaf.end;
    const address = isReverse ? packet.ip.source : (packet.inner ?? packet).ip.destination;
    const owner = nodeByName(nodes, podOfAddress(pods, address)?.spec.nodeName);
    if (!owner || owner.metadata.name === place.node) return [];
    const hops = hopsTo(end.leaf);
    if (!isReverse && hops.some((one) => one.place.node === owner.metadata.name)) return [];
    // Of the tunnel's outer packet this node looked up another address.
    const route = hops
      .filter((one) => placeKey(one.place) === placeKey(place))
      .flatMap((one) => one.steps)
      .findLast((step) => isLookUp(step, address, isReverse));
    if (!route) return [];
    const podCidr = podCidrFor(owner, address);
    return [{ end, route, address, owner, ...(podCidr && { podCidr }) }];
  });
}

/**
 * Routes to other nodes' pods by which every walk is delivered only if the network beyond carries it, of flows whose
 * probes heard nothing: the way of a network that knows pod addresses, where the CNI's own route may be missing.
 */
export function assumedRoutings(
  flows: readonly Flow[],
  place: Place,
  pods: readonly Pod[],
  nodes: readonly Node[],
): AssumedRouting[] {
  const silent = flows.filter(
    ({ probe, dead, unknown }) =>
      probe?.passed === 'no' &&
      ['timed-out', 'silent', 'unreachable'].includes(probe.outcome) &&
      dead.length === 0 &&
      unknown.length === 0,
  );
  return silent.flatMap((flow) =>
    flow.leaves.flatMap((leaf) => {
      const hops = hopsTo(leaf).filter((hop) => placeKey(hop.place) === placeKey(place));
      const isAssumed = hops.some((hop) => hop.steps.some(isUnseenRouter));
      const address = leaf.end.packet.ip.destination;
      const route = hops.flatMap((hop) => hop.steps).findLast((step) => isLookUp(step, address, false));
      const owner = nodeByName(nodes, podOfAddress(pods, address)?.spec.nodeName);
      if (!isAssumed || !route || !owner || owner.metadata.name === place.node) return [];
      const podCidr = podCidrFor(owner, address);
      return [{ flow, route, address, owner, ...(podCidr && { podCidr }) }];
    }),
  );
}

function isUnseenRouter({ kind, values, matched }: Step): boolean {
  return kind === 'link' && values['reason'] === 'underlay' && matched === 'unknown';
}

function isLookUp({ kind, values }: Step, address: Address, isReverse: boolean): boolean {
  if (kind !== 'route' || values['address'] !== address) return false;
  return isReverse
    ? values['purpose'] === 'reverse'
    : values['purpose'] === 'forward' || values['purpose'] === 'output';
}

/**
 * No route to the other node's pods was found: none at all, a default one, or (where the CNI is known to write one for
 * each node's pod CIDR) one for more than that, which is somebody else's.
 */
export function isUnspecific({ route, podCidr }: Pick<PodRouting, 'route' | 'podCidr'>, hasOwnRoute: boolean): boolean {
  if (route.values['reason'] === 'no-match') return true;
  const destination = parsePrefix(String(route.values['destination'] ?? ''));
  if (destination === undefined) return false;
  return destination.length === 0 || (hasOwnRoute && podCidr !== undefined && destination.length < podCidr.length);
}

/** flannel writes one route for each other node's pod CIDR. Annotations alone may be a former CNI's. */
export function isFlannel(gate: DatapathGate): boolean {
  return gate.parts.some((part) => part.role === 'pod-network' && part.by === 'flannel');
}

export interface IntendedRoute {
  readonly line: string;
  readonly via: Address;
  readonly device: string;
  /** False where the route is meant to lead through a device that is down, so that it cannot be there. */
  readonly isDeviceUp: boolean;
}

/**
 * The route that flannel means this node to have to the owner's pods (flannel pkg/backend/vxlan and hostgw): through
 * the VXLAN device to the subnet's own address, or directly to the owner's node address. Undefined for a CNI whose
 * intent is not known.
 */
export function intendedRoute(
  { owner, podCidr }: Pick<PodRouting, 'owner' | 'podCidr'>,
  links: readonly Link[],
  gate: DatapathGate,
): IntendedRoute | undefined {
  const flannel = isFlannel(gate) ? flannelNode(owner) : undefined;
  if (!flannel || !podCidr) return undefined;
  const network = networkOf(podCidr);
  if (flannel.backend === 'vxlan') {
    const name = `${familyOf(network.address) === 4 ? 'flannel' : 'flannel-v6'}.${flannel.vni ?? 1}`;
    const vxlan = links.find((link) => link.kind === 'vxlan' && link.name === name);
    return vxlan && toRoute(network, network.address, vxlan, ' onlink');
  }
  if (flannel.backend !== 'host-gw') return undefined;
  const via = publicAddress(flannel, owner, network);
  const device = links.find((link) =>
    link.addresses.some((one) => one.scope === 'global' && via !== undefined && prefixContains(one.prefix, via)),
  );
  return via && device && toRoute(network, via, device, '');
}

function toRoute(network: Prefix, via: Address, device: Link, flags: string): IntendedRoute {
  const line = `${formatPrefix(network)} via ${via} dev ${device.name}${flags}`;
  return { line, via, device: device.name, isDeviceUp: device.flags.includes('UP') };
}

function publicAddress(flannel: FlannelNode, owner: Node, network: Prefix): Address | undefined {
  const family = familyOf(network.address);
  const announced = family === 4 ? flannel.publicAddress : flannel.publicAddress6;
  return announced ?? internalAddresses(owner).find((one) => familyOf(one) === family);
}

/**
 * Whether a route leads to another place than the owner. With flannel: it is neither the VXLAN one nor (direct routing)
 * the owner's node address. With a CNI whose routes are not known only a next hop that is another node tells.
 */
export function leadsElsewhere(
  routing: PodRouting,
  links: readonly Link[],
  nodes: readonly Node[],
  gate: DatapathGate,
): 'yes' | 'no' | 'unknown' {
  const { owner, podCidr, route } = routing;
  const { via, device } = route.values;
  const flannel = isFlannel(gate) ? flannelNode(owner) : undefined;
  const ownAddresses = (owner.status.addresses ?? []).map((one) => one.address);
  if (via !== undefined && ownAddresses.includes(String(via))) return 'no';
  if (flannel && podCidr && (flannel.backend === 'vxlan' || flannel.backend === 'host-gw')) {
    const intended = intendedRoute(routing, links, gate);
    if (via !== undefined && via === publicAddress(flannel, owner, podCidr)) return 'no';
    return intended && intended.via === via && intended.device === device ? 'no' : 'yes';
  }
  const others = nodes.filter((node) => node !== owner).flatMap((node) => node.status.addresses ?? []);
  return via !== undefined && others.some((one) => one.address === via) ? 'yes' : 'unknown';
}
