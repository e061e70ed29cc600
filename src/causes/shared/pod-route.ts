import type { Flow } from '../../diagnose/derived.ts';
import { type DeadEnd, deadEnds, hopsTo } from '../../diagnose/evidence-of.ts';
import type { Address } from '../../net/address.ts';
import { type Place, placeKey } from '../../net/place.ts';
import { formatPrefix, networkOf, type Prefix, parsePrefix, prefixContains } from '../../net/prefix.ts';
import type { Link } from '../../parse/ip-link.ts';
import type { Hop, Step } from '../../simulate/trace.ts';
import type { Node, Pod } from '../../snapshot/objects.ts';
import { internalAddresses, nodeByName, podCidrFor, podOfAddress } from './cluster-pods.ts';

/** A dead end whose packet was on its way to a pod of another node, with the route this node chose for it. */
export interface PodRouting {
  readonly end: DeadEnd;
  readonly hop: Hop;
  readonly route: Step;
  readonly destination: Address;
  readonly owner: Node;
  /** The pod CIDR of the owner that holds the destination; undefined where the node has none. */
  readonly podCidr?: Prefix;
}

/** Dead ends of packets to another node's pod, for which this node made the routing decision and that never came to that node. */
export function podRoutings(
  flows: readonly Flow[],
  place: Place,
  pods: readonly Pod[],
  nodes: readonly Node[],
): PodRouting[] {
  return deadEnds(flows).flatMap((end) => {
    const hops = hopsTo(end.leaf);
    const hop = hops.findLast((one) => placeKey(one.place) === placeKey(place));
    const route = hop?.steps.findLast(
      (step) => step.kind === 'route' && ['forward', 'output'].includes(String(step.values['purpose'] ?? 'forward')),
    );
    if (!hop || !route) return [];
    const inner = end.leaf.end.packet.inner ?? end.leaf.end.packet;
    const destination = inner.ip.destination;
    const owner = nodeByName(nodes, podOfAddress(pods, destination)?.spec.nodeName);
    if (!owner || owner.metadata.name === place.node) return [];
    if (hops.some((one) => one.place.node === owner.metadata.name)) return [];
    return [{ end, hop, route, destination, owner, podCidr: podCidrFor(owner, destination) }];
  });
}

/** The route that matched is a default one, or there was none. */
export function isUnspecific(route: Step): boolean {
  if (route.matched === 'no' || route.values['reason'] === 'no-match') return true;
  const destination = parsePrefix(String(route.values['destination'] ?? ''));
  return destination === undefined
    ? route.values['destination'] === undefined || route.values['destination'] === 'default'
    : destination.length === 0;
}

/**
 * The route that flannel means this node to have to the owner's pods (flannel pkg/backend/vxlan and hostgw): through
 * the VXLAN device to the subnet's own address, or directly to the owner's node address. Undefined for a CNI whose
 * intent is not known.
 */
export function intendedRoute(routing: PodRouting, links: readonly Link[]): string | undefined {
  const { owner, podCidr } = routing;
  if (!podCidr) return undefined;
  const network = networkOf(podCidr);
  const backend = owner.metadata.annotations?.['flannel.alpha.coreos.com/backend-type'];
  if (backend === 'vxlan') {
    const vxlan = links.find((link) => link.kind === 'vxlan' && link.name.startsWith('flannel'));
    return vxlan ? `${formatPrefix(network)} via ${network.address} dev ${vxlan.name} onlink` : undefined;
  }
  if (backend !== 'host-gw') return undefined;
  const via = owner.metadata.annotations?.['flannel.alpha.coreos.com/public-ip'] ?? internalAddresses(owner)[0];
  const device = links.find((link) =>
    link.addresses.some((one) => one.scope === 'global' && via !== undefined && prefixContains(one.prefix, via)),
  );
  return via && device ? `${formatPrefix(network)} via ${via} dev ${device.name}` : undefined;
}
