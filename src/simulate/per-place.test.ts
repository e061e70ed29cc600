import { expect, it } from 'vitest';
import { hostOf, podPlace } from '../net/place.ts';
import { perPlace } from './per-place.ts';
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
