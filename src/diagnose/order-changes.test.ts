import { expect, test } from 'vitest';
import { hostOf } from '../net/place.ts';
import type { SnapshotChange } from '../snapshot/snapshot.ts';
import { orderChanges } from './order-changes.ts';

const remove = (number: number, chain = 'FORWARD', node = 'w1'): SnapshotChange => ({
  op: 'rule',
  act: 'remove',
  backend: 'iptables.nft',
  family: 4,
  table: 'filter',
  chain,
  number,
  place: hostOf(node),
  text: `without rule ${number} of ${chain}`,
});
const sysctl: SnapshotChange = {
  op: 'sysctl',
  key: 'net.ipv4.ip_forward',
  value: '1',
  place: hostOf('w1'),
  text: 'ip_forward = 1',
};

test('equal changes of two causes are made once', () => {
  expect(orderChanges([sysctl, remove(3), { ...sysctl }, remove(3)])).toEqual([sysctl, remove(3)]);
});

test('rules of one chain are removed from the last on, so that no number shifts', () => {
  expect(orderChanges([remove(2), sysctl, remove(7), remove(4)])).toEqual([remove(7), sysctl, remove(4), remove(2)]);
});

test('other chains and other nodes do not mix', () => {
  const changes = [remove(2), remove(5, 'INPUT'), remove(3), remove(9, 'FORWARD', 'w2')];
  expect(orderChanges(changes)).toEqual([remove(3), remove(5, 'INPUT'), remove(2), remove(9, 'FORWARD', 'w2')]);
});
