import { expect, test } from 'vitest';
import { parsePrefix } from '../net/prefix.ts';
import type { Link } from '../parse/ip-link.ts';
import type { Route } from '../parse/ip-route.ts';
import { ownerOfDevice, ownerOfRoute } from './owner-of-device.ts';

function link(name: string, kind?: string, master?: string): Link {
  return {
    index: 1,
    name,
    flags: [],
    mtu: 1500,
    operstate: 'UP',
    type: 'ether',
    addresses: [],
    ...(kind === undefined ? {} : { kind }),
    ...(master === undefined ? {} : { master }),
  };
}

function route(destination: string, device: string, more: Partial<Route> = {}): Route {
  return {
    table: 254,
    type: 'unicast',
    destination: parsePrefix(destination)!,
    nextHops: [{ device, weight: 1, flags: [] }],
    metric: 0,
    flags: [],
    text: `${destination} dev ${device}`,
    ...more,
  };
}

test.each([
  ['flannel.1', 'vxlan', 'flannel'],
  ['flannel.1', 'bridge', undefined],
  ['cni0', 'bridge', 'cni-bridge'],
  ['cali12ab34cd56e', 'veth', 'calico'],
  ['cilium_host', 'veth', 'cilium'],
  ['docker0', 'bridge', 'docker'],
  ['br-0123456789ab', 'bridge', 'docker'],
  ['br-lan', 'bridge', undefined],
  ['kube-ipvs0', 'dummy', 'kube-proxy'],
  ['eth0', undefined, undefined],
])('%s of kind %s is %s’s', (name, kind, by) => expect(ownerOfDevice(link(name, kind))?.by).toBe(by));

test('a veth is whoever’s whose bridge it is on', () => {
  const links = [link('cni0', 'bridge'), link('docker0', 'bridge')];
  expect(ownerOfDevice(link('vetheb4d8b66', 'veth', 'cni0'), links)?.by).toBe('cni-bridge');
  expect(ownerOfDevice(link('veth1', 'veth', 'docker0'), links)?.by).toBe('docker');
  expect(ownerOfDevice(link('veth1', 'veth'), links)).toBeUndefined();
});

test('routes', () => {
  const links = [link('flannel.1', 'vxlan'), link('eth0'), link('docker0', 'bridge')];
  expect(ownerOfRoute(route('10.244.1.0/24', 'flannel.1'), links)?.by).toBe('flannel');
  expect(ownerOfRoute(route('10.78.0.0/24', 'eth0', { protocol: 'kernel' }), links)?.by).toBe('kernel');
  expect(ownerOfRoute(route('10.244.1.0/24', 'eth0', { protocol: 'bird' }), links)?.by).toBe('bird');
  expect(ownerOfRoute(route('10.244.1.0/24', 'eth0'), links)).toBeUndefined();
  const expected = [{ destination: parsePrefix('10.244.1.0/24')!, by: 'flannel' }];
  expect(ownerOfRoute(route('10.244.1.0/24', 'eth0'), links, expected)?.by).toBe('flannel');
  expect(ownerOfRoute(route('172.17.0.0/16', 'docker0'), links)).toMatchObject({ by: 'docker', ofCluster: false });
});
