import type { Packet } from '../net/packet.ts';
import type { AtHook, End, Move, Walk, Way } from './cursor.ts';
import type { HookEntry } from './hook.ts';
import { runRules } from './hook-rules.ts';
import type { Step } from './trace.ts';
import { both, UNDECIDED } from './truth.ts';

/**
 * The rule sets of one priority. Where a namespace tracks connections a datagram's fragments are put together before
 * (nf_defrag_ipv4.c, nf_defrag_ipv6_hooks.c), as on the way to a socket; elsewhere each one meets the rules, and those
 * behind the first show no ports: where they are dropped, the datagram is lost. At a device every fragment is a frame.
 */
export function runRulesOnFragments(
  walk: Walk,
  cursor: AtHook,
  entries: readonly HookEntry[],
  isDefragmented: boolean,
): Move {
  const move = runRules(walk, cursor, entries);
  const { packet, stage } = cursor;
  if (packet.fragmentBytes === undefined || isDefragmented || isPutTogether(stage)) return move;
  if (move.ways.every((way) => 'end' in way.to)) return move;
  const later = { ...packet, ip: { ...packet.ip, fragmentOffset: 1 } };
  const rest = runRules(walk, { ...cursor, packet: later }, entries);
  const lost = rest.ways.flatMap((way) => ('end' in way.to ? [wholeAgain(way, way.to, cursor)] : []));
  if (lost.length === 0) return withRest(move, rest, countOf(packet) - 1);
  if (lost.length === rest.ways.length) return { ...rest, ways: lost };
  const perhaps = (way: Way): Way => ({ ...way, chance: both(way.chance, UNDECIDED) });
  return { fork: 'undecided', ways: [...move.ways, ...lost].map(perhaps) };
}

/** On the way to a socket; whether in a bridge is a matter of its br_netfilter. */
function isPutTogether({ hook, layer }: AtHook['stage']): boolean {
  return layer === undefined ? hook === 'input' : layer.kind === 'bridge';
}

/** In how many pieces it travels (ip_do_fragment, ip6_fragment). */
function countOf({ ip, lengthBytes, fragmentBytes }: Packet): number {
  const isSix = ip.source.includes(':');
  const carried = fragmentBytes! - (isSix ? 48 : 20);
  return Math.ceil((lengthBytes - (isSix ? 40 : 20)) / carried);
}

/** All fragments go on: `fragments` says how many met each rule, `unsure` how many of these only perhaps. */
function withRest(move: Move, { ways }: Move, later: number): Move {
  const rest = ways.map(({ steps }) => new Map(steps.filter(mayCount).map((step) => [nameOf(step), step])));
  const all = new Map(rest.flatMap((steps) => [...steps]));
  const isSure = (name: string): boolean => rest.every((steps) => steps.get(name)?.matched === 'yes');
  return { ...move, ways: move.ways.map((way) => ({ ...way, steps: metByAll(way.steps, all, isSure, later) })) };
}

function metByAll(
  first: readonly Step[],
  rest: ReadonlyMap<string, Step>,
  isSure: (name: string) => boolean,
  later: number,
): readonly Step[] {
  const known = new Set(first.map(nameOf));
  const unsure = (name: string): number => (isSure(name) ? 0 : later);
  return [
    ...first.map((step) => {
      const name = nameOf(step);
      return mayCount(step) && rest.has(name) ? withCount(step, later + 1, unsure(name)) : step;
    }),
    ...[...rest].flatMap(([name, step]) => {
      if (known.has(name)) return [];
      return [{ ...withCount(step, later, unsure(name)), text: `fragments behind the first: ${step.text}` }];
    }),
  ];
}

function mayCount({ kind, matched }: Step): boolean {
  return kind === 'rule' && matched !== 'no';
}

function nameOf({ at, values }: Step): string {
  return `${values.backend ?? ''} ${at}`;
}

function withCount(step: Step, fragments: number, unsure: number): Step {
  return { ...step, values: { ...step.values, fragments, ...(unsure > 0 && { unsure }) } };
}

/** The end of a later fragment is the datagram's. */
function wholeAgain(way: Way, end: End, cursor: AtHook): Way {
  const because = end.because ?? 'a fragment behind the first';
  return { ...way, to: { ...end, cursor: { ...end.cursor, packet: cursor.packet }, because } };
}
