import type { Chance, Fork, LeafEnd, RoundTrip, Trace } from '../simulate/trace.ts';
import { both } from '../simulate/truth.ts';

/** Names one end of one walk: which flow, the way there or the way back of which forward leaf, which segment. */
export interface LeafRef {
  readonly flow: string;
  readonly leg: 'forward' | `reply-${number}`;
  readonly segment: number;
}

export interface Leaf {
  readonly ref: LeafRef;
  readonly end: LeafEnd;
  readonly trace: Trace;
  /** Chance of ending here, of all packets that set out; a way back counts as much as the way there that it answers. */
  readonly chance: Chance;
}

export function leafKey(ref: LeafRef): string {
  return `${ref.flow}/${ref.leg}/${ref.segment}`;
}

/** The leaves of one trace with their chances given that it is walked at all, in the order of the walk. */
export function leavesOf(trace: Trace, flow: string, leg: LeafRef['leg']): Leaf[] {
  const order = topologicalOrder(trace);
  return order.flatMap((segment) => {
    const { then } = trace.segments[segment]!;
    if (!('end' in then)) return [];
    return [{ ref: { flow, leg, segment }, end: then, trace, chance: chanceOfReaching(segment, trace, order) }];
  });
}

/**
 * The least and the greatest chance of ending in `leaf`, from the leaves up to the root. Where an undecided rule's ways
 * meet again, whatever it does leads there: so the chances of a fork's ways are weighed together, not each by itself.
 */
function chanceOfReaching(leaf: number, trace: Trace, order: readonly number[]): Chance {
  const reached = new Map<number, Chance>();
  const none: Chance = { min: 0, max: 0 };
  for (const segment of [...order].reverse()) {
    const { then } = trace.segments[segment]!;
    if ('end' in then) {
      reached.set(segment, segment === leaf ? { min: 1, max: 1 } : none);
      continue;
    }
    const ways = then.to.map((way) => ({ chance: way.chance, value: reached.get(way.segment) ?? none }));
    reached.set(segment, {
      // Branches that the budget left out may end elsewhere: then only what each way has at least counts.
      min: trace.unwalked > 0 ? atLeast(ways) : extreme(ways, 'min'),
      max: extreme(ways, 'max'),
    });
  }
  return reached.get(0) ?? none;
}

interface Way {
  readonly chance: Fork['to'][number]['chance'];
  readonly value: Chance;
}

function atLeast(ways: readonly Way[]): number {
  return ways.reduce((sum, way) => sum + way.chance.min * way.value.min, 0);
}

/** The expected value over all chances within the intervals that add up to 1: what is left over goes to the best ways first. */
function extreme(ways: readonly Way[], which: 'min' | 'max'): number {
  const sorted = [...ways].sort((a, b) => (which === 'min' ? a.value.min - b.value.min : b.value.max - a.value.max));
  let left = 1 - sorted.reduce((sum, way) => sum + way.chance.min, 0);
  let total = 0;
  for (const way of sorted) {
    const more = Math.max(0, Math.min(left, way.chance.max - way.chance.min));
    left -= more;
    total += (way.chance.min + more) * way.value[which];
  }
  return Math.min(1, total);
}

/** Segments that the root leads to, each before those that it leads to. */
function topologicalOrder(trace: Trace): number[] {
  const order: number[] = [];
  const seen = new Set<number>();
  const visit = (segment: number): void => {
    if (seen.has(segment) || !trace.segments[segment]) return;
    seen.add(segment);
    const { then } = trace.segments[segment];
    if ('fork' in then) for (const branch of [...then.to].reverse()) visit(branch.segment);
    order.unshift(segment);
  };
  visit(0);
  return order;
}

/** Every leaf of the way there and of each way back. */
export function tripLeaves(trip: RoundTrip, flow: string): Leaf[] {
  const forward = leavesOf(trip.forward, flow, 'forward');
  const replies = trip.replies.flatMap((reply) => {
    const there = forward.find((leaf) => leaf.ref.segment === reply.leaf)?.chance ?? { min: 0, max: 1 };
    return leavesOf(reply.trace, flow, `reply-${reply.leaf}`).map((leaf) => ({
      ...leaf,
      chance: both(there, leaf.chance),
    }));
  });
  return [...forward, ...replies];
}

/** Sums of shares such as a third each are not exactly 1. */
const ROUNDING = 1e-9;

export function isCertain(chance: Chance): boolean {
  return chance.min >= 1 - ROUNDING;
}
