import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { timeHistogram } from './time-histogram.ts';

describe('timeHistogram', () => {
  it('counts in bins of 1, 2, 5', () => {
    expect(timeHistogram([0.3, 0.2, 0.5, 0.49, 2.1])).toEqual([
      { fromMs: 0.2, toMs: 0.5, count: 3 },
      { fromMs: 0.5, toMs: 1, count: 1 },
      { fromMs: 1, toMs: 2, count: 0 },
      { fromMs: 2, toMs: 5, count: 1 },
    ]);
  });

  it('begins at nothing', () => {
    expect(timeHistogram([0, 0.004])).toEqual([{ fromMs: 0, toMs: 0.01, count: 2 }]);
    expect(timeHistogram([])).toEqual([]);
  });

  it('counts each time once, where it belongs', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 30_000, noNaN: true }), { minLength: 1 }), (times) => {
        const bins = timeHistogram(times);
        expect(bins.reduce((sum, { count }) => sum + count, 0)).toBe(times.length);
        for (const { fromMs, toMs, count } of bins)
          expect(times.filter((time) => time >= fromMs && time < toMs)).toHaveLength(count);
      }),
    );
  });
});
