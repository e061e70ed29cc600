import { expect, test } from 'vitest';
import { given, snapshotOf } from '../../test/scenarios/given-facts.ts';
import { hostOf } from '../net/place.ts';
import { parsePrefix } from '../net/prefix.ts';
import type { Link } from '../parse/ip-link.ts';
import type { Route } from '../parse/ip-route.ts';
import { leavingMtu } from './leaving-device.ts';

const W1 = hostOf('w1');
const link = (name: string, index: number, mtu: number): Link => {
  return { index, name, flags: ['UP'], mtu, operstate: 'UP', type: 'ether', addresses: [] };
};
const route = (destination: string, device: string, more: Partial<Route> = {}): Route => ({
  type: 'unicast',
  destination: parsePrefix(destination)!,
  table: 254,
  metric: 0,
  flags: [],
  nextHops: [{ device, weight: 1, flags: [] }],
  text: '',
  ...more,
});

const LINKS = given('links', [link('eth0', 2, 1500), link('flannel.1', 3, 1450), link('cni0', 4, 1450)], W1);
const ROUTES = given(
  'routes',
  [
    route('0.0.0.0/0', 'eth0'),
    route('10.244.1.0/24', 'flannel.1'),
    route('10.244.2.0/24', 'eth0', { mtu: 1400 }),
    route('10.244.2.0/24', 'cni0', { metric: 100 }),
  ],
  W1,
  { args: { family: 4 } },
);

test('the MTU is that of the route to the very address', () => {
  const snapshot = snapshotOf([LINKS, ROUTES]);
  expect(leavingMtu(snapshot, W1, '192.0.2.1')).toBe(1500);
  expect(leavingMtu(snapshot, W1, '10.244.1.7')).toBe(1450);
  expect(leavingMtu(snapshot, W1, '10.244.2.7')).toBe(1400);
});

test('without routes it is known only where there is one device', () => {
  expect(leavingMtu(snapshotOf([LINKS]), W1, '10.244.1.7')).toBeUndefined();
  expect(leavingMtu(snapshotOf([given('links', [link('eth0', 2, 1450)], W1)]), W1, '10.244.1.7')).toBe(1450);
  expect(leavingMtu(snapshotOf([]), W1, '10.244.1.7')).toBeUndefined();
});
