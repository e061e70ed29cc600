import { type Place, placeKey } from '../net/place.ts';
import type { Link } from '../parse/ip-link.ts';
import { isComplete, type Snapshot } from '../snapshot/snapshot.ts';

/** A device with the network namespace that it is in. */
export interface Station {
  readonly place: Place;
  readonly link: Link;
}

export type Peer =
  | ({ readonly state: 'found' } & Station)
  /** Everything that could hold it was seen, and it is not there. */
  | { readonly state: 'missing' }
  /** It is in a namespace that was not collected, or that is none of the cluster's, or two fit alike. */
  | { readonly state: 'unknown' };

export interface Cables {
  /** The other end of a veth pair, by both ends' indexes. */
  readonly peerOf: (place: Place, link: Link) => Peer;
  /** The device that a VLAN, macvlan, ipvlan or tunnel device stands on, perhaps in another namespace. */
  readonly lowerOf: (place: Place, link: Link) => Peer;
  /** The VLAN, macvlan and ipvlan devices that stand on a device. */
  readonly uppersOf: (place: Place, link: Link) => readonly Station[];
}

const NONE: readonly Station[] = [];

const STACKED: ReadonlySet<string> = new Set(['vlan', 'macvlan', 'macvtap', 'ipvlan', 'ipvtap']);

/** How the devices of these namespaces, all of one node, hang together. */
export function cablesOf(snapshot: Snapshot, places: readonly Place[]): Cables {
  const stations = places.flatMap((place) => {
    const links = snapshot.fact('links', place);
    return links.state === 'seen' ? links.value.map((link): Station => ({ place, link })) : [];
  });
  const context: Context = {
    places,
    stations: Map.groupBy(stations, ({ place, link }) => indexKey(place, link.index)),
    veths: Map.groupBy(
      stations.filter(({ link }) => link.kind === 'veth' && link.peerIndex !== undefined),
      ({ link }) => `${link.index} ${link.peerIndex}`,
    ),
    isSeen: (place) => isComplete(snapshot.fact('links', place)),
  };
  // A device is one namespace's: it is its own key.
  const peers = new WeakMap<Link, Peer>();
  const peerOf = (place: Place, link: Link): Peer => {
    const known = peers.get(link);
    if (known) return known;
    const peer = findPeer(context, place, link);
    peers.set(link, peer);
    return peer;
  };
  const lowerOf = (place: Place, link: Link): Peer => findLower(context, peerOf, place, link);
  let uppers: Map<string, Station[]> | undefined;
  return {
    peerOf,
    lowerOf,
    uppersOf: (place, link) => {
      uppers ??= stackedOn(stations, lowerOf);
      return uppers.size === 0 ? NONE : (uppers.get(indexKey(place, link.index)) ?? NONE);
    },
  };
}

interface Context {
  readonly places: readonly Place[];
  readonly stations: ReadonlyMap<string, readonly Station[]>;
  readonly veths: ReadonlyMap<string, readonly Station[]>;
  readonly isSeen: (place: Place) => boolean;
}

function indexKey(place: Place, index: number): string {
  return `${index} ${placeKey(place)}`;
}

/** A pod's far end is in its host unless a nested sandbox or another pod fits alone; where two fit, nothing is claimed. */
function findPeer(context: Context, place: Place, link: Link): Peer {
  if (link.kind !== 'veth' || link.peerIndex === undefined) return { state: 'unknown' };
  const isElsewhere = link.peerNamespaceId !== undefined;
  const fitting = (context.veths.get(`${link.peerIndex} ${link.index}`) ?? []).filter((one) => {
    const isHere = placeKey(one.place) === placeKey(place);
    return isElsewhere ? !isHere && one.link.peerNamespaceId !== undefined : isHere;
  });
  const [first, ...others] = fitting.length > 1 ? consistent(context, place, link, fitting) : fitting;
  if (first && others.length === 0) return { state: 'found', ...first };
  const inHost = [first, ...others].filter((one) => one?.place.namespace === 'host');
  if (place.namespace !== 'host' && inHost[0]) return { state: 'found', ...inHost[0] };
  if (first) return { state: 'unknown' };
  const sought = context.places.filter((one) => (isElsewhere ? one.namespace === 'host' : one === place));
  return place.namespace !== 'host' && sought.every(context.isSeen) ? { state: 'missing' } : { state: 'unknown' };
}

/** One namespace id means one namespace: every pair with the same id must have its far end there. */
function consistent(context: Context, place: Place, link: Link, fitting: readonly Station[]): readonly Station[] {
  const siblings = [...context.veths.values()].flat().filter((one) => {
    return placeKey(one.place) === placeKey(place) && one.link.peerNamespaceId === link.peerNamespaceId;
  });
  const left = fitting.filter((candidate) =>
    siblings.every((sibling) =>
      (context.veths.get(`${sibling.link.peerIndex} ${sibling.link.index}`) ?? []).some(
        (one) => placeKey(one.place) === placeKey(candidate.place),
      ),
    ),
  );
  return left.length > 0 ? left : fitting;
}

function findLower(context: Context, peerOf: (place: Place, link: Link) => Peer, place: Place, link: Link): Peer {
  if (link.peerIndex === undefined) return { state: 'unknown' };
  const at = (one: Place): Station | undefined => context.stations.get(indexKey(one, link.peerIndex!))?.[0];
  if (link.peerNamespaceId === undefined) {
    const here = at(place);
    if (here) return { state: 'found', ...here };
    return context.isSeen(place) ? { state: 'missing' } : { state: 'unknown' };
  }
  const known = [...context.veths.values()].flat().find((one) => {
    return placeKey(one.place) === placeKey(place) && one.link.peerNamespaceId === link.peerNamespaceId;
  });
  const peer = known && peerOf(place, known.link);
  const other = peer?.state === 'found' ? at(peer.place) : undefined;
  if (other) return { state: 'found', ...other };
  const elsewhere = context.places.filter((one) => placeKey(one) !== placeKey(place)).flatMap((one) => at(one) ?? []);
  const host = elsewhere.find((one) => one.place.namespace === 'host');
  const only = place.namespace !== 'host' ? host : elsewhere.length === 1 ? elsewhere[0] : undefined;
  return only ? { state: 'found', ...only } : { state: 'unknown' };
}

function stackedOn(stations: readonly Station[], lowerOf: (place: Place, link: Link) => Peer): Map<string, Station[]> {
  const uppers = new Map<string, Station[]>();
  for (const station of stations) {
    if (!STACKED.has(station.link.kind ?? '')) continue;
    const lower = lowerOf(station.place, station.link);
    if (lower.state !== 'found') continue;
    const key = indexKey(lower.place, lower.link.index);
    uppers.set(key, [...(uppers.get(key) ?? []), station]);
  }
  return uppers;
}
