import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseAddress } from '../net/address.ts';
import { type MtuBounds, nextSizes, ROUNDS_MAX, readSizes, type SizeTally, tooBigOf } from './mtu-search.ts';

const BOUNDS: MtuBounds = { leastBytes: 256, mostBytes: 1500 };
const ROUTER = parseAddress('10.0.0.1')!;

interface Path {
  readonly passes: (sizeBytes: number) => boolean;
  /** The MTU that an ICMP error names; undefined: none comes back. */
  readonly tells?: number;
  /** Answered of four, of what passes. */
  readonly answered?: (sizeBytes: number, round: number) => number;
}

/** The search against a path; how many rounds it took. */
function search({ passes, tells, answered = () => 4 }: Path, bounds = BOUNDS) {
  const tallies: SizeTally[] = [];
  let rounds = 0;
  for (; rounds < ROUNDS_MAX; rounds++) {
    const sizes = nextSizes(tallies, bounds);
    if (sizes.length === 0) break;
    for (const sizeBytes of sizes) {
      const isThrough = passes(sizeBytes);
      const tooBig = !isThrough && tells !== undefined ? [{ from: ROUTER, mtu: tells }] : [];
      tallies.push({ sizeBytes, sent: 4, answered: isThrough ? answered(sizeBytes, rounds) : 0, tooBig });
    }
  }
  return { tallies, rounds, reading: readSizes(tallies, bounds) };
}

const carries =
  (mtuBytes: number) =>
  (sizeBytes: number): boolean =>
    sizeBytes <= mtuBytes;

describe('a path that carries less', () => {
  test('any MTU is found to the byte, silent or told, in few rounds and packets', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 256, max: 65_000 }),
        fc.integer({ min: 1, max: 500 }),
        fc.boolean(),
        (mtu, more, isTold) => {
          const bounds = { leastBytes: 256, mostBytes: mtu + more, likely: [mtu - 7, 1400] };
          const { reading, rounds, tallies } = search(
            { passes: carries(mtu), ...(isTold ? { tells: mtu } : {}) },
            bounds,
          );
          expect(reading).toEqual({ is: 'smaller', mtuBytes: mtu });
          expect(rounds).toBeLessThanOrEqual(7);
          expect(tallies.length).toBeLessThanOrEqual(16 * 7);
        },
      ),
    );
  });

  test('an ICMP error that names too large an MTU is a hint and no more', () => {
    expect(search({ passes: carries(1350), tells: 1400 }).reading).toEqual({ is: 'smaller', mtuBytes: 1350 });
  });

  test('who said so is kept, once', () => {
    expect(tooBigOf(search({ passes: carries(1400), tells: 1400 }).tallies)).toEqual([{ from: ROUTER, mtu: 1400 }]);
  });

  test('half of what fits is lost as well: the loss is not taken for an MTU, the MTU not for loss', () => {
    const answered = (): number => 2;
    expect(search({ passes: carries(1400), answered }).reading).toEqual({ is: 'smaller', mtuBytes: 1400 });
  });
});

test('what the device takes passes: one round', () => {
  expect(search({ passes: () => true })).toMatchObject({ rounds: 1, reading: { is: 'whole', mtuBytes: 1500 } });
});

test('near miss: the largest was lost once, and passes when it is tried again', () => {
  const flaky: SizeTally[] = [];
  const sizes = nextSizes(flaky, BOUNDS);
  for (const sizeBytes of sizes) flaky.push({ sizeBytes, sent: 4, answered: sizeBytes === 1500 ? 0 : 4, tooBig: [] });
  expect(readSizes(flaky, BOUNDS).is).toBe('unknown');
  expect(nextSizes(flaky, BOUNDS).length).toBeGreaterThan(0);
});

test('near miss: one size is lost and larger ones pass: not size alone', () => {
  const first = nextSizes([], BOUNDS)[5]!;
  const { reading } = search({ passes: (size) => size !== first });
  // The device's own MTU passes, so nothing is lost for its size.
  expect(reading).toEqual({ is: 'whole', mtuBytes: 1500 });
  const { reading: odd } = search({ passes: (size) => size !== first && size < 1450 });
  expect(odd).toMatchObject({ is: 'unknown', because: expect.stringContaining(`packets of ${first} bytes are lost`) });
});

test('nearly all is lost at any size: it is not known', () => {
  const small = (sizeBytes: number): number => (sizeBytes === 256 ? 1 : 0);
  expect(search({ passes: () => true, answered: small }).reading.is).toBe('unknown');
});

test('nothing answers; nothing could be sent', () => {
  const dead = search({ passes: () => false });
  expect(dead.reading).toEqual({ is: 'unanswered' });
  expect(dead.rounds).toBeLessThanOrEqual(2);
  expect(readSizes([], BOUNDS)).toEqual({ is: 'unknown', because: 'nothing could be sent' });
});
