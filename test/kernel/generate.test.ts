import { describe, expect, it } from 'vitest';
import { FEATURES } from './features.ts';
import { caseOf } from './session.ts';

describe('random cases', () => {
  it('are the same for the same seed and number', () => {
    expect(caseOf(1, 5, FEATURES)).toEqual(caseOf(1, 5, FEATURES));
    expect(caseOf(1, 5, FEATURES)).toEqual(caseOf(2, 4, FEATURES));
    expect(caseOf(1, 5, FEATURES)).not.toEqual(caseOf(1, 6, FEATURES));
  });

  it('have packets and lines of their own namespaces, and survive as JSON', () => {
    for (let index = 0; index < 50; index++) {
      const one = caseOf(7, index, FEATURES);
      expect(one.packets.length).toBeGreaterThanOrEqual(1);
      expect(JSON.parse(JSON.stringify(one))).toEqual(one);
      for (const { ns } of one.items) expect(one.namespaces.map(({ name }) => name)).toContain(ns);
    }
  });

  it.each(FEATURES.map((feature) => [feature.name, feature] as const))('can have %s', (name, feature) => {
    const cases = Array.from({ length: 40 }, (_, index) => index);
    expect(cases.some((index) => caseOf(11, index, [feature]).story.split(', ').includes(name))).toBe(true);
  });

  it('name each feature once', () => {
    const names = FEATURES.map(({ name }) => name);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });
});
