import type { Chance, LeafEnd, RoundTrip, Segment, Trace } from '../simulate/trace.ts';

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
  /** Chance of ending here, given the leg is walked at all (and, for a reply, that the forward leaf was reached). */
  readonly chance: Chance;
}

export function leafKey(ref: LeafRef): string {
  return `${ref.flow}/${ref.leg}/${ref.segment}`;
}

export function isLeaf(segment: Segment): segment is Segment & { then: LeafEnd } {
  return 'end' in segment.then;
}

/** The leaves of one trace with their chances. A DAG: a merged segment sums its ways in. */
export function leavesOf(trace: Trace, flow: string, leg: LeafRef['leg']): Leaf[] {
  const chances = new Map<number, { min: number; max: number }>([[0, { min: 1, max: 1 }]]);
  const leaves: Leaf[] = [];
  for (const segment of topologicalOrder(trace)) {
    const chance = chances.get(segment) ?? { min: 0, max: 0 };
    const { then } = trace.segments[segment]!;
    if ('end' in then) {
      leaves.push({
        ref: { flow, leg, segment },
        end: then,
        trace,
        chance: { min: chance.min, max: Math.min(1, chance.max) },
      });
      continue;
    }
    for (const branch of then.to) {
      const sum = chances.get(branch.segment) ?? { min: 0, max: 0 };
      chances.set(branch.segment, {
        min: sum.min + chance.min * branch.chance.min,
        max: sum.max + chance.max * branch.chance.max,
      });
    }
  }
  return leaves;
}

function topologicalOrder(trace: Trace): number[] {
  const order: number[] = [];
  const seen = new Set<number>();
  const visit = (segment: number): void => {
    if (seen.has(segment) || !trace.segments[segment]) return;
    seen.add(segment);
    const { then } = trace.segments[segment];
    if ('fork' in then) for (const branch of then.to) visit(branch.segment);
    order.unshift(segment);
  };
  visit(0);
  return order;
}

/** Every leaf of the way there and of each way back. */
export function tripLeaves(trip: RoundTrip, flow: string): Leaf[] {
  const forward = leavesOf(trip.forward, flow, 'forward');
  const replies = trip.replies.flatMap((reply) => leavesOf(reply.trace, flow, `reply-${reply.leaf}`));
  return [...forward, ...replies];
}
