import { expect, test } from 'vitest';
import { hostOf, podPlace } from '../net/place.ts';
import { rememberFacts } from './fact-memo.ts';
import type { FactArgs } from './facts.ts';

test('asks each question once, and takes no two questions for the same', () => {
  const asked: unknown[] = [];
  const fact = rememberFacts((name, place, args) => {
    asked.push([name, place.namespace, args]);
    const want = { action: name, place, args: args ?? {}, round: 0 };
    return { state: 'unseen', gap: 'not-asked', detail: String(asked.length), want };
  });
  const places = [hostOf('w1'), podPlace('w1', 'a', 'b')];
  const questions: (FactArgs | undefined)[] = [
    undefined,
    {},
    { family: 4 },
    { family: 6 },
    { family: '4' },
    { family: 4, table: '' },
    { family: 4, table: 'nat' },
    { name: 'a b=1' },
    { name: 'a', b: 1 },
    { name: 'a', b: '1' },
  ];
  const ask = () => places.flatMap((place) => questions.map((args) => fact('routes', place, args)));
  const first = ask();
  expect(new Set(first).size).toBe(places.length * questions.length);
  expect(ask()).toEqual(first);
  expect(fact('rules', places[0]!)).not.toBe(first[0]);
  expect(fact('routes', { ...places[0]!, device: 'eth0' })).toBe(first[0]);
  expect(asked).toHaveLength(places.length * questions.length + 1);
});
