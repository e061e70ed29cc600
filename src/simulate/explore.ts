import type { Cursor, End, Stage, Walk } from './cursor.ts';
import { isEnd, unknownEnd } from './cursor.ts';
import { cutCircles } from './cut-circles.ts';
import { sameValue } from './same-value.ts';
import { STAGES } from './stages.ts';
import type { Chance, Fork, Step } from './trace.ts';

/** Live branches and steps of one walk; what exceeds them stays unwalked and is said. */
export const BRANCHES_MAX = 256;
export const STEPS_MAX = 4096;

/** One stage's doing, or (without a cursor's own stage) the steps of one way of a fork. */
export interface GraphNode {
  readonly cursor: Cursor;
  /** Whether a new stay in a namespace begins here. */
  readonly entersHop: boolean;
  steps: readonly Step[];
  /** The device that the packet leaves by at this stage. */
  readonly output: string | undefined;
  out: GraphOut;
}

export type GraphOut =
  | { readonly kind: 'open' }
  | { readonly kind: 'next'; readonly node: number }
  | {
      readonly kind: 'fork';
      readonly fork: Fork['fork'];
      readonly to: readonly { readonly node: number; readonly chance: Chance }[];
    }
  | { readonly kind: 'end'; readonly end: End };

export interface Graph {
  readonly nodes: readonly GraphNode[];
  readonly unwalked: number;
}

/**
 * Walks every way that the packet can take. Ways that come to stand alike (place, stage, packet, what the kernel keeps
 * beside it) go on as one.
 */
export function explore(walk: Walk, start: Cursor): Graph {
  const nodes: GraphNode[] = [];
  const known = new Map<string, Standing[]>();
  const waiting: number[] = [];
  let steps = 0;
  let unwalked = 0;
  let haveMet = false;

  const visit = (cursor: Cursor): number => {
    const { destination } = cursor.packet.ip;
    const alike = known.get(destination);
    for (const one of alike ?? NOBODY) {
      if (!standAlike(one.cursor, cursor)) continue;
      haveMet = true;
      return one.index;
    }
    const index = nodes.push(nodeOf(cursor)) - 1;
    if (alike) alike.push({ index, cursor });
    else known.set(destination, [{ index, cursor }]);
    waiting.push(index);
    return index;
  };

  const addWay = (steps: readonly Step[], to: Cursor | End): number => {
    if (!isEnd(to) && steps.length === 0) return visit(to);
    const cursor = isEnd(to) ? to.cursor : to;
    const node: GraphNode = { cursor, entersHop: false, steps, output: undefined, out: OPEN };
    const index = nodes.push(node) - 1;
    node.out = isEnd(to) ? { kind: 'end', end: to } : { kind: 'next', node: visit(to) };
    return index;
  };

  visit(start);
  while (waiting.length > 0) {
    const index = waiting.pop()!;
    const node = nodes[index]!;
    if (steps >= STEPS_MAX || waiting.length >= BRANCHES_MAX) {
      node.out = { kind: 'end', end: unknownEnd(node.cursor, 'the walk has more branches than its budget') };
      unwalked++;
      continue;
    }
    const move = STAGES[node.cursor.stage.name](walk, node.cursor);
    steps++;
    for (const way of move.ways) steps += walk.world.record ? countOf(way.steps) : way.steps.length;
    const only = move.ways.length === 1 ? move.ways[0]! : undefined;
    if (only) {
      node.steps = only.steps;
      node.out = isEnd(only.to) ? { kind: 'end', end: only.to } : { kind: 'next', node: visit(only.to) };
      continue;
    }
    const to = move.ways.map((way) => ({ node: addWay(way.steps, way.to), chance: way.chance }));
    node.out = { kind: 'fork', fork: move.fork ?? 'undecided', to };
  }
  if (haveMet) cutCircles(nodes);
  return { nodes, unwalked };
}

/** What was passed over (World.record) costs nothing: telling of it must not cut the walk short. */
function countOf(steps: readonly Step[]): number {
  let count = 0;
  for (const step of steps) if (step.matched !== 'no') count++;
  return count;
}

interface Standing {
  readonly index: number;
  readonly cursor: Cursor;
}

const NOBODY: readonly Standing[] = [];
const NO_STEPS: readonly Step[] = [];
const OPEN: GraphOut = { kind: 'open' };

function nodeOf(cursor: Cursor): GraphNode {
  const { stage } = cursor;
  return {
    cursor,
    entersHop: entersStay(stage),
    steps: NO_STEPS,
    output: stage.name === 'transmit' || stage.name === 'encapsulate' ? stage.device : undefined,
    out: OPEN,
  };
}

/** The arrivals so far are left out: two ways that stand alike go on alike. */
function standAlike(a: Cursor, b: Cursor): boolean {
  return (
    a.stage.name === b.stage.name &&
    a.place.namespace === b.place.namespace &&
    a.place.node === b.place.node &&
    sameValue(a.stage, b.stage) &&
    sameValue(a.meta, b.meta) &&
    sameValue(a.packet, b.packet) &&
    sameValue(a.path, b.path) &&
    sameValue(a.tracking, b.tracking)
  );
}

function entersStay(stage: Stage): boolean {
  if (stage.name === 'arrive') return !stage.within;
  return stage.name === 'output' || (stage.name === 'transmit' && stage.enters === true);
}
