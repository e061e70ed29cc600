import type { Scalar } from '../host/host.ts';
import type { Place } from '../net/place.ts';
import type { FactName } from '../snapshot/facts.ts';
import type { Observed, Source } from '../snapshot/snapshot.ts';
import type { StepValues } from './step-values.ts';
import type { Step, Truth } from './trace.ts';

interface StepInput {
  readonly kind: Step['kind'];
  readonly at: string;
  readonly text: string;
  readonly source: Source;
  readonly values: { readonly [K in keyof StepValues]: StepValues[K] | undefined };
  readonly matched?: Truth;
  readonly changes?: Step['changes'];
  readonly features?: readonly string[];
}

/** A step; values that are undefined are left out. */
export function makeStep(input: StepInput): Step {
  return {
    kind: input.kind,
    at: input.at,
    matched: input.matched ?? 'yes',
    source: input.source,
    values: present(input.values),
    text: input.text,
    changes: input.changes ?? [],
    features: input.features ?? [],
  };
}

function present(given: StepInput['values']): StepValues {
  let isWhole = true;
  for (const name in given) isWhole &&= given[name] !== undefined;
  if (isWhole) return given as StepValues;
  const values: Record<string, Scalar> = {};
  for (const name in given) {
    const value = given[name];
    if (value !== undefined) values[name] = value;
  }
  return values;
}

/** Where a fact's statement comes from, with the line that says it. */
export function sourceOf(observed: Observed<unknown>, text?: string): Source {
  const source: Source = observed.state === 'seen' ? observed.source : { request: observed.want };
  return text === undefined ? source : { ...source, text };
}

/** The source of a step that no fact tells: the question that would. */
export function sourceAt(place: Place, action: FactName): Source {
  return { request: { action, place: { node: place.node, namespace: place.namespace }, args: {}, round: 0 } };
}
