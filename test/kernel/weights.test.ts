import { describe, expect, it } from 'vitest';
import type { Feature } from './feature.ts';
import { reweighed } from './weights.ts';

const feature = (name: string): Feature => ({ name, weight: 1, add: () => true });
const FEATURES = ['often', 'middle', 'seldom', 'never'].map(feature);
const SHOWN = new Map([
  ['often', { cases: 40, looked: 40, decisive: 40 }],
  ['middle', { cases: 20, looked: 10, decisive: 5 }],
  ['seldom', { cases: 10, looked: 10, decisive: 6 }],
]);

describe('weights', () => {
  it('choose more often what decided seldom, by no more than three times at once', () => {
    // Half of the cases were looked at, so that twice as many were decisive.
    expect(reweighed(FEATURES, SHOWN)).toEqual({ often: 0.4, middle: 1, seldom: 1.7, never: 3 });
  });
});
