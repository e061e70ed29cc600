import { describe, expect, it } from 'vitest';
import type { Packet } from '../net/packet.ts';
import { HERE, type RouteState, wholeStateOf } from './testing/route-state.ts';
import type { LeafEnd } from './trace.ts';
import { simulateTrace } from './walk.ts';

/** What a router says of a packet that came in by eth0. */
function leafOf(state: RouteState, ip: { readonly source: string; readonly destination: string }, mark = 0): LeafEnd {
  const packet: Packet = {
    ip: { ttl: 64, tos: 0, df: false, ...ip },
    l4: { protocol: 'udp', sourcePort: 4000, destinationPort: 53 },
    lengthBytes: 60,
  };
  const world = { snapshot: wholeStateOf(state), gate: { parts: [], podAddressesRoutable: 'no' } } as const;
  const trace = simulateTrace(world, { from: HERE, packet, arrivesBy: 'eth0', mark });
  const [leaf] = trace.segments.flatMap(({ then }) => ('end' in then ? [then] : []));
  return leaf!;
}

const FOUR: RouteState = {
  addresses: ['eth0 10.0.0.1/24', 'eth1 10.1.0.1/24'],
  routes: [
    'local 10.0.0.1 dev eth0 table local proto kernel scope host src 10.0.0.1',
    'local 10.1.0.1 dev eth1 table local proto kernel scope host src 10.1.0.1',
    'unreachable 10.9.0.0/16',
    // The answer leaves elsewhere than where the packet came in.
    '192.0.2.0/24 via 10.1.0.254 dev eth1',
  ],
  sysctls: {
    'net.ipv4.conf.all.rp_filter': 0,
    'net.ipv4.conf.eth0.rp_filter': 0,
    'net.ipv4.conf.eth0.forwarding': 1,
    'net.ipv4.icmp_errors_use_inbound_ifaddr': 0,
  },
};
const ASKED = { source: '192.0.2.7', destination: '10.9.0.1' };

describe('where an error comes from', () => {
  it('a router of IPv4 speaks from the device by which it answers', () => {
    const leaf = leafOf(FOUR, ASKED);
    expect(leaf).toMatchObject({ end: 'route-unreachable', errorPacket: { ip: { source: '10.1.0.1' } } });
    expect(leaf.errorTrace!.segments[0]!.hops[0]).toMatchObject({
      output: 'eth1',
      packet: { ip: { source: '10.1.0.1' } },
    });
  });

  it('or from where the packet came in, where icmp_errors_use_inbound_ifaddr says so', () => {
    const sysctls = { ...FOUR.sysctls, 'net.ipv4.icmp_errors_use_inbound_ifaddr': 1 };
    expect(leafOf({ ...FOUR, sysctls }, ASKED).errorPacket!.ip.source).toBe('10.0.0.1');
  });

  it('a host speaks from the address that was asked', () => {
    const leaf = leafOf(FOUR, { source: '192.0.2.7', destination: '10.0.0.1' });
    expect(leaf).toMatchObject({ end: 'no-listener', errorPacket: { ip: { source: '10.0.0.1' } } });
  });

  it('is routed as user 0’s, without its source, and only with fwmark_reflect by the mark', () => {
    const rules = [
      { priority: 10, src: '10.1.0.1', table: '100' },
      { priority: 11, src: 'all', iif: 'lo', fwmark: '0x7', table: '101' },
      { priority: 12, src: 'all', iif: 'lo', uid_start: 1, uid_end: 9999, action: 'blackhole' },
    ];
    const routes = [...FOUR.routes!, 'unreachable default table 100', 'default via 10.0.0.254 dev eth0 table 101'];
    const outputOf = (leaf: LeafEnd) => leaf.errorTrace!.segments[0]!.hops[0]!.output;
    expect(outputOf(leafOf({ ...FOUR, rules, routes }, ASKED, 7))).toBe('eth1');
    const sysctls = { ...FOUR.sysctls, 'net.ipv4.fwmark_reflect': 1 };
    expect(leafOf({ ...FOUR, rules, routes, sysctls }, ASKED, 7).errorTrace!.segments[0]!.hops[0]!.output).toBe('eth0');
  });

  it('has the address of the route that its mark leads to', () => {
    const rules = [{ priority: 11, src: 'all', fwmark: '0x7', table: '101' }];
    const routes = [...FOUR.routes!, '192.0.2.0/24 via 10.0.0.254 dev eth0 table 101'];
    const sysctls = { ...FOUR.sysctls, 'net.ipv4.fwmark_reflect': 1 };
    expect(leafOf({ ...FOUR, rules, routes, sysctls }, ASKED, 7).errorPacket!.ip.source).toBe('10.0.0.1');
  });

  it('a router of IPv6 speaks from where the packet came in, unless the route says otherwise', () => {
    const six = (src: string): RouteState => ({
      family: 6,
      addresses: ['eth0 fd00::1/64', 'eth1 fd00:1::1/64'],
      routes: [
        'local fd00::1 dev eth0 table local proto kernel metric 0',
        'local fd00:1::1 dev eth1 table local proto kernel metric 0',
        'unreachable fd00:9::/32 dev lo metric 1024',
        `2001:db8::/32 via fe80::9 dev eth1 metric 1024${src}`,
      ],
      sysctls: { 'net.ipv6.conf.all.forwarding': 1 },
    });
    const asked = { source: '2001:db8::7', destination: 'fd00:9::1' };
    expect(leafOf(six(''), asked).errorPacket!.ip.source).toBe('fd00::1');
    expect(leafOf(six(' src fd00:1::1'), asked).errorPacket!.ip.source).toBe('fd00:1::1');
  });
});
