import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sameValue } from './same-value.ts';

describe('sameValue', () => {
  it('is what JSON tells alike', () => {
    const small = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 3 },
        fc.constantFrom<unknown>(null, true, false, 0, 1, '', 'a'),
        fc.array(tie('value'), { maxLength: 2 }),
        fc.dictionary(fc.constantFrom('x', 'y'), tie('value'), { maxKeys: 2, noNullPrototype: true }),
      ),
    })).value;
    const sorted = (value: unknown): string =>
      JSON.stringify(value, (_, one: unknown) =>
        typeof one === 'object' && one !== null && !Array.isArray(one)
          ? Object.fromEntries(Object.entries(one).toSorted(([a], [b]) => (a < b ? -1 : 1)))
          : one,
      );
    fc.assert(
      fc.property(small, small, (a, b) => {
        expect(sameValue(a, b)).toBe(sorted(a) === sorted(b));
        expect(sameValue(a, structuredClone(a))).toBe(true);
      }),
      { seed: 8, numRuns: 3000 },
    );
  });

  it('takes an undefined member for one that is left out, on either side', () => {
    expect(sameValue({ a: undefined, b: 1 }, { b: 1 })).toBe(true);
    expect(sameValue({ b: 1 }, { a: undefined, b: 1 })).toBe(true);
    expect(sameValue({ a: undefined }, { a: null })).toBe(false);
  });
});
