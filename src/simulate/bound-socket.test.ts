import { describe, expect, it } from 'vitest';
import type { L4 } from '../net/packet.ts';
import { isEnd } from './cursor.ts';
import { deliver } from './deliver.ts';
import { walkBack } from './simulate-round-trip.ts';
import { arrivedAt, type RouteState, walkIn, wholeStateOf } from './testing/route-state.ts';

const STATE: RouteState = {
  addresses: ['eth0 10.0.0.1/24', 'eth1 10.1.0.1/24'],
  routes: [
    'local 10.0.0.1 dev eth0 table local proto kernel scope host src 10.0.0.1',
    'local 10.1.0.1 dev eth1 table local proto kernel scope host src 10.1.0.1',
    '10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.1',
    'default via 10.1.0.254 dev eth1',
  ],
  sockets: [
    'tcp LISTEN 0 128 0.0.0.0%eth0:80 0.0.0.0:*',
    'udp UNCONN 0 0 0.0.0.0%eth0:53 0.0.0.0:*',
    'udp UNCONN 0 0 0.0.0.0:54 0.0.0.0:*',
  ],
};
const STATE_6: RouteState = {
  family: 6,
  addresses: ['eth0 fd00::1/64', 'eth1 fd01::1/64'],
  routes: [
    'local fd00::1 dev eth0 table local proto kernel metric 0 pref medium',
    'fd09::/64 via fd01::9 dev eth1 metric 1024 pref medium',
    'fd09::/64 via fd00::9 dev eth0 metric 1024 pref medium',
  ],
};
const SYN: L4 = { protocol: 'tcp', sourcePort: 4000, destinationPort: 80, flags: ['syn'] };
const ECHO: L4 = { protocol: 'icmp', type: 8, code: 0, id: 7 };

/** The device by which the answer to a packet leaves that came in by eth0 from far away. */
function answersBy(l4: L4, source = '192.0.2.9', state = STATE): string | undefined {
  const walk = walkIn(wholeStateOf(state));
  const destination = source.includes(':') ? 'fd00::1' : '10.0.0.1';
  const arrived = arrivedAt('eth0', { source, destination }, { l4 });
  const { to } = deliver(walk, { ...arrived, stage: { name: 'deliver' } }).ways[0]!;
  if (!isEnd(to)) throw new Error('nobody took it');
  const [step] = walkBack(walk, to).trace.segments[0]!.hops[0]!.steps;
  return step?.values.device as string | undefined;
}

describe('what a host answers', () => {
  it('leaves by the device that the socket is bound to, whatever the routes say', () => {
    expect(answersBy(SYN)).toBe('eth0');
    expect(answersBy({ protocol: 'udp', sourcePort: 4000, destinationPort: 53 })).toBe('eth0');
    expect(answersBy({ protocol: 'udp', sourcePort: 4000, destinationPort: 54 })).toBe('eth1');
  });

  it('by itself, to an echo request of IPv4, goes as the routes say; of IPv6 rather by where it came from', () => {
    expect(answersBy(ECHO)).toBe('eth1');
    expect(answersBy({ protocol: 'icmpv6', type: 128, code: 0, id: 7 }, 'fd09::9', STATE_6)).toBe('eth0');
  });

  it('by itself is from an address of this host alone', () => {
    const walk = walkIn(wholeStateOf(STATE));
    const echoTo = (destination: string) => {
      const arrived = arrivedAt('lo', { source: '10.0.0.1', destination }, { l4: ECHO });
      const { to } = deliver(walk, { ...arrived, stage: { name: 'deliver' } }).ways[0]!;
      if (!isEnd(to)) throw new Error('nobody took it');
      return [...walkBack(walk, to).ends.values()][0]!.end;
    };
    // A route to lo brings any address here, but nobody can answer from it (icmp_reply).
    expect(echoTo('10.9.9.9')).toBe('no-route');
    expect(echoTo('10.1.0.1')).not.toBe('no-route');
  });
});
