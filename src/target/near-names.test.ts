import { expect, test } from 'vitest';
import { editDistance, nearNames } from './near-names.ts';

test.each([
  ['', '', 0],
  ['', 'abc', 3],
  ['shop', 'shpo', 1],
  ['api', 'app', 1],
  ['kitten', 'sitting', 3],
])('editDistance(%s, %s) = %i', (a, b, distance) => {
  expect(editDistance(a, b)).toBe(distance);
  expect(editDistance(b, a)).toBe(distance);
});

test('near names come best first and strangers not at all', () => {
  expect(nearNames('web', ['web-7d9-a', 'wbe', 'database', 'web'])).toEqual(['web', 'web-7d9-a', 'wbe']);
  expect(nearNames('api', ['database', 'frontend'])).toEqual([]);
  expect(
    nearNames(
      'ab',
      Array.from({ length: 50 }, (_, index) => `ab${index}`),
    ),
  ).toHaveLength(5);
});
