import type { Address } from '../net/address.ts';
import { CLUSTER } from '../net/place.ts';
import { isPrivate } from '../net/private-address.ts';
import type { DatapathGate } from '../simulate/datapath.ts';
import { isComplete, type Snapshot } from '../snapshot/snapshot.ts';
import type { Leaf } from './leaves.ts';

export type LeafHealth = 'passed' | 'dead' | 'unknown';

/** Who owns an address, as far as the API tells; built once per snapshot. */
export interface ClusterAddresses {
  readonly isPod: (address: Address) => boolean;
  readonly isCluster: (address: Address) => boolean;
  /** Whether pods, nodes and Services were all read wholly: only then is an address that none of them has an outside one. */
  readonly isWhole: boolean;
}

export function clusterAddresses(snapshot: Snapshot): ClusterAddresses {
  const pods = new Set<string>();
  const others = new Set<string>();
  const apiPods = snapshot.fact('api.pods', CLUSTER);
  for (const pod of apiPods.state === 'seen' ? apiPods.value : []) {
    if (pod.spec.hostNetwork) continue;
    for (const ip of pod.status.podIPs ?? []) pods.add(ip.ip);
  }
  const nodes = snapshot.fact('api.nodes', CLUSTER);
  for (const node of nodes.state === 'seen' ? nodes.value : []) {
    for (const address of node.status.addresses ?? []) others.add(address.address);
  }
  const services = snapshot.fact('api.services', CLUSTER);
  for (const service of services.state === 'seen' ? services.value : []) {
    for (const ip of service.spec.clusterIPs ?? []) others.add(ip);
  }
  return {
    isPod: (address) => pods.has(address),
    isCluster: (address) => pods.has(address) || others.has(address),
    isWhole: isComplete(apiPods) && isComplete(nodes) && isComplete(services),
  };
}

/**
 * Whether an end is a delivery. A packet to the outside that left is one, unless it left with a pod's own address where
 * the network out there does not carry those (its answer cannot find the way back). Where the cluster's own addresses are
 * not known wholly, it could not be told whether it should have left.
 */
export function leafHealth(leaf: Leaf, addresses: ClusterAddresses, gate: DatapathGate): LeafHealth {
  const { end, packet } = leaf.end;
  if (end === 'delivered') return 'passed';
  if (end === 'insufficient-information') return 'unknown';
  if (end === 'handed-to-userspace') return 'unknown';
  if (end !== 'left-the-cluster') return 'dead';
  if (addresses.isCluster(packet.ip.destination)) return 'dead';
  if (!addresses.isWhole) return 'unknown';
  // What a tunnel carries is for a node of the cluster: out there nobody unwraps it.
  if (packet.inner) return 'dead';
  // The reply to a client outside leaves the cluster by design.
  if (leaf.ref.leg !== 'forward') return 'passed';
  if (!addresses.isPod(packet.ip.source)) return 'passed';
  switch (gate.podAddressesRoutableOutside ?? gate.podAddressesRoutable) {
    case 'no':
      return 'dead';
    case 'yes':
      // The internet answers no private address: whether a gateway beyond translates it is not seen.
      return isPrivate(packet.ip.source) && !isPrivate(packet.ip.destination) ? 'unknown' : 'passed';
    case 'unknown':
      return 'unknown';
  }
}
