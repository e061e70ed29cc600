import { describe, expect, it } from 'vitest';
import { type OutputKey, routeOutput } from './output-route.ts';
import { routeFromSocket } from './socket-route.ts';
import { HERE, type RouteState, stateOf } from './testing/route-state.ts';

const FOUR: RouteState = {
  addresses: [
    'lo 127.0.0.1/8 host',
    'eth0 10.0.0.1/24',
    'eth0 10.0.2.1/24',
    'eth1 10.1.0.1/24',
    'eth1 10.1.0.9/24 global secondary',
  ],
  routes: [
    'local 10.0.0.1 dev eth0 table local proto kernel scope host src 10.0.0.1',
    'local 10.0.2.1 dev eth0 table local proto kernel scope host src 10.0.2.1',
    'local 10.1.0.1 dev eth1 table local proto kernel scope host src 10.1.0.1',
    'local 127.0.0.0/8 dev lo table local proto kernel scope host src 127.0.0.1',
    'broadcast 10.0.0.255 dev eth0 table local proto kernel scope link src 10.0.0.1',
    '10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.1',
    'default via 10.0.2.254 dev eth0',
    '10.7.0.0/16 via 10.1.0.254 dev eth1',
    '10.8.0.0/16 via 10.1.0.254 dev eth1 src 10.0.2.1',
    'unreachable 10.9.0.0/16',
  ],
};

function send(key: Partial<OutputKey> & { readonly destination: string }, state: RouteState = FOUR) {
  const lookup = routeOutput(stateOf(state), HERE, { tos: 0, mark: 0, user: 0, ...key });
  if (lookup.state === 'unseen') throw new Error('unseen');
  return lookup.ways.map(({ found, device, source, refusal }) =>
    refusal ? `refused ${refusal}` : [found.type, device, found.hop?.via, source].filter(Boolean).join(' '),
  );
}

describe('the route of what this host sends', () => {
  it.each([
    [
      'by the address in whose network the gateway is',
      { destination: '192.0.2.1' },
      'unicast eth0 10.0.2.254 10.0.2.1',
    ],
    ['by the first primary one of the device', { destination: '10.7.0.1' }, 'unicast eth1 10.1.0.254 10.1.0.1'],
    ['by the one that the route says', { destination: '10.8.0.1' }, 'unicast eth1 10.1.0.254 10.0.2.1'],
    ['to an own address by lo, from itself', { destination: '10.1.0.1' }, 'local lo 10.1.0.1'],
    ['to a loopback address from the one of the route', { destination: '127.0.0.5' }, 'local lo 127.0.0.1'],
    ['to nobody is to itself', { destination: '0.0.0.0' }, 'local lo 127.0.0.1'],
    ['to all of a network', { destination: '10.0.0.255' }, 'broadcast eth0 10.0.0.1'],
    ['to a group past the gateway of a default route', { destination: '239.1.1.1' }, 'multicast eth0 10.0.2.1'],
    [
      'to all on the wire by the device of its source',
      { destination: '255.255.255.255', source: '10.1.0.1' },
      'broadcast eth1 10.1.0.1',
    ],
  ])('%s', (_name, key, expected) => {
    expect(send(key)).toEqual([expected]);
  });

  it('from a foreign address goes nowhere, unless the sender may use one', () => {
    expect(send({ destination: '10.7.0.1', source: '192.0.2.9' })).toEqual(['refused network']);
    expect(send({ destination: '10.7.0.1', source: '192.0.2.9', anySource: true })).toEqual([
      'unicast eth1 10.1.0.254',
    ]);
    expect(send({ destination: '10.7.0.1', source: '224.0.0.9' })).toEqual(['refused invalid']);
  });

  it('by a device that is given, even past what refuses', () => {
    expect(send({ destination: '10.9.0.1' })).toEqual(['refused host']);
    expect(send({ destination: '10.9.0.1', output: 'eth1' })).toEqual(['unicast eth1 10.1.0.1']);
    expect(send({ destination: '10.7.0.1', output: 'eth0' })).toEqual(['unicast eth0 10.0.2.254 10.0.2.1']);
    expect(send({ destination: '10.1.0.1', output: 'eth0' })).toEqual(['unicast eth0 10.0.2.254 10.0.2.1']);
    const down = { ...FOUR, devices: [{ ifname: 'eth1', up: false }] };
    expect(send({ destination: '10.9.0.1', output: 'eth1' }, down)).toEqual(['refused network']);
  });

  it('from loopback by another device only with route_localnet', () => {
    const key = { destination: '10.7.0.1', source: '127.0.0.1' };
    expect(send(key, { ...FOUR, sysctls: { 'net.ipv4.conf.eth1.route_localnet': 0 } })).toEqual(['refused invalid']);
    expect(send(key, { ...FOUR, sysctls: { 'net.ipv4.conf.eth1.route_localnet': 1 } })).toEqual([
      'unicast eth1 10.1.0.254',
    ]);
  });

  it('says network where a rule is unreachable, and host where a route is', () => {
    const rules = [{ priority: 10, src: 'all', dst: '10.7.0.0', dstlen: 16, action: 'unreachable' }];
    expect(send({ destination: '10.7.0.1' }, { ...FOUR, rules })).toEqual(['refused network']);
    expect(send({ destination: '10.9.0.1' }, { ...FOUR, rules })).toEqual(['refused host']);
  });
});

describe('a socket of IPv6', () => {
  const SIX: RouteState = {
    family: 6,
    addresses: ['eth0 fd00::1/64', 'eth0 fe80::1/64 link', 'eth1 fd00:1::1/64', 'eth1 fd00:1::2/64 global deprecated'],
    routes: [
      'local fd00::1 dev eth0 table local proto kernel metric 0',
      'fd00::/64 dev eth0 proto kernel metric 256',
      'fd00:7::/32 via fe80::9 dev eth1 metric 1024',
      'fd00:8::/32 from fd00::/64 via fe80::9 dev eth0 metric 1024',
    ],
  };

  function sendFrom(destination: string, source?: string) {
    const key = { destination, tos: 0, mark: 0, user: 0, ...(source === undefined ? {} : { source }) };
    const lookup = routeFromSocket(stateOf(SIX), HERE, key);
    if (lookup.state === 'unseen') throw new Error('unseen');
    const [way] = lookup.ways;
    return way!.refusal ?? [way!.device, way!.found.hop?.via, way!.source].filter(Boolean).join(' ');
  }

  it('takes the address of the device, not a deprecated one', () => {
    expect(sendFrom('fd00:7::1')).toBe('eth1 fe80::9 fd00:1::1');
    expect(sendFrom('fe80::77')).toBe('network');
    expect(sendFrom('fd00::1')).toBe('lo fd00::1');
  });

  it('looks again with the address that it would have, where it finds nothing without', () => {
    expect(sendFrom('fd00:8::1')).toBe('eth0 fe80::9 fd00::1');
    expect(sendFrom('fd00:8::1', 'fd00:1::1')).toBe('network');
  });
});
