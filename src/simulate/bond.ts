import type { Place } from '../net/place.ts';
import type { Link } from '../parse/ip-link.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { linkNamed } from './hook-input.ts';
import { isUp } from './link-state.ts';

/** The ports of a bond or team that can carry something. */
export function usableSlaves(snapshot: Snapshot, place: Place, bond: Link): readonly Link[] {
  const links = snapshot.fact('links', place);
  const slaves = links.state === 'seen' ? links.value.filter((link) => link.master === bond.name) : [];
  return slaves.filter((slave) => isUp(slave) && (slave.bondSlave?.miiStatus ?? 'UP') === 'UP');
}

/** The one port that an active-backup bond sends by; undefined for other modes with several ports, and where none is up. */
export function activeSlave(snapshot: Snapshot, place: Place, bond: Link): Link | undefined {
  const named = linkNamed(snapshot, place, bond.bond?.activeSlave);
  if (named) return named;
  const usable = usableSlaves(snapshot, place, bond);
  return usable.length === 1 ? usable[0] : undefined;
}

/** The spare port of an active-backup bond receives for nobody (bond_should_deliver_exact_match in bond_main.c). */
export function isSpare(slave: Link, bond: Link): boolean {
  return bond.bond?.mode === 'active-backup' && slave.bondSlave?.state === 'BACKUP';
}
