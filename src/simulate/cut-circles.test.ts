import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Cursor } from './cursor.ts';
import { cutCircles } from './cut-circles.ts';
import type { GraphNode } from './explore.ts';

/** Nodes that lead to these; none is an end. Only where they lead is looked at. */
function graphOf(ways: readonly (readonly number[])[]): GraphNode[] {
  return ways.map((to, index): GraphNode => {
    const cursor = { visited: [String(index)] } as unknown as Cursor;
    const node = { cursor, entersHop: false, steps: [], output: undefined };
    if (to.length === 0)
      return { ...node, out: { kind: 'end', end: { end: 'delivered', cursor, senderSees: 'reply' } } };
    if (to.length === 1) return { ...node, out: { kind: 'next', node: to[0]! } };
    const chance = { min: 0, max: 1 };
    return { ...node, out: { kind: 'fork', fork: 'undecided', to: to.map((one) => ({ node: one, chance })) } };
  });
}

const waysOf = (nodes: readonly GraphNode[]): number[][] =>
  nodes.map(({ out }) =>
    out.kind === 'next' ? [out.node] : out.kind === 'fork' ? out.to.map(({ node }) => node) : [],
  );

function hasCircle(nodes: readonly GraphNode[]): boolean {
  const ways = waysOf(nodes);
  const visit = (at: number, above: ReadonlySet<number>): boolean =>
    above.has(at) || ways[at]!.some((next) => visit(next, new Set([...above, at])));
  return visit(0, new Set());
}

const endsOf = (nodes: readonly GraphNode[]) => nodes.flatMap(({ out }) => (out.kind === 'end' ? [out.end.end] : []));

function cutOf(ways: readonly (readonly number[])[]): GraphNode[] {
  const nodes = graphOf(ways);
  cutCircles(nodes);
  return nodes;
}

describe('a way that comes back to where it was', () => {
  test('ends as a loop', () => {
    const nodes = cutOf([[1], [2], [1]]);
    expect(waysOf(nodes)).toEqual([[1], [2], []]);
    expect(endsOf(nodes)).toEqual(['loop']);
  });

  test('of a fork ends alone: the other way goes on', () => {
    const nodes = cutOf([[1], [0, 2], []]);
    expect(waysOf(nodes)).toEqual([[1], [3, 2], [], []]);
    expect(endsOf(nodes)).toEqual(['delivered', 'loop']);
  });

  test('to itself ends as well', () => {
    expect(endsOf(cutOf([[0]]))).toEqual(['loop']);
  });
});

test('ways that meet again are no circle, and stay', () => {
  const ways = [[1, 2], [3], [3], []];
  expect(waysOf(cutOf(ways))).toEqual(ways);
});

test('no graph has a circle afterwards, and one without stays as it is', () => {
  const graph = fc
    .integer({ min: 1, max: 8 })
    .chain((size) => fc.array(fc.array(fc.nat(size - 1), { maxLength: 3 }), { minLength: size, maxLength: size }));
  fc.assert(
    fc.property(graph, (ways) => {
      const before = graphOf(ways);
      const nodes = cutOf(ways);
      expect(hasCircle(nodes)).toBe(false);
      if (!hasCircle(before)) expect(waysOf(nodes)).toEqual(waysOf(before));
    }),
  );
});
