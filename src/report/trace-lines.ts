import type { Packet } from '../net/packet.ts';
import type { Fork, LeafEnd, Trace } from '../simulate/trace.ts';
import { type BranchShapes, branchShapes } from './branch-shape.ts';
import { endStep, endText, senderText, shortPlace } from './end-text.ts';
import { type Branch, foldedText, forkText, groupsOf, labelText } from './fork-text.ts';
import { hopLines } from './hop-lines.ts';
import { flowText } from './packet-text.ts';
import { chanceText } from './path-lines.ts';
import type { TraceLine } from './trace-line.ts';
import type { TraceEnd, TraceResult } from './trace-report.ts';

export interface TraceLinesOptions {
  readonly verbose: boolean;
  /** Branches that fare alike are drawn one by one. */
  readonly allBranches: boolean;
}

/** Facts that would tell more which are listed. */
const WANTS_MAX = 8;

/** A round trip as a person reads it: hop by hop and stage by stage, each way with what comes of it and of its answer. */
export function tripLines(
  { trip, ends: all }: Pick<TraceResult, 'trip' | 'ends'>,
  options: TraceLinesOptions,
): TraceLine[] {
  const ends = new Map(all.map((end) => [`${end.leg}/${end.segment}`, end]));
  const answers = new Map(trip.replies.map((reply) => [reply.leaf, reply.trace]));
  return [
    { kind: 'title', text: 'THE WAY THERE' },
    ...traceLines(trip.forward, {
      ...options,
      answers,
      ends,
      leg: 'forward',
      shapes: branchShapes(trip.forward, trip.replies),
      name: 'WAY',
    }),
  ];
}

interface Drawing extends TraceLinesOptions {
  readonly answers: ReadonlyMap<number, Trace>;
  /** How each end fares, by leg and segment. */
  readonly ends: ReadonlyMap<string, TraceEnd>;
  readonly leg: string;
  readonly shapes: BranchShapes;
  readonly name: string;
}

interface Position {
  /** `1.2`: the second way of the first one's fork; '' before any fork. */
  readonly way: string;
  readonly hop: number;
  /** The packet as it entered the last hop, and the one that a tunnel carries meanwhile. */
  readonly seen: readonly Packet[];
}

function traceLines(trace: Trace, drawing: Drawing): TraceLine[] {
  const drawn = new Map<number, string>();
  const left =
    trace.unwalked > 0 ? [{ kind: 'open', text: `${trace.unwalked} more ways were not walked` } as const] : [];
  return [...segmentLines({ trace, drawing, drawn }, 0, { way: '', hop: 0, seen: [] }), ...left];
}

interface Sheet {
  readonly trace: Trace;
  readonly drawing: Drawing;
  /** Segments that stand above already, by the way in which they do. */
  readonly drawn: Map<number, string>;
}

function segmentLines(sheet: Sheet, index: number, at: Position): TraceLine[] {
  const { trace, drawing, drawn } = sheet;
  const segment = trace.segments[index];
  if (!segment) return [];
  const former = drawn.get(index);
  if (former !== undefined) {
    return [
      { kind: 'note', text: former === '' ? 'goes on as above' : `goes on as ${drawing.name} ${former} does above` },
    ];
  }
  drawn.set(index, at.way);
  let { hop, seen } = at;
  const lines: TraceLine[] = [];
  for (const one of segment.hops) {
    const goesOn = one.continues === true && seen.length > 0;
    if (!goesOn) hop++;
    // An outer packet is compared with the one before it, and what it carried with how it went in.
    const before = seen.find((packet) => (packet.inner === undefined) === (one.packet.inner === undefined));
    lines.push(...hopLines(one, { hop, goesOn, before, verbose: drawing.verbose }));
    seen = [one.packet, ...seen.filter((packet) => packet !== before)];
  }
  const there: Position = { way: at.way, hop, seen };
  const { then } = segment;
  if ('end' in then) return [...lines, ...endLines(sheet, index, then)];
  if (then.to.length === 1) return [...lines, ...segmentLines(sheet, then.to[0]!.segment, there)];
  return [...lines, ...forkLines(sheet, then, there)];
}

