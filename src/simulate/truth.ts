import type { Chance, Truth } from './trace.ts';

/** Kleene's three-valued logic. */
export function and(...values: readonly Truth[]): Truth {
  let all: Truth = 'yes';
  for (const value of values) {
    if (value === 'no') return 'no';
    if (value === 'unknown') all = value;
  }
  return all;
}

export function or(...values: readonly Truth[]): Truth {
  if (values.includes('yes')) return 'yes';
  return values.includes('unknown') ? 'unknown' : 'no';
}

export function not(value: Truth): Truth {
  if (value === 'unknown') return 'unknown';
  return value === 'yes' ? 'no' : 'yes';
}

export function truth(value: boolean): Truth {
  return value ? 'yes' : 'no';
}

export const CERTAIN: Chance = { min: 1, max: 1 };
export const UNDECIDED: Chance = { min: 0, max: 1 };

export function chanceOf(probability: number): Chance {
  return { min: probability, max: probability };
}

/** Chance of both, one after the other. */
export function both(a: Chance, b: Chance): Chance {
  return { min: a.min * b.min, max: a.max * b.max };
}
