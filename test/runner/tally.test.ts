import { expect, test } from 'vitest';
import { addTallies, renderTally, renderTotal, skippedWhole, type Tally, unexpectedSkips } from './tally.ts';

const unit: Tally = { suite: 'unit', passed: 7, failed: [], skipped: [{ id: 'a.test.ts slow', because: 'no root' }] };
const broken: Tally = { suite: 'cluster', passed: 1, failed: [{ id: 'x', because: 'it is red' }], skipped: [] };

test('the last line of a run adds up all suites', () => {
  expect(renderTotal([unit, broken, skippedWhole('namespace', 'not root')])).toBe('8 passed, 1 failed, 2 skipped');
});

test('a suite says what failed and what it skipped, and why', () => {
  const text = renderTally(addTallies(broken, unit), 2.4).split('\n');
  expect(text[0]).toBe('cluster: 8 passed, 1 failed, 1 skipped (2 s)');
  expect(text[1]).toContain('x: it is red');
  expect(text[2]).toContain('a.test.ts slow, because no root');
});

test.each([
  [[], ['a.test.ts slow']],
  [[{ suite: 'unit', id: 'a.test.ts slow', because: '' }], []],
  [[{ suite: 'unit', id: 'a.test.ts*', because: '' }], []],
  [[{ suite: 'unit', id: 'a.test.ts', because: '' }], ['a.test.ts slow']],
  [[{ suite: 'cluster', id: '*', because: '' }], ['a.test.ts slow']],
])('with %j expected, %j is not', (expected, left) => {
  expect(unexpectedSkips(unit, expected).map(({ id }) => id)).toEqual(left);
});