function forkLines(sheet: Sheet, fork: Fork, at: Position): TraceLine[] {
  const { trace, drawing } = sheet;
  const groups = groupsOf(fork.to, drawing);
  const shown = groups.length;
  const head: TraceLine = { kind: 'fork', text: forkText(trace, fork) };
  const ways = groups.flatMap((group, i): TraceLine[] => {
    const [first, ...folded] = group as [Branch, ...Branch[]];
    const way = at.way === '' ? String(i + 1) : `${at.way}.${i + 1}`;
    const alike = folded.length === 0 ? '' : `, one of ${group.length} that fare alike`;
    const title = `${drawing.name} ${way} of ${shown} (${chanceText(first.chance)}${alike})${labelText(trace, first)}`;
    return [
      { kind: 'way', text: title },
      ...(folded.length === 0 ? [] : [{ kind: 'note', text: foldedText(trace, folded) } as const]),
      ...segmentLines(sheet, first.segment, { ...at, way }),
    ];
  });
  return [head, ...ways];
}

const ALIVE: ReadonlySet<string> = new Set(['delivered', 'left-the-cluster']);

/** An error's own ends are judged by what they are. */
function endOf({ trace, drawing }: Sheet, index: number, leaf: LeafEnd): Pick<TraceEnd, 'fate' | 'text'> {
  const known = drawing.ends.get(`${drawing.leg}/${index}`);
  const isOpen = leaf.end === 'insufficient-information' || leaf.end === 'handed-to-userspace';
  const fate = isOpen ? 'unknown' : ALIVE.has(leaf.end) ? 'passed' : 'lost';
  return known ?? { fate, text: `${endText(trace, leaf)} (${shortPlace(leaf.place)})` };
}

function endLines(sheet: Sheet, index: number, leaf: LeafEnd): TraceLine[] {
  const { trace, drawing } = sheet;
  const { fate, text } = endOf(sheet, index, leaf);
  const answer = drawing.answers.get(index);
  if (fate === 'unknown') return [{ kind: 'open', text }, ...wantLines(leaf)];
  if (fate === 'passed') return [{ kind: 'alive', text }, ...(answer ? answerLines(answer, index, drawing) : [])];
  const line = endStep(trace, leaf)?.source.text;
  return [
    { kind: 'dead', text },
    ...(line === undefined || text.includes(line) ? [] : [{ kind: 'quote', text: line } as const]),
    { kind: 'note', text: `the sender sees ${senderText(leaf)}` },
    ...errorLines(leaf, drawing),
  ];
}

function wantLines({ wants }: LeafEnd): TraceLine[] {
  const names = [
    ...new Set(
      wants.map((want) => (want.place.node === '' ? want.action : `${want.action} of ${shortPlace(want.place)}`)),
    ),
  ];
  if (names.length === 0) return [];
  const shown = names.slice(0, WANTS_MAX).join(', ');
  return [{ kind: 'note', text: `what would tell: ${shown}${names.length > WANTS_MAX ? ' …' : ''}` }];
}

function answerLines(trace: Trace, leaf: number, drawing: Drawing): TraceLine[] {
  const own = { answers: new Map(), shapes: branchShapes(trace), name: 'WAY BACK', leg: `reply-${leaf}` };
  return [
    { kind: 'title', text: `THE WAY BACK: ${flowText(trace.packet)}` },
    ...traceLines(trace, { ...drawing, ...own }),
  ];
}

/** What becomes of the error that the end sends. */
function errorLines(leaf: LeafEnd, drawing: Drawing): TraceLine[] {
  const { errorTrace } = leaf;
  if (!errorTrace) return [];
  const head = `it is told by ${flowText(errorTrace.packet)}`;
  if (!drawing.verbose) {
    const ends = errorTrace.segments.flatMap((segment) => ('end' in segment.then ? [segment.then] : []));
    const told = ends.map((end) =>
      end.end === 'delivered' ? 'which arrives' : `which does not arrive: ${endText(errorTrace, end)}`,
    );
    return [{ kind: 'note', text: `${head}, ${[...new Set(told)].join('; or ')}` }];
  }
  return [
    { kind: 'title', text: `THE ERROR’S WAY BACK: ${flowText(errorTrace.packet)}` },
    ...traceLines(errorTrace, {
      ...drawing,
      answers: new Map(),
      ends: new Map(),
      shapes: branchShapes(errorTrace),
      name: 'ERROR',
    }),
  ];
}
