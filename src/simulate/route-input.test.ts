import { describe, expect, it } from 'vitest';
import type { Move } from './cursor.ts';
import { isEnd } from './cursor.ts';
import { routeInput } from './route-input.ts';
import { arrivedAt, type RouteState, stateOf, walkIn } from './testing/route-state.ts';

const FORWARDING = { 'net.ipv4.ip_forward': 1, 'net.ipv4.conf.eth0.forwarding': 1, 'net.ipv4.conf.eth1.forwarding': 1 };
const OPEN = {
  ...FORWARDING,
  'net.ipv4.conf.all.rp_filter': 0,
  'net.ipv4.conf.eth0.rp_filter': 0,
  'net.ipv4.conf.all.accept_local': 0,
};
const STATE: RouteState = {
  addresses: ['eth0 10.0.0.1/24', 'eth1 10.1.0.1/24'],
  routes: [
    'local 10.0.0.1 dev eth0 table local proto kernel scope host src 10.0.0.1',
    'local 10.1.0.1 dev eth1 table local proto kernel scope host src 10.1.0.1',
    'local 127.0.0.0/8 dev lo table local proto kernel scope host src 127.0.0.1',
    'broadcast 10.1.0.255 dev eth1 table local proto kernel scope link src 10.1.0.1',
    '10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.1',
    '10.1.0.0/24 dev eth1 proto kernel scope link src 10.1.0.1',
    'unreachable 10.4.0.0/16',
    'prohibit 10.5.0.0/16',
    'blackhole 10.6.0.0/16',
    'anycast 10.7.0.0/16 dev eth1',
  ],
  sysctls: OPEN,
};

function told(move: Move): string {
  const [{ to }] = move.ways as [Move['ways'][number]];
  if (isEnd(to)) return `${to.end} ${to.senderSees}`;
  const { stage, path } = to;
  return stage.name === 'hook' ? `${stage.hook} ${path.output ?? ''}`.trim() : stage.name;
}

function arrive(
  ip: { readonly source?: string; readonly destination: string; readonly ttl?: number },
  state: RouteState = {},
  more: Parameters<typeof arrivedAt>[2] = {},
): string {
  const snapshot = stateOf({ ...STATE, ...state, sysctls: { ...OPEN, ...state.sysctls } });
  return told(routeInput(walkIn(snapshot), arrivedAt('eth0', { source: '10.0.0.9', ...ip }, more)));
}

describe('what comes in over IPv4', () => {
  it.each([
    ['10.0.0.1', 'input'],
    ['10.1.0.1', 'input'],
    ['10.1.0.9', 'forward eth1'],
    ['10.1.0.255', 'input'],
    ['255.255.255.255', 'input'],
    ['192.0.2.1', 'no-route icmp 3/0'],
    ['10.4.0.1', 'route-unreachable icmp 3/1'],
    ['10.5.0.1', 'route-unreachable icmp 3/13'],
    ['10.6.0.1', 'route-unreachable nothing'],
    ['10.7.0.1', 'martian nothing'],
    ['127.0.0.1', 'martian nothing'],
    ['0.0.0.0', 'martian nothing'],
    ['0.1.2.3', 'no-route icmp 3/0'],
  ])('for %s: %s', (destination, expected) => {
    const closed = { 'net.ipv4.conf.all.route_localnet': 0, 'net.ipv4.conf.eth0.route_localnet': 0 };
    expect(arrive({ destination }, { sysctls: closed })).toBe(expected);
  });

  it.each(['224.0.0.9', '255.255.255.255', '127.0.0.1', '0.0.0.0'])('from %s it is a martian', (source) => {
    const closed = { 'net.ipv4.conf.all.route_localnet': 0, 'net.ipv4.conf.eth0.route_localnet': 0 };
    expect(arrive({ source, destination: '10.1.0.9' }, { sysctls: closed })).toBe('martian nothing');
  });

  it('goes in silence where the device does not forward, even by what refuses', () => {
    const sysctls = { 'net.ipv4.conf.eth0.forwarding': 0 };
    expect(arrive({ destination: '10.1.0.9' }, { sysctls })).toBe('forwarding-disabled nothing');
    expect(arrive({ destination: '10.4.0.1' }, { sysctls })).toBe('forwarding-disabled nothing');
    expect(arrive({ destination: '10.1.0.1' }, { sysctls })).toBe('input');
  });

  it('forwards a directed broadcast where `all` and the device say so', () => {
    const both = { 'net.ipv4.conf.all.bc_forwarding': 1, 'net.ipv4.conf.eth0.bc_forwarding': 1 };
    expect(arrive({ destination: '10.1.0.255' }, { sysctls: both })).toBe('forward eth1');
    expect(arrive({ destination: '10.1.0.255' }, { sysctls: { ...both, 'net.ipv4.conf.all.bc_forwarding': 0 } })).toBe(
      'input',
    );
  });

  it('says network where a rule is unreachable', () => {
    const rules = [{ priority: 10, src: 'all', dst: '10.1.0.0', dstlen: 24, action: 'unreachable' }];
    expect(arrive({ destination: '10.1.0.9' }, { rules })).toBe('route-unreachable icmp 3/0');
  });

  it('takes the packet for user 0’s', () => {
    const rules = [{ priority: 10, src: 'all', uid_start: 0, uid_end: 0, action: 'prohibit' }];
    expect(arrive({ destination: '10.1.0.9' }, { rules })).toBe('route-unreachable icmp 3/13');
  });

  it('neither forwards a frame to all, nor tells anybody of it', () => {
    const macs = { source: '02:00:00:00:00:09', destination: 'ff:ff:ff:ff:ff:ff' };
    expect(arrive({ destination: '10.1.0.9' }, {}, { macs })).toBe('not-for-this-mac nothing');
    expect(arrive({ destination: '10.4.0.1' }, {}, { macs })).toBe('route-unreachable nothing');
  });

  it('which groups were joined is not known', () => {
    expect(arrive({ destination: '239.1.1.1' })).toBe('insufficient-information nothing');
  });
});

