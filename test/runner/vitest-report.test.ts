import { expect, test } from 'vitest';
import { tallyVitest } from './vitest-report.ts';

const file = (status: string, results: readonly [string, string][], message = '') => ({
  name: '/repository/src/net/address.test.ts',
  status,
  message,
  assertionResults: results.map(([fullName, each]) => ({
    fullName,
    status: each,
    failureMessages: each === 'failed' ? ['AssertionError: expected 1 to be 2\n    at line 3'] : [],
  })),
});

test('passed, failed with its first line, and what did not run', () => {
  const report = {
    success: false,
    testResults: [
      file('failed', [
        ['a', 'passed'],
        ['b', 'failed'],
        ['c', 'skipped'],
        ['d', 'todo'],
      ]),
    ],
  };
  expect(tallyVitest('unit', report)).toEqual({
    suite: 'unit',
    passed: 1,
    failed: [{ id: 'address.test.ts b', because: 'AssertionError: expected 1 to be 2' }],
    skipped: [
      { id: 'address.test.ts c', because: 'the test says so' },
      { id: 'address.test.ts d', because: 'it is not written' },
    ],
  });
});

test('a file that cannot be loaded has no tests, and is one failure', () => {
  const report = { success: false, testResults: [file('failed', [], 'SyntaxError: unexpected token\nmore')] };
  expect(tallyVitest('unit', report).failed).toEqual([
    { id: 'address.test.ts', because: 'SyntaxError: unexpected token' },
  ]);
});

test('a hook that fails after its tests passed is a failure', () => {
  const report = { success: false, testResults: [file('failed', [['a', 'passed']], 'afterAll: it is still there')] };
  expect(tallyVitest('unit', report)).toMatchObject({
    passed: 1,
    failed: [{ because: 'afterAll: it is still there' }],
  });
});

test('a run that vitest calls a failure is never counted as clean', () => {
  expect(tallyVitest('unit', { success: false, testResults: [] }).failed).toHaveLength(1);
  expect(tallyVitest('unit', { success: true, testResults: [] }).failed).toHaveLength(0);
});
