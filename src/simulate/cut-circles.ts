import type { Cursor, End } from './cursor.ts';
import type { GraphNode, GraphOut } from './explore.ts';

/**
 * A way that comes back to a state in which it was before goes round for ever (a loop of bridges or tunnels, where no TTL is
 * counted down): it ends there as a loop, so that a trace is without circles. Changes the nodes and adds to them.
 */
export function cutCircles(nodes: GraphNode[]): void {
  const state = new Map<number, 'above' | 'done'>();
  const path: { readonly node: number; next: number }[] = [];
  const enter = (node: number): void => {
    state.set(node, 'above');
    path.push({ node, next: 0 });
  };
  if (nodes.length > 0) enter(0);
  while (path.length > 0) {
    const here = path.at(-1)!;
    const to = leadsTo(nodes[here.node]!.out)[here.next];
    if (to === undefined) {
      state.set(here.node, 'done');
      path.pop();
      continue;
    }
    if (state.get(to) === 'above') cut(nodes, here.node, here.next);
    else if (!state.has(to)) {
      here.next++;
      enter(to);
      continue;
    }
    here.next++;
  }
}

function leadsTo(out: GraphOut): readonly number[] {
  if (out.kind === 'next') return [out.node];
  return out.kind === 'fork' ? out.to.map(({ node }) => node) : [];
}

function cut(nodes: GraphNode[], at: number, way: number): void {
  const node = nodes[at]!;
  const { out } = node;
  if (out.kind === 'next') {
    node.out = { kind: 'end', end: circle(nodes[out.node]!.cursor) };
  } else if (out.kind === 'fork') {
    const { cursor } = nodes[out.to[way]!.node]!;
    const end: GraphNode = {
      cursor,
      entersHop: false,
      steps: [],
      output: undefined,
      out: { kind: 'end', end: circle(cursor) },
    };
    const index = nodes.push(end) - 1;
    node.out = { ...out, to: out.to.map((one, each) => (each === way ? { ...one, node: index } : one)) };
  }
}

function circle(cursor: Cursor): End {
  const because = 'it comes back as it was, its TTL with it: it goes round for ever';
  return { end: 'loop', cursor, senderSees: 'nothing', because };
}
