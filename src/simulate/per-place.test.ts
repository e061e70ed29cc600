import { expect, it } from 'vitest';
import { hostOf, podPlace } from '../net/place.ts';
import { answersPerPlace, perPlace } from './per-place.ts';
import { snapshotOfTexts } from './testing/build-snapshot.ts';

it('makes one value for each snapshot and network namespace, whatever object names the place', () => {
  let made = 0;
  const valueAt = perPlace((_, place) => ({ place, number: ++made }));
  const [one, other] = [snapshotOfTexts([]), snapshotOfTexts([])];
  const first = valueAt(one, { ...hostOf('w1'), device: 'eth0' });
  expect(first).toEqual({ place: hostOf('w1'), number: 1 });
  expect(valueAt(one, hostOf('w1'))).toBe(first);
  expect(valueAt(one, hostOf('w2'))).not.toBe(first);
  expect(valueAt(one, podPlace('w1', 'a', 'b'))).not.toBe(first);
  expect(valueAt(other, hostOf('w1'))).not.toBe(first);
  expect(made).toBe(4);
});

it('keeps answers by their question, and forgets them when they are too many', () => {
  const snapshot = snapshotOfTexts([]);
  const answerAt = answersPerPlace<number | undefined>();
  let asked = 0;
  const ask = (node: string, question: string) => answerAt(snapshot, hostOf(node), question, () => ++asked);
  expect([ask('w1', 'a'), ask('w1', 'b'), ask('w2', 'a'), ask('w1', 'a'), ask('w2', 'a')]).toEqual([1, 2, 3, 1, 3]);
  expect(answerAt(snapshot, hostOf('w3'), 'nothing', () => undefined)).toBeUndefined();
  expect(answerAt(snapshot, hostOf('w3'), 'nothing', () => 7)).toBeUndefined();
  for (let other = 0; other < 5000; other++) ask('w1', `other ${other}`);
  expect(ask('w1', 'a')).toBeGreaterThan(3);
  expect(ask('w2', 'a')).toBe(3);
});
