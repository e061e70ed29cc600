import { expect, it } from 'vitest';
import { groupAlike } from './group-alike.ts';

it.each([3, 100])('puts together what is alike, in the order of the first, of %i as well', (count) => {
  const items = Array.from({ length: count }, (_, index) => ({ name: index % 2 === 0 ? 'even' : 'odd', index }));
  const groups = groupAlike(
    items,
    (a, b) => a.name === b.name,
    ({ name }) => name,
  );
  expect(groups.map((group) => group[0]!.name)).toEqual(['even', 'odd']);
  expect(groups.flat().length).toBe(count);
  expect(groups[0]!.map(({ index }) => index)).toEqual(
    items.filter(({ name }) => name === 'even').map((one) => one.index),
  );
});
