import type { AtHook, End, Move, Walk, Way } from './cursor.ts';
import type { HookEntry } from './hook.ts';
import { runRules } from './hook-rules.ts';
import { both, UNDECIDED } from './truth.ts';

/**
 * The rule sets of one priority. Where a namespace tracks connections a datagram's fragments are put together before
 * (nf_defrag_ipv4.c, nf_defrag_ipv6_hooks.c), as on the way to a socket; elsewhere each one meets the rules, and those
 * behind the first show no ports: where they are dropped, the datagram is lost.
 */
export function runRulesOnFragments(
  walk: Walk,
  cursor: AtHook,
  entries: readonly HookEntry[],
  isDefragmented: boolean,
): Move {
  const move = runRules(walk, cursor, entries);
  const { packet, stage } = cursor;
  if (packet.fragmentBytes === undefined || isDefragmented || stage.layer || stage.hook === 'input') return move;
  if (move.ways.every((way) => 'end' in way.to)) return move;
  const later = { ...packet, ip: { ...packet.ip, fragmentOffset: 1 } };
  const rest = runRules(walk, { ...cursor, packet: later }, entries);
  const lost = rest.ways.flatMap((way) => ('end' in way.to ? [wholeAgain(way, way.to, cursor)] : []));
  if (lost.length === 0) return move;
  if (lost.length === rest.ways.length) return { ...rest, ways: lost };
  const perhaps = (way: Way): Way => ({ ...way, chance: both(way.chance, UNDECIDED) });
  return { fork: 'undecided', ways: [...move.ways, ...lost].map(perhaps) };
}

/** The end of a later fragment is the datagram's. */
function wholeAgain(way: Way, end: End, cursor: AtHook): Way {
  const because = end.because ?? 'a fragment behind the first';
  return { ...way, to: { ...end, cursor: { ...end.cursor, packet: cursor.packet }, because } };
}
