import type { Request } from '../host/host.ts';
import type { Address } from '../net/address.ts';
import type { Place } from '../net/place.ts';
import type { FdbEntry } from '../parse/bridge-fdb.ts';
import type { Link } from '../parse/ip-link.ts';
import { isComplete, type Observed, type Snapshot } from '../snapshot/snapshot.ts';
import type { Station } from './cables.ts';
import { isGroup } from './frame.ts';
import { topologyOf } from './topology.ts';

/** One place where a VXLAN device sends a frame. */
export interface VxlanRemote {
  readonly address: Address;
  readonly port: number;
  readonly vni: number;
  /** The device that the outer packet must leave by. */
  readonly device?: string;
  readonly text: string;
}

export type VxlanRemotes =
  /** `known`: by an entry of its own; else every default destination gets a copy. */
  | { readonly state: 'remotes'; readonly known: boolean; readonly remotes: readonly VxlanRemote[] }
  | { readonly state: 'none' }
  | { readonly state: 'unknown'; readonly because: string; readonly wants: readonly Request[] };

const ANY_MAC = '00:00:00:00:00:00';

/**
 * Where a frame for this MAC goes (vxlan_xmit in vxlan_core.c): its entry's remotes, else those of the entry for
 * 00:00:00:00:00:00, which the device's own `remote` or `group` makes; else nowhere.
 */
export function vxlanRemotes(snapshot: Snapshot, place: Place, link: Link, mac: string): VxlanRemotes {
  const { vxlan } = link;
  if (!vxlan) return unknown(`${link.name} was not seen as a VXLAN device`);
  if (vxlan.external) return unknown(`${link.name} takes its remote from metadata: not modelled`);
  const fdb = snapshot.fact('fdb', place);
  if (fdb.state === 'unseen') return unknownFdb(fdb, link);
  const own = fdb.value.filter((entry) => entry.device === link.name && entry.master === undefined);
  const exact = own.filter((entry) => entry.mac === mac && !isGroup(mac));
  const entries = exact.length > 0 ? exact : own.filter((entry) => entry.mac === ANY_MAC);
  const usable = entries.filter((entry) => entry.remote !== undefined);
  if (usable.length < entries.length) return unknown(`${link.name}: an entry for ${mac} names a nexthop: not modelled`);
  if (usable.length > 0) {
    return { state: 'remotes', known: exact.length > 0, remotes: usable.map((entry) => remoteOf(entry, link)) };
  }
  if (!isComplete(fdb)) return unknownFdb(fdb, link);
  return { state: 'none' };
}

function unknown(because: string, wants: readonly Request[] = []): VxlanRemotes {
  return { state: 'unknown', because, wants };
}

function unknownFdb(fdb: Observed<unknown>, link: Link): VxlanRemotes {
  const wants = fdb.state === 'unseen' && fdb.gap === 'not-asked' ? [fdb.want] : [];
  return unknown(`the forwarding table of ${link.name} was not seen wholly`, wants);
}

function remoteOf(entry: FdbEntry, link: Link): VxlanRemote {
  const device = entry.via ?? link.vxlan!.lower;
  return {
    address: entry.remote!,
    port: entry.port ?? link.vxlan!.port,
    vni: entry.vni ?? link.vxlan!.id,
    ...(device !== undefined && { device }),
    text: entry.text,
  };
}

/** The VXLAN devices at the other ends that get a frame for this MAC; the outer packet's own way is not looked at. */
export function vxlanFarEnds(
  snapshot: Snapshot,
  { place, link }: Station,
  mac: string,
): {
  readonly stations: readonly Station[];
  readonly gaps: readonly { readonly because: string; readonly wants: readonly Request[] }[];
} {
  const found = vxlanRemotes(snapshot, place, link, mac);
  if (found.state === 'none') return { stations: [], gaps: [] };
  if (found.state === 'unknown') return { stations: [], gaps: [found] };
  const stations: Station[] = [];
  const gaps: { because: string; wants: readonly Request[] }[] = [];
  for (const remote of found.remotes) {
    const end = farEnd(snapshot, place, remote);
    if (end === undefined) continue;
    if ('because' in end) gaps.push(end);
    else stations.push(end);
  }
  return { stations, gaps };
}

/** Undefined where the remote is seen and has no such device. */
export function farEnd(
  snapshot: Snapshot,
  from: Place,
  remote: VxlanRemote,
): Station | { readonly because: string; readonly wants: readonly Request[] } | undefined {
  const topology = topologyOf(snapshot);
  const holder = topology.podAt(remote.address) ?? topology.hostsAt(remote.address)[0];
  if (!holder) return { because: `who has ${remote.address} is not known`, wants: topology.missing };
  const links = snapshot.fact('links', holder);
  if (links.state === 'unseen') {
    const wants = links.gap === 'not-asked' ? [links.want] : [];
    return { because: `the devices at ${remote.address} were not seen`, wants };
  }
  const link = links.value.find((one) => {
    return one.vxlan?.id === remote.vni && one.vxlan.port === remote.port && one.flags.includes('UP');
  });
  if (link) return { place: holder, link };
  return isComplete(links) || holder === from ? undefined : { because: 'not all devices were seen', wants: [] };
}
