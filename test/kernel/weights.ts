import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Feature } from './feature.ts';

/*
 * How often each feature is chosen. weights.json is no opinion: `npm run fidelity -- --weigh` makes it from a run, so that each feature
 * comes to about as many decisive cases as any other.
 */

export const WEIGHTS = join(import.meta.dirname, 'weights.json');

export interface Weighed {
  readonly feature: Feature;
  readonly weight: number;
}

const kept: Readonly<Record<string, number>> = existsSync(WEIGHTS)
  ? (JSON.parse(readFileSync(WEIGHTS, 'utf8')) as Record<string, number>)
  : {};

export function weightOf({ name, weight }: Feature): number {
  return kept[name] ?? weight ?? 1;
}

export function weighed(features: readonly Feature[]): readonly Weighed[] {
  return features.map((feature) => ({ feature, weight: weightOf(feature) }));
}

/** What a run has shown of one feature. */
export interface Yield {
  /** Cases that have it, those of them that were looked at, and those in which it decided something. */
  readonly cases: number;
  readonly looked: number;
  readonly decisive: number;
}

/** A weight changes by no more than this at once, and none gets out of these bounds: what never decides shall not crowd out the rest. */
const STEP_MAX = 3;
const WEIGHT_MIN = 0.4;
const WEIGHT_MAX = 12;

/** New weights from what a run has shown: what decided less often than the middle of them all is chosen more often. */
export function reweighed(
  features: readonly Feature[],
  shown: ReadonlyMap<string, Yield>,
): Readonly<Record<string, number>> {
  const rates = new Map(
    features.map(({ name }): [string, number] => {
      const { cases, looked, decisive } = shown.get(name) ?? { cases: 0, looked: 0, decisive: 0 };
      // Half a case more, so that one that was not yet decisive is only thought to be rare.
      return [name, looked === 0 ? 0.5 : (cases * (decisive + 0.5)) / looked];
    }),
  );
  const middle = [...rates.values()].toSorted((a, b) => a - b)[Math.floor(rates.size / 2)]!;
  return Object.fromEntries(
    features.map((feature): [string, number] => {
      const step = Math.min(STEP_MAX, Math.max(1 / STEP_MAX, middle / rates.get(feature.name)!));
      const weight = Math.min(WEIGHT_MAX, Math.max(WEIGHT_MIN, weightOf(feature) * step));
      return [feature.name, Number(weight.toPrecision(2))];
    }),
  );
}

export function textOfWeights(weights: Readonly<Record<string, number>>): string {
  return `${JSON.stringify(weights, null, 1)}\n`;
}
