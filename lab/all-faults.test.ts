import { expect, test } from 'vitest';
import { causes as catalogue } from '../src/causes/index.ts';
import { allFaults } from './all-faults.ts';

const faults = await allFaults();
const causes: readonly string[] = catalogue.map(({ id }) => id);

test.each(faults.map((fault) => [fault.id, fault] as const))(
  '%s names a cause of the catalogue and tells its story',
  (_, fault) => {
    expect(causes).toContain(fault.causeId);
    expect(fault.story).toMatch(/\.$/);
  },
);

test('every cause has a fault, but for those that are only seen as a consequence', () => {
  const made = new Set(faults.map(({ causeId }) => causeId));
  const consequences = faults.flatMap(({ expect: { explains } }) => explains ?? []);
  expect(causes.filter((id) => !made.has(id) && !consequences.includes(id))).toEqual(['dns-service-unreachable']);
});