describe('what comes in over IPv6', () => {
  const SIX: RouteState = {
    family: 6,
    addresses: ['eth0 fd00::1/64', 'eth1 fd00:1::1/64'],
    routes: [
      'local fd00::1 dev eth0 table local proto kernel metric 0',
      'anycast fd00:1:: dev eth1 table local proto kernel metric 0',
      'fd00::/64 dev eth0 proto kernel metric 256',
      'fd00:1::/64 dev eth1 proto kernel metric 256',
      'unreachable fd00:4::/32 dev lo metric 1024',
      'prohibit fd00:5::/32 dev lo metric 1024',
      'blackhole fd00:6::/32 dev lo metric 1024',
    ],
  };

  function arrive6(destination: string, sysctls: Readonly<Record<string, number>> = {}, source = 'fd00::9', ttl = 64) {
    const all = { 'net.ipv6.conf.all.forwarding': 1, ...sysctls };
    return told(routeInput(walkIn(stateOf({ ...SIX, sysctls: all })), arrivedAt('eth0', { source, destination, ttl })));
  }

  it.each([
    ['fd00::1', 'input'],
    ['fd00:1::', 'input'],
    ['fd00:1::9', 'forward eth1'],
    ['fd00:9::1', 'no-route icmp 1/0'],
    ['fd00:4::1', 'route-unreachable icmp 1/0'],
    ['fd00:5::1', 'route-unreachable icmp 1/1'],
    ['fd00:6::1', 'route-unreachable nothing'],
  ])('for %s: %s', (destination, expected) => {
    expect(arrive6(destination)).toBe(expected);
  });

  it('without forwarding, what refuses is told even so', () => {
    const off = { 'net.ipv6.conf.all.forwarding': 0 };
    expect(arrive6('fd00:1::9', off)).toBe('forwarding-disabled nothing');
    expect(arrive6('fd00:4::1', off)).toBe('route-unreachable icmp 1/0');
    expect(arrive6('fd00:1::9', { ...off, 'net.ipv6.conf.eth0.force_forwarding': 1 })).toBe('forward eth1');
    expect(arrive6('fd00:1::9', { ...off, 'net.ipv6.conf.eth1.force_forwarding': 1 })).toBe(
      'forwarding-disabled nothing',
    );
  });

  it('a link-local source goes to no other link, and is told', () => {
    expect(arrive6('fd00:1::9', {}, 'fe80::9')).toBe('martian icmp 1/2');
    expect(arrive6('fd00::77', {}, 'fe80::9')).toBe('forward eth0');
    expect(arrive6('fd00:1::9', {}, '::')).toBe('martian nothing');
  });

  it('looks at the hop limit before the source', () => {
    expect(arrive6('fd00:1::9', {}, 'fe80::9', 1)).toBe('ttl-exceeded icmp 3/0');
  });
});

describe('what comes in by lo', () => {
  it('is for this host, unless it left with a route that leads on', () => {
    const snapshot = stateOf(STATE);
    const ip = { source: '10.0.0.9', destination: '10.1.0.9' };
    const cursor = arrivedAt('lo', ip);
    expect(told(routeInput(walkIn(snapshot), cursor))).toBe('input');
    const kept = { type: 'unicast', hop: { device: 'lo', weight: 1, flags: [] } };
    const looping = { ...cursor, path: { ...cursor.path, kept } };
    expect(told(routeInput(walkIn(snapshot), looping))).toBe('forward lo');
    const spent = { ...looping, packet: { ...looping.packet, ip: { ...looping.packet.ip, ttl: 1 } } };
    expect(told(routeInput(walkIn(snapshot), spent))).toBe('ttl-exceeded icmp 11/0');
  });
});
