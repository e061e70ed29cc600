import type { Chance } from './trace.ts';
import { both } from './truth.ts';

/** One of several ways, with the chance of taking it. */
export interface Weighted {
  readonly chance: Chance;
}

/**
 * The chances of groups that together are all that can happen with `total`: what no other group can take is this
 * group's at least. So an undecided rule whose two ways end alike is certain again.
 */
export function normalise(groups: readonly Chance[], total: Chance): readonly Chance[] {
  if (groups.every(isPoint)) return groups;
  const sumMin = groups.reduce((sum, chance) => sum + chance.min, 0);
  const sumMax = groups.reduce((sum, chance) => sum + chance.max, 0);
  return groups.map((chance) => ({
    min: clamp(Math.max(chance.min, total.min - (sumMax - chance.max)), total),
    max: clamp(Math.min(chance.max, total.max - (sumMin - chance.min)), total),
  }));
}

/** Puts equal ways together and normalises. `join` makes one way of two that have the same key. */
export function mergeWays<T extends Weighted>(
  ways: readonly T[],
  total: Chance,
  key: (way: T) => string,
  join: (a: T, b: T) => T,
): T[] {
  if (ways.length < 2) return ways.map((way) => ({ ...way, chance: total }));
  const groups = new Map<string, T>();
  for (const way of ways) {
    const name = key(way);
    const former = groups.get(name);
    groups.set(name, former ? { ...join(former, way), chance: sum(former.chance, way.chance) } : way);
  }
  const list = [...groups.values()];
  const chances = normalise(
    list.map((way) => way.chance),
    total,
  );
  return list.map((way, index) => (way.chance === chances[index] ? way : { ...way, chance: chances[index]! }));
}

export function sum(a: Chance, b: Chance): Chance {
  return { min: Math.min(1, a.min + b.min), max: Math.min(1, a.max + b.max) };
}

export function opposite(chance: Chance): Chance {
  return { min: 1 - chance.max, max: 1 - chance.min };
}

export function isCertain(chance: Chance): boolean {
  return chance.min === 1 && chance.max === 1;
}

/** A chance that is known exactly. */
export function isPoint(chance: Chance): boolean {
  return chance.min === chance.max;
}

export function isImpossible(chance: Chance): boolean {
  return chance.max === 0;
}

export { both };

function clamp(value: number, total: Chance): number {
  return Math.min(total.max, Math.max(0, value));
}
