import { describe, expect, it } from 'vitest';
import { FEATURES } from './features.ts';
import { caseOf } from './session.ts';

describe('random cases', () => {
  it('are the same for the same seed and number', () => {
    expect(caseOf(1, 5, FEATURES)).toEqual(caseOf(1, 5, FEATURES));
    expect(caseOf(1, 5, FEATURES)).toEqual(caseOf(2, 4, FEATURES));
    expect(caseOf(1, 5, FEATURES)).not.toEqual(caseOf(1, 6, FEATURES));
  });

  it('have two to eight packets to addresses of the network, and survive as JSON', () => {
    for (let index = 0; index < 50; index++) {
      const one = caseOf(7, index, FEATURES);
      expect(one.packets.length).toBeGreaterThanOrEqual(2);
      expect(JSON.parse(JSON.stringify(one))).toEqual(one);
      for (const { ns } of one.items) expect(one.namespaces.map(({ name }) => name)).toContain(ns);
    }
  });

  it('come to every feature', () => {
    const met = new Set<string>();
    for (let index = 0; index < 1500; index++)
      for (const name of caseOf(11, index, FEATURES).story.split(', ')) met.add(name);
    const never = FEATURES.map(({ name }) => name).filter((name) => !met.has(name));
    expect(never).toEqual([]);
  });

  it('name each feature once', () => {
    const names = FEATURES.map(({ name }) => name);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });
});
