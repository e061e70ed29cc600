import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A test that did not run, or that failed. */
export interface Named {
  readonly id: string;
  readonly because: string;
}

/** What a suite came to. */
export interface Tally {
  readonly suite: string;
  readonly passed: number;
  readonly failed: readonly Named[];
  readonly skipped: readonly Named[];
}

export const skippedWhole = (suite: string, because: string): Tally => ({
  suite,
  passed: 0,
  failed: [],
  skipped: [{ id: '*', because }],
});

/** Two parts of one suite. */
export const addTallies = (a: Tally, b: Tally): Tally => ({
  suite: a.suite,
  passed: a.passed + b.passed,
  failed: [...a.failed, ...b.failed],
  skipped: [...a.skipped, ...b.skipped],
});

/** An entry of expected-skips.json; an id that ends with `*` stands for all that begin so. */
export interface ExpectedSkip {
  readonly suite: string;
  readonly id: string;
  readonly because: string;
}

export const readExpectedSkips = async (): Promise<readonly ExpectedSkip[]> =>
  JSON.parse(await readFile(join(import.meta.dirname, '..', 'expected-skips.json'), 'utf8'));

const covers = (expected: ExpectedSkip, suite: string, id: string): boolean =>
  expected.suite === suite &&
  (expected.id.endsWith('*') ? id.startsWith(expected.id.slice(0, -1)) : expected.id === id);

export const unexpectedSkips = (tally: Tally, expected: readonly ExpectedSkip[]): readonly Named[] =>
  tally.skipped.filter(({ id }) => !expected.some((entry) => covers(entry, tally.suite, id)));

/** One line for a suite, and one below for each test that did not pass. */
export const renderTally = ({ suite, passed, failed, skipped }: Tally, seconds: number): string =>
  [
    `${suite}: ${passed} passed, ${failed.length} failed, ${skipped.length} skipped (${seconds.toFixed(0)} s)`,
    ...failed.map(({ id, because }) => `  failed   ${id}: ${because}`),
    ...skipped.map(({ id, because }) => `  skipped  ${id}, because ${because}`),
  ].join('\n');

/** The last line of all. */
export const renderTotal = (tallies: readonly Tally[]): string => {
  const passed = tallies.reduce((sum, tally) => sum + tally.passed, 0);
  const failed = tallies.reduce((sum, tally) => sum + tally.failed.length, 0);
  const skipped = tallies.reduce((sum, tally) => sum + tally.skipped.length, 0);
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
};
