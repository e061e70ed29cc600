import { describe, expect, it } from 'vitest';
import { mergeWays, normalise, opposite } from './chances.ts';
import { CERTAIN, UNDECIDED } from './truth.ts';

const merge = (ways: { key: string; chance: { min: number; max: number } }[], total = CERTAIN) =>
  mergeWays(
    ways,
    total,
    (way) => way.key,
    (a) => a,
  ).map((way) => [way.key, way.chance.min, way.chance.max]);

describe('chances', () => {
  it('makes two undecided ways that end alike certain again', () => {
    expect(
      merge([
        { key: 'a', chance: UNDECIDED },
        { key: 'a', chance: UNDECIDED },
      ]),
    ).toEqual([['a', 1, 1]]);
  });

  it('keeps undecided what differs', () => {
    expect(
      merge([
        { key: 'a', chance: UNDECIDED },
        { key: 'b', chance: UNDECIDED },
      ]),
    ).toEqual([
      ['a', 0, 1],
      ['b', 0, 1],
    ]);
  });

  it('adds points, and gives a group at least what no other can take', () => {
    const ways = [
      { key: 'a', chance: { min: 0.25, max: 0.25 } },
      { key: 'b', chance: { min: 0, max: 0.5 } },
      { key: 'a', chance: { min: 0.25, max: 0.75 } },
    ];
    expect(merge(ways)).toEqual([
      ['a', 0.5, 1],
      ['b', 0, 0.5],
    ]);
  });

  it('stays within the chance of coming there at all', () => {
    const half = { min: 0.5, max: 0.5 };
    expect(
      normalise(
        [
          { min: 0, max: 0.5 },
          { min: 0, max: 0.5 },
        ],
        half,
      ),
    ).toEqual([
      { min: 0, max: 0.5 },
      { min: 0, max: 0.5 },
    ]);
    expect(
      merge(
        [
          { key: 'a', chance: { min: 0, max: 0.5 } },
          { key: 'a', chance: { min: 0, max: 0.5 } },
        ],
        half,
      ),
    ).toEqual([['a', 0.5, 0.5]]);
  });

  it('turns an interval round', () => {
    expect(opposite({ min: 0.2, max: 0.7 })).toEqual({ min: expect.closeTo(0.3), max: 0.8 });
  });
});
