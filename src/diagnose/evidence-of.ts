import type { Scalar } from '../host/host.ts';
import type { Place } from '../net/place.ts';
import type { Disposition, Hop, Step } from '../simulate/trace.ts';
import type { Seen, Source } from '../snapshot/snapshot.ts';
import type { Flow } from './derived.ts';
import type { Evidence } from './evidence.ts';
import type { Leaf } from './leaves.ts';

/** A dead end with the flow it belongs to. */
export interface DeadEnd {
  readonly flow: Flow;
  readonly leaf: Leaf;
  /** The step at which the packet died; undefined where the trace names none. */
  readonly step?: Step;
  readonly hop?: Hop;
}

/** The dead ends of these flows, narrowed by disposition and by the namespace in which the packet died. */
export function deadEnds(
  flows: readonly Flow[],
  only: { readonly ends?: readonly Disposition[]; readonly at?: Place } = {},
): DeadEnd[] {
  return flows.flatMap((flow) =>
    flow.dead
      .filter((leaf) => !only.ends || only.ends.includes(leaf.end.end))
      .filter(
        (leaf) => !only.at || (leaf.end.place.node === only.at.node && leaf.end.place.namespace === only.at.namespace),
      )
      .map((leaf) => ({ flow, leaf, step: stepOf(leaf), hop: hopOf(leaf) })),
  );
}

export function stepOf(leaf: Leaf): Step | undefined {
  return hopOf(leaf)?.steps[leaf.end.at.step];
}

export function hopOf(leaf: Leaf): Hop | undefined {
  return leaf.trace.segments[leaf.end.at.segment]?.hops[leaf.end.at.hop];
}

/** The hops of every segment of the way to this leaf, in order, where the way is the only one; otherwise of all segments. */
export function hopsTo(leaf: Leaf): Hop[] {
  const ways = new Map<number, number>();
  leaf.trace.segments.forEach((segment, index) => {
    if ('fork' in segment.then)
      for (const branch of segment.then.to) if (!ways.has(branch.segment)) ways.set(branch.segment, index);
  });
  const path: number[] = [];
  for (let at: number | undefined = leaf.ref.segment; at !== undefined && !path.includes(at); at = ways.get(at))
    path.unshift(at);
  return path.flatMap((index) => leaf.trace.segments[index]?.hops ?? []);
}

/** What the walk met: a step's own source line and values. */
export function walkEvidence(
  kind: string,
  place: Place,
  step: Step,
  statement: string,
  values: Readonly<Record<string, Scalar>> = {},
): Evidence {
  return { kind, plane: 'walk', place, source: step.source, values: { ...step.values, ...values }, statement };
}

/** What the state says, from an observed fact; `at` names the line where one line says it. */
export function stateEvidence(
  kind: string,
  place: Place,
  observed: Pick<Seen<unknown>, 'source'>,
  statement: string,
  values: Readonly<Record<string, Scalar>> = {},
  at: { readonly line?: number; readonly text?: string } = {},
): Evidence {
  const source: Source = { ...observed.source, ...at };
  return { kind, plane: 'state', place, source, values, statement };
}

/** A counter that rose between the first look and the one after the probes. */
export function counterEvidence(
  kind: string,
  place: Place,
  after: Pick<Seen<unknown>, 'source'>,
  name: string,
  rose: number,
): Evidence {
  return {
    kind,
    plane: 'kernel',
    place,
    source: after.source,
    values: { counter: name, rose },
    statement: `${name} rose by ${rose} while the probes ran`,
  };
}

/** What the failed probes of these flows saw. */
export function probeEvidence(flows: readonly Flow[]): Evidence[] {
  return flows.flatMap((flow) => (flow.probe?.passed === 'no' ? [flow.probe.evidence] : []));
}
