import type { Link } from '../parse/ip-link.ts';
import type { Cursor, Walk } from './cursor.ts';
import { linkNamed } from './hook-input.ts';
import { learntKey } from './segment-search.ts';

/*
 * A frame teaches every bridge that it passes where its sender is (br_fdb_update in net/bridge/br_fdb.c), whatever the
 * table said before. The walk keeps that among the places it has visited, so that the answer finds it.
 */

const PREFIX = 'learnt ';

export function withLearnt(cursor: Cursor, master: Link, port: Link, vlan: number): Cursor {
  const source = cursor.packet.macs?.source;
  if (source === undefined || port.bridgePort?.learning === false) return cursor;
  const fact = `${PREFIX}${learntKey(cursor.place, master.name, vlan, source)} ${port.name}`;
  return { ...cursor, visited: [...cursor.visited, fact] };
}

/** The port behind which this packet, or the one that it answers, has shown the MAC to be. */
export function learntPort(walk: Walk, cursor: Cursor, master: Link, mac: string, vlan: number): Link | undefined {
  const start = `${PREFIX}${learntKey(cursor.place, master.name, vlan, mac)} `;
  const all = [...(walk.learnt ?? []), ...cursor.visited];
  const fact = all.findLast((one) => one.startsWith(start));
  if (fact === undefined) return undefined;
  const port = linkNamed(walk.world.snapshot, cursor.place, fact.slice(start.length));
  return isOverruled(walk, cursor, master, mac) ? undefined : port;
}

/** A local entry is never moved, nor is a sticky one. */
function isOverruled(walk: Walk, cursor: Cursor, master: Link, mac: string): boolean {
  const fdb = walk.world.snapshot.fact('fdb', cursor.place);
  const entries = fdb.state === 'seen' ? fdb.value : [];
  return entries.some((one) => {
    const isFixed = one.state === 'permanent' || one.flags.includes('sticky');
    return one.master === master.name && one.mac === mac && isFixed;
  });
}
