import type { Address } from '../net/address.ts';
import type { Place } from '../net/place.ts';
import type { Neighbour } from '../parse/ip-neigh.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';

export function entryFor(snapshot: Snapshot, place: Place, device: string, address: Address): Neighbour | undefined {
  const neighbours = snapshot.fact('neighbours', place);
  if (neighbours.state === 'unseen') return undefined;
  return neighbours.value.find((entry) => !entry.proxy && entry.device === device && entry.address === address);
}

/** NUD_VALID of include/net/neighbour.h: a packet is sent to its MAC without asking first. */
const VALID = new Set(['REACHABLE', 'STALE', 'DELAY', 'PROBE', 'PERMANENT', 'NOARP']);

export function isValid(entry: Neighbour): boolean {
  return entry.states.some((state) => VALID.has(state));
}

/** Entries that no answer and no silence changes. */
export function isFixed(entry: Neighbour): boolean {
  return entry.states.some((state) => state === 'PERMANENT' || state === 'NOARP');
}
