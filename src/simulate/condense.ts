import type { Cursor, End } from './cursor.ts';
import type { Graph, GraphNode } from './explore.ts';
import type { Hop, LeafEnd, Segment, Step, StepRef, Trace } from './trace.ts';

export interface CondensedTrace {
  readonly trace: Trace;
  /** The cursor at each leaf, by segment: what the way back begins with. */
  readonly ends: ReadonlyMap<number, End>;
  /** The walks of the errors that leaves sent, by segment: their ends tell which connections were left behind. */
  readonly errors?: ReadonlyMap<number, CondensedTrace>;
}

/** Makes segments of the graph's chains: a segment begins at the root, behind a fork, and where ways meet. */
export function condense(graph: Graph, start: Cursor): CondensedTrace {
  const heads = headsOf(graph);
  const segmentOf = new Map([...heads].map((node, index) => [node, index]));
  const ends = new Map<number, End>();
  const segments = [...heads].map((head, index): Segment => {
    const chain = chainFrom(graph, head, segmentOf);
    const hops = hopsOf(chain);
    const last = chain.at(-1)!;
    return { hops, ...thenOf(last, segmentOf, lastRef(hops, index), index, ends) };
  });
  return { trace: { packet: start.packet, from: start.place, segments, unwalked: graph.unwalked }, ends };
}

/** Node 0 and every node that is entered by a fork or by more than one way, in the order of the walk. */
function headsOf(graph: Graph): ReadonlySet<number> {
  const entered = new Array<number>(graph.nodes.length).fill(0);
  const heads = new Set<number>([0]);
  for (const { out } of graph.nodes) {
    if (out.kind === 'next') entered[out.node]! += 1;
    if (out.kind === 'fork') for (const { node } of out.to) heads.add(node);
  }
  for (const { out } of graph.nodes) if (out.kind === 'next' && entered[out.node]! > 1) heads.add(out.node);
  return heads;
}

function chainFrom(graph: Graph, head: number, segments: ReadonlyMap<number, number>): readonly GraphNode[] {
  const chain: GraphNode[] = [];
  for (let at: number | undefined = head; at !== undefined; ) {
    const node: GraphNode = graph.nodes[at]!;
    chain.push(node);
    const next: number | undefined = node.out.kind === 'next' ? node.out.node : undefined;
    at = next !== undefined && !segments.has(next) ? next : undefined;
  }
  return chain;
}

type OpenHop = { -readonly [K in keyof Hop]: Hop[K] } & { steps: Step[] };

function hopsOf(chain: readonly GraphNode[]): Hop[] {
  const hops: OpenHop[] = [];
  for (const node of chain) {
    if (node.entersHop) hops.push(hopOf(node.cursor));
    else if (hops.length === 0) hops.push({ ...hopOf(node.cursor), continues: true });
    const hop = hops.at(-1)!;
    hop.steps.push(...node.steps);
    if (node.output !== undefined) hop.output = node.output;
  }
  return hops;
}

function hopOf({ place, stage, path, packet, meta }: Cursor): OpenHop {
  const input = stage.name === 'arrive' ? stage.device : (path.physicalInput ?? path.input);
  return { place, packet, meta, steps: [], ...(input === undefined ? {} : { input }) };
}

function lastRef(hops: readonly Hop[], segment: number): StepRef {
  return { segment, hop: hops.length - 1, step: Math.max(0, hops.at(-1)!.steps.length - 1) };
}

function thenOf(
  last: GraphNode,
  segments: ReadonlyMap<number, number>,
  at: StepRef,
  index: number,
  ends: Map<number, End>,
): Pick<Segment, 'then'> {
  const { out } = last;
  if (out.kind === 'end') {
    ends.set(index, out.end);
    return thenIs(leafOf(out.end, at));
  }
  if (out.kind === 'fork') {
    const to = out.to.map(({ node, chance }) => ({ segment: segments.get(node)!, chance }));
    return thenIs({ fork: out.fork, at, to });
  }
  // Ways that met: the chain goes on in a segment of its own.
  const next = out.kind === 'next' ? segments.get(out.node)! : index;
  return thenIs({ fork: 'undecided', at, to: [{ segment: next, chance: { min: 1, max: 1 } }] });
}

function thenIs(value: Segment['then']): Pick<Segment, 'then'> {
  // biome-ignore lint/suspicious/noThenProperty: a segment is never awaited; the trace's contract names it so.
  return { then: value };
}

function leafOf(end: End, at: StepRef): LeafEnd {
  const { cursor } = end;
  return {
    end: end.end,
    at,
    packet: cursor.packet,
    meta: cursor.meta,
    place: end.place ?? cursor.place,
    // What becomes of a tunnel's outer packet, who sent the inner one is not told.
    senderSees: cursor.packet.inner ? 'nothing' : end.senderSees,
    ...(end.because === undefined ? {} : { because: end.because }),
    wants: [...(end.wants ?? []), ...(cursor.wants ?? [])],
    ...(end.errorPacket === undefined ? {} : { errorPacket: end.errorPacket }),
  };
}
