import type { Request } from '../host/host.ts';
import type { Family } from '../net/address.ts';
import type { Packet } from '../net/packet.ts';
import { formatPlace, hostOf, type Place, placeKey } from '../net/place.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { type Cursor, type End, familyAt, unknownEnd, type Walk } from './cursor.ts';
import { unmodelledAt } from './datapath.ts';
import { missingFacts } from './facts-for-namespace.ts';
import { topologyOf } from './topology.ts';

/** Why the walk can't go on in the namespace that it has just entered; undefined where it can. */
export function refusedEntry(walk: Walk, cursor: Cursor): End | undefined {
  const { gate, snapshot } = walk.world;
  const part = unmodelledAt(gate, cursor.place);
  if (part) {
    return unknownEnd(cursor, `${part.by} (${part.role}) is not modelled: ${part.statement}`);
  }
  const missing = missingFacts(snapshot, cursor.place, familyAt(cursor));
  if (missing.length === 0) return undefined;
  return unknownEnd(cursor, `${formatPlace(cursor.place)} was not looked at`, wantsAt(snapshot, cursor.place, cursor));
}

/** Endpoints of one Service whose namespaces are asked before the walk has come there. */
const ENDPOINTS_AHEAD = 8;

/** What the namespaces at the packet's end will be asked anyway: named at once, fewer rounds are needed. */
export function wantsAlongTheWay(snapshot: Snapshot, packet: Packet, family: Family): Request[] {
  const topology = topologyOf(snapshot);
  const { destination } = (packet.inner ?? packet).ip;
  const ends = [destination, ...topology.endpointsOf(destination).slice(0, ENDPOINTS_AHEAD)];
  const places = ends.flatMap((address) => {
    const pod = topology.podAt(address);
    return pod ? [pod, hostOf(pod.node)] : topology.hostsAt(address);
  });
  return [...topology.missing, ...uniquePlaces(places).flatMap((place) => missingFacts(snapshot, place, family))];
}

/** All that a namespace and its host need, and what lies ahead. */
export function wantsAt(snapshot: Snapshot, place: Place, cursor: Cursor): Request[] {
  const family = familyAt(cursor);
  const here = uniquePlaces([place, hostOf(place.node)]);
  return uniqueRequests([
    ...here.flatMap((one) => missingFacts(snapshot, one, family)),
    ...wantsAlongTheWay(snapshot, cursor.packet, family),
  ]);
}

function uniquePlaces(places: readonly Place[]): Place[] {
  return [...new Map(places.map((place) => [placeKey(place), place])).values()];
}

function uniqueRequests(requests: readonly Request[]): Request[] {
  const key = (request: Request): string => JSON.stringify([request.action, request.place, request.args]);
  return [...new Map(requests.map((request) => [key(request), request])).values()];
}
