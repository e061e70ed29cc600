import type { Request } from '../host/host.ts';
import type { Address } from '../net/address.ts';
import { familyOf } from '../net/address.ts';
import { hostOf, type Place } from '../net/place.ts';
import type { Link } from '../parse/ip-link.ts';
import type { Neighbour } from '../parse/ip-neigh.ts';
import { isComplete, type Snapshot } from '../snapshot/snapshot.ts';
import { linkNamed } from './hook-input.ts';
import { isUnderlay, receivingDevice } from './receiving-device.ts';
import { isSwitchedOn } from './sysctl.ts';
import { holdsAddress, topologyOf } from './topology.ts';

/** Who would answer an ARP request or neighbour solicitation for an address on a device's segment. */
export type SegmentOwner =
  | { readonly state: 'owner'; readonly mac?: string; readonly place: Place; readonly proxy?: boolean }
  /** Everybody on the segment was seen, and nobody holds it. */
  | { readonly state: 'nobody' }
  /** Hosts outside the cluster, or namespaces that were not collected. */
  | { readonly state: 'unknown'; readonly wants: readonly Place[] };

const UNKNOWN: SegmentOwner = { state: 'unknown', wants: [] };
const NOBODY: SegmentOwner = { state: 'nobody' };

export function segmentOwner(snapshot: Snapshot, place: Place, link: Link, address: Address): SegmentOwner {
  if (link.kind === 'bridge') return bridgeOwner(snapshot, place, link, address, undefined);
  if (link.kind === 'vxlan') return link.vxlan?.external ? UNKNOWN : vxlanOwner(snapshot, place, link);
  if (link.kind !== 'veth') return underlayOwner(snapshot, place, link, address);
  const peer = topologyOf(snapshot).peerOf(place, link);
  if (peer.state === 'found') return behindVeth(snapshot, peer.place, peer.link, address);
  const pod = unseenPodAt(snapshot, place, address);
  if (pod) return { state: 'unknown', wants: [pod] };
  if (place.namespace !== 'host') return { state: 'unknown', wants: [hostOf(place.node)] };
  return underlayOwner(snapshot, place, link, address);
}

function unseenPodAt(snapshot: Snapshot, place: Place, address: Address): Place | undefined {
  const pod = topologyOf(snapshot).podAt(address);
  if (!pod || pod.node !== place.node || isComplete(snapshot.fact('links', pod))) return undefined;
  return pod;
}

function behindVeth(snapshot: Snapshot, place: Place, link: Link, address: Address): SegmentOwner {
  const master = linkNamed(snapshot, place, link.master);
  if (master?.kind === 'bridge') return bridgeOwner(snapshot, place, master, address, link.name);
  if (master) return UNKNOWN;
  return namespaceOwner(snapshot, place, link, address) ?? NOBODY;
}

/** The namespace answers on this device for any own address (arp_ignore 0), and with proxy_arp for those that it can reach. */
function namespaceOwner(snapshot: Snapshot, place: Place, link: Link, address: Address): SegmentOwner | undefined {
  const mac = link.mac === undefined ? {} : { mac: link.mac };
  const holds = holdsAddress(snapshot, place, address);
  if (holds === 'yes') return { state: 'owner', ...mac, place };
  if (holds === 'unknown') return { state: 'unknown', wants: [place] };
  const family = familyOf(address);
  const proxy = isSwitchedOn(snapshot, place, family, family === 4 ? 'proxy_arp' : 'proxy_ndp', link.name);
  if (proxy === 'yes' && family === 4) return { state: 'owner', ...mac, place, proxy: true };
  if (proxy !== 'no') return UNKNOWN;
  return hasProxyEntry(snapshot, place, link, address) ? { state: 'owner', ...mac, place, proxy: true } : undefined;
}

function hasProxyEntry(snapshot: Snapshot, place: Place, link: Link, address: Address): boolean {
  const neighbours = snapshot.fact('neighbours', place);
  if (neighbours.state === 'unseen') return false;
  return neighbours.value.some((entry) => entry.proxy && entry.address === address && entry.device === link.name);
}

function bridgeOwner(
  snapshot: Snapshot,
  place: Place,
  bridge: Link,
  address: Address,
  except: string | undefined,
): SegmentOwner {
  const own = namespaceOwner(snapshot, place, bridge, address);
  if (own) return own;
  const links = snapshot.fact('links', place);
  if (links.state === 'unseen') return UNKNOWN;
  let isSure = isComplete(links);
  for (const port of links.value.filter((link) => link.master === bridge.name && link.name !== except)) {
    const peer = topologyOf(snapshot).peerOf(place, port);
    if (peer.state !== 'found') {
      // A pod's port; which addresses pods have, the API tells.
      isSure &&= port.kind === 'veth' && topologyOf(snapshot).complete;
      continue;
    }
    if (holdsAddress(snapshot, peer.place, address) !== 'yes') continue;
    return { state: 'owner', ...(peer.link.mac === undefined ? {} : { mac: peer.link.mac }), place: peer.place };
  }
  const pod = unseenPodAt(snapshot, place, address);
  if (pod) return { state: 'unknown', wants: [pod] };
  const isOutward = links.value.some((link) => link.master === bridge.name && link.kind !== 'veth' && isUnderlay(link));
  if (isOutward) return underlayOwner(snapshot, place, bridge, address);
  return isSure ? NOBODY : UNKNOWN;
}

/** A request goes to the default remotes alone; without any it goes nowhere. */
function vxlanOwner(snapshot: Snapshot, place: Place, link: Link): SegmentOwner {
  const fdb = snapshot.fact('fdb', place);
  if (!isComplete(fdb)) return UNKNOWN;
  const floods = fdb.value.some((entry) => entry.device === link.name && entry.mac === '00:00:00:00:00:00');
  return floods || link.vxlan?.remote !== undefined || link.vxlan?.group !== undefined ? UNKNOWN : NOBODY;
}

function underlayOwner(snapshot: Snapshot, place: Place, link: Link, address: Address): SegmentOwner {
  const holder = topologyOf(snapshot)
    .hostsAt(address)
    .find((one) => one.node !== place.node);
  if (!holder) return UNKNOWN;
  const device = receivingDevice(snapshot, holder, link, address);
  return { state: 'owner', place: holder, ...(device?.mac === undefined ? {} : { mac: device.mac }) };
}

export function entryFor(snapshot: Snapshot, place: Place, device: string, address: Address): Neighbour | undefined {
  const neighbours = snapshot.fact('neighbours', place);
  if (neighbours.state === 'unseen') return undefined;
  return neighbours.value.find((entry) => !entry.proxy && entry.device === device && entry.address === address);
}

export function wantsOf(owner: SegmentOwner, wantsAt: (place: Place) => readonly Request[]): readonly Request[] {
  return owner.state === 'unknown' ? owner.wants.flatMap((place) => wantsAt(place)) : [];
}
