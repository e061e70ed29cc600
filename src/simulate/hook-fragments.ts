import type { Packet } from '../net/packet.ts';
import type { AtHook, Cursor, End, Move, Walk, Way } from './cursor.ts';
import { type Fragments, fragmentsOf } from './fragments.ts';
import type { HookEntry } from './hook.ts';
import { runRules } from './hook-rules.ts';
import type { Step } from './trace.ts';
import { both, UNDECIDED } from './truth.ts';

/**
 * The rule sets of one priority. Where a namespace tracks connections a datagram's fragments are put together before
 * (nf_defrag_ipv4.c, nf_defrag_ipv6_hooks.c), IPv4's also on the way to a socket; elsewhere each one meets the rules, and
 * those behind the first show no ports: where they are dropped, the datagram is lost. At a device every fragment is a frame.
 */
export function runRulesOnFragments(
  walk: Walk,
  cursor: AtHook,
  entries: readonly HookEntry[],
  isDefragmented: boolean,
): Move {
  const { packet } = cursor;
  const isWhole = isDefragmented || isPutTogether(cursor);
  const [first, ...later] = piecesOf(packet, isWhole);
  if (!first) return runRules(walk, cursor, entries);
  const move = wholeAgain(runRules(walk, { ...cursor, packet: first.packet }, entries), packet);
  return later.reduce((former, piece) => {
    const rest = runRules(walk, { ...cursor, packet: piece.packet }, entries);
    return withPiece(former, rest, cursor, piece.count);
  }, move);
}

/** IPv4's on the way to a socket (ip_local_deliver); IPv6's come there as they are. Whether in a bridge is a matter of its br_netfilter. */
function isPutTogether({ stage, packet }: AtHook): boolean {
  const { hook, layer } = stage;
  if (layer) return layer.kind === 'bridge';
  return hook === 'input' && !packet.ip.source.includes(':');
}

interface Piece {
  readonly packet: Packet;
  readonly count: number;
}

/**
 * What meets the rules instead of a packet that is more than one: its fragments, and all that it stands for (Packet.series).
 * None where it is one.
 */
function piecesOf(packet: Packet, isWhole: boolean): readonly Piece[] {
  const { series } = packet;
  const fragments = isWhole ? undefined : fragmentsOf(packet);
  if (fragments) return pieces(packet, fragments, (series?.count ?? 1) * fragments.count, true);
  return series ? pieces(packet, { largestBytes: packet.lengthBytes, ...series }, series.count, false) : [];
}

/** The first, those of its size behind it, and the last. */
function pieces(
  packet: Packet,
  { largestBytes, lastBytes }: Omit<Fragments, 'count'>,
  count: number,
  isCut: boolean,
): readonly Piece[] {
  const piece = (isFirst: boolean, lengthBytes: number): Packet => {
    const ip = isCut ? { ...packet.ip, fragmentOffset: isFirst ? 0 : 1 } : packet.ip;
    return { ...packet, ip, lengthBytes };
  };
  return [
    { packet: piece(true, largestBytes), count: 1 },
    ...(count > 2 ? [{ packet: piece(false, largestBytes), count: count - 2 }] : []),
    ...(count > 1 ? [{ packet: piece(false, lastBytes), count: 1 }] : []),
  ];
}

/** What the rules have made of the first fragment, the datagram is. */
function wholeAgain(move: Move, { ip, lengthBytes }: Packet): Move {
  const whole = (to: Cursor): Cursor => {
    const { fragmentOffset: _first, ...changed } = to.packet.ip;
    const { fragmentOffset } = ip;
    const own = fragmentOffset === undefined ? changed : { ...changed, fragmentOffset };
    return { ...to, packet: { ...to.packet, ip: own, lengthBytes } };
  };
  const ways = move.ways.map((way): Way => {
    return { ...way, to: 'end' in way.to ? { ...way.to, cursor: whole(way.to.cursor) } : whole(way.to) };
  });
  return { ...move, ways };
}

/** A later fragment, or several of one size, after those before. */
function withPiece(move: Move, rest: Move, cursor: AtHook, count: number): Move {
  const isOver = move.ways.every((way) => 'end' in way.to);
  const lost = rest.ways.flatMap((way) => ('end' in way.to ? [lostWith(way, way.to, cursor)] : []));
  if (isOver || lost.length === 0) return withRest(move, rest, count);
  if (lost.length === rest.ways.length) return { ...rest, ways: lost };
  const perhaps = (way: Way): Way => ({ ...way, chance: both(way.chance, UNDECIDED) });
  return { fork: 'undecided', ways: [...withRest(move, rest, count).ways, ...lost].map(perhaps) };
}

/** All fragments go on: `fragments` says how many met each rule, `unsure` how many of these only perhaps. */
function withRest(move: Move, { ways }: Move, later: number): Move {
  const rest = ways.map(({ steps }) => new Map(steps.filter(mayCount).map((step) => [nameOf(step), step])));
  const all = new Map(rest.flatMap((steps) => [...steps]));
  const isSure = (name: string): boolean => rest.every((steps) => steps.get(name)?.matched === 'yes');
  return { ...move, ways: move.ways.map((way) => ({ ...way, steps: metByAll(way.steps, all, isSure, later) })) };
}

/** A leaf is about its last step: what the first fragment does not meet is told before that. */
function metByAll(
  former: readonly Step[],
  rest: ReadonlyMap<string, Step>,
  isSure: (name: string) => boolean,
  later: number,
): readonly Step[] {
  const known = new Set(former.map(nameOf));
  const unsure = (name: string): number => (isSure(name) ? 0 : later);
  const met = former.map((step) => {
    const name = nameOf(step);
    return mayCount(step) && rest.has(name) ? withCount(step, later, unsure(name)) : step;
  });
  const others = [...rest].flatMap(([name, step]) => {
    if (known.has(name)) return [];
    const text = `fragments behind the first: ${step.text}`;
    return [withCount({ ...step, values: { ...step.values, fragments: 0 }, text }, later, unsure(name))];
  });
  return [...met.slice(0, -1), ...others, ...met.slice(-1)];
}

function mayCount({ kind, matched }: Step): boolean {
  return kind === 'rule' && matched !== 'no';
}

function nameOf({ at, values }: Step): string {
  return `${values.backend ?? ''} ${at}`;
}

function withCount(step: Step, more: number, moreUnsure: number): Step {
  const fragments = Number(step.values.fragments ?? 1) + more;
  const unsure = Number(step.values.unsure ?? 0) + moreUnsure;
  return { ...step, values: { ...step.values, fragments, ...(unsure > 0 && { unsure }) } };
}

/** The end of a later fragment is the datagram's. */
function lostWith(way: Way, end: End, cursor: AtHook): Way {
  const because = end.because ?? 'a fragment behind the first';
  const { errorPacket: _none, ...rest } = end;
  return { ...way, to: { ...rest, cursor: { ...end.cursor, packet: cursor.packet }, senderSees: 'nothing', because } };
}
