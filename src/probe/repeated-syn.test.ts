import { expect, it } from 'vitest';
import { repeatedSyns } from './repeated-syn.ts';

it('names connections that took as long as the kernel waits before it sends a SYN again', () => {
  expect(repeatedSyns([0.4, 1003.1, 1040, 3010, 7020.5, 0.5])).toEqual([
    { aroundMs: 1_000, count: 2 },
    { aroundMs: 3_000, count: 1 },
    { aroundMs: 7_000, count: 1 },
  ]);
});

it('names none that are just slow', () => {
  expect(repeatedSyns([900, 1_400, 1_800, 2_500, 6_000, 10_000])).toEqual([]);
});
