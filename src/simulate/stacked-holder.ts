import type { Address } from '../net/address.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { Cables, Peer, Station } from './cables.ts';
import { isUnderlay } from './receiving-device.ts';
import { topologyOf } from './topology.ts';

/** An address on the network between the nodes that a macvlan, ipvlan or VLAN device has, and the NIC that it stands on. */
export interface StackedHolder {
  readonly station: Station;
  readonly nic: Station;
}

const STACK_DEPTH_MAX = 8;

const holders = new WeakMap<Snapshot, ReadonlyMap<Address, StackedHolder>>();

export function stackedHolder(snapshot: Snapshot, address: Address): StackedHolder | undefined {
  const known = holders.get(snapshot) ?? findHolders(snapshot);
  holders.set(snapshot, known);
  return known.get(address);
}

function findHolders(snapshot: Snapshot): ReadonlyMap<Address, StackedHolder> {
  const topology = topologyOf(snapshot);
  const found = new Map<Address, StackedHolder>();
  for (const node of snapshot.nodes()) {
    const cables = topology.cablesOf(node);
    for (const pod of topology.podsOfNode(node)) {
      const links = snapshot.fact('links', pod);
      if (links.state === 'unseen') continue;
      for (const link of links.value) {
        const nic = nicBelow(cables, { place: pod, link });
        if (!nic) continue;
        for (const { prefix } of link.addresses) found.set(prefix.address, { station: { place: pod, link }, nic });
      }
    }
  }
  return found;
}

/** The host's NIC at the bottom of a stack of devices; undefined where the device is none of a stack. */
function nicBelow(cables: Cables, top: Station): Station | undefined {
  let at = top;
  for (let depth = 0; depth < STACK_DEPTH_MAX && isStacked(at); depth++) {
    const lower: Peer = cables.lowerOf(at.place, at.link);
    if (lower.state !== 'found') return undefined;
    at = lower;
  }
  return at !== top && at.place.namespace === 'host' && isUnderlay(at.link) ? at : undefined;
}

function isStacked({ link }: Station): boolean {
  return link.vlan !== undefined || link.macvlan !== undefined || link.ipvlan !== undefined;
}
