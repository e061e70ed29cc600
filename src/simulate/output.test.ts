import { describe, expect, it } from 'vitest';
import type { L4, Packet } from '../net/packet.ts';
import type { Cursor, End, Fit } from './cursor.ts';
import { isEnd } from './cursor.ts';
import { output, reroute, sourceFor } from './output.ts';
import { arrivedAt, HERE, type RouteState, walkIn, wholeStateOf } from './testing/route-state.ts';

const STATE: RouteState = {
  addresses: ['eth0 10.0.0.1/24', 'eth1 10.1.0.1/24'],
  routes: [
    'local 10.0.0.1 dev eth0 table local proto kernel scope host src 10.0.0.1',
    'local 10.1.0.1 dev eth1 table local proto kernel scope host src 10.1.0.1',
    'broadcast 10.0.0.255 dev eth0 table local proto kernel scope link src 10.0.0.1',
    '10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.1',
    'default via 10.1.0.254 dev eth1',
    'blackhole 10.6.0.0/16',
    '10.7.0.0/16 via 10.1.0.254 dev eth1 mtu 1300',
    '10.8.0.0/16 via 10.1.0.254 dev eth1 advmss 900',
  ],
};
const SYN: L4 = { protocol: 'tcp', sourcePort: 4000, destinationPort: 80, flags: ['syn'] };
const DATAGRAM: L4 = { protocol: 'udp', sourcePort: 4000, destinationPort: 53 };

interface Sending {
  readonly destination: string;
  readonly source?: string;
  readonly l4?: L4;
  readonly bytes?: number;
  readonly device?: string;
  readonly kernel?: boolean | 'stack';
  readonly fit?: Fit;
  readonly broadcast?: false;
  readonly state?: RouteState;
}

function send({
  destination,
  source,
  l4 = DATAGRAM,
  bytes = 60,
  device,
  kernel,
  fit,
  broadcast,
  state = STATE,
}: Sending): Cursor | End {
  const any = destination.includes(':') ? '::' : '0.0.0.0';
  const cursor = arrivedAt('eth0', { source: source ?? any, destination, df: true }, { l4 });
  const stage = {
    name: 'output',
    ...(device === undefined ? {} : { device, bound: true }),
    ...(kernel ? { kernel } : {}),
    ...(fit ? { fit } : {}),
    ...(broadcast === false ? { broadcast } : {}),
  } as const;
  const packet: Packet = { ...cursor.packet, lengthBytes: bytes };
  return output(walkIn(wholeStateOf(state)), { ...cursor, packet, stage, path: { local: true } }).ways[0]!.to;
}

function told(to: Cursor | End): string {
  return isEnd(to) ? `${to.end} ${to.senderSees}` : `${to.path.output} ${to.packet.ip.source}`;
}

describe('what a socket sends', () => {
  it('goes by the device that it is bound to, without a route as if its destination were on the wire', () => {
    expect(told(send({ destination: '192.0.2.1' }))).toBe('eth1 10.1.0.1');
    expect(told(send({ destination: '192.0.2.1', device: 'eth0' }))).toBe('eth0 10.0.0.1');
    const down = { ...STATE, devices: [{ ifname: 'eth0', up: false }] };
    expect(told(send({ destination: '192.0.2.1', device: 'eth0', state: down }))).toBe('no-route icmp 3/0');
    const walk = walkIn(wholeStateOf(STATE));
    const { packet } = arrivedAt('eth0', { source: '0.0.0.0', destination: '192.0.2.1' });
    expect(sourceFor(walk, HERE, packet, { user: 0, device: 'eth0' })).toBe('10.0.0.1');
  });

  it('is told at once of a black hole, and that a connection to many is none', () => {
    expect(told(send({ destination: '10.6.0.1' }))).toBe('route-unreachable error EINVAL');
    expect(told(send({ destination: '10.0.0.255', l4: SYN }))).toBe('route-unreachable icmp 3/0');
    expect(told(send({ destination: '10.0.0.255' }))).toBe('eth0 10.0.0.1');
    expect(told(send({ destination: '10.0.0.255', broadcast: false }))).toBe('route-unreachable icmp 3/13');
    expect(told(send({ destination: '10.0.0.9', broadcast: false }))).toBe('eth0 10.0.0.1');
  });

  it('is refused at once where it may not be cut for its route', () => {
    expect(told(send({ destination: '10.7.0.1', bytes: 1400 }))).toBe('packet-too-big icmp 3/4');
    expect(told(send({ destination: '10.7.0.1', bytes: 1300 }))).toBe('eth1 10.1.0.1');
    expect(told(send({ destination: '10.7.0.1', bytes: 1400, kernel: true }))).toBe('eth1 10.1.0.1');
  });

  it.each([
    ['cut', 1300, true],
    ['pieces', 1400, false],
  ] as const)('that is too long for its route is made to fit: %s', (fit, lengthBytes, df) => {
    const to = send({ destination: '10.7.0.1', bytes: 1400, fit });
    expect(isEnd(to) ? undefined : to.packet).toMatchObject({ lengthBytes, ip: { df } });
  });

  it.each([
    ['192.0.2.1', 1460],
    ['10.7.0.1', 1260],
    ['10.8.0.1', 900],
  ])('a SYN to %s offers the MSS %d of its route', (destination, mss) => {
    const to = send({ destination, l4: SYN });
    expect(isEnd(to) ? undefined : to.packet.l4).toMatchObject({ mss });
  });

  it('leaves IPv6 from an address of a device alone, if it is a datagram of a process', () => {
    const state: RouteState = {
      family: 6,
      addresses: ['eth0 fd00::1/64'],
      routes: ['local fd00:9::1 dev lo table local metric 1024', 'default via fe80::9 dev eth0 metric 1024'],
      sysctls: { 'net.ipv6.ip_nonlocal_bind': 0 },
    };
    const from = { destination: '2001:db8::1', source: 'fd00:9::1', state };
    expect(told(send(from))).toBe('no-route error EINVAL');
    expect(told(send({ ...from, l4: { ...SYN, flags: ['syn', 'ack'] } as L4 }))).toBe('eth0 fd00:9::1');
    const allowed = { ...state, sysctls: { 'net.ipv6.ip_nonlocal_bind': 1 } };
    expect(told(send({ ...from, state: allowed }))).toBe('eth0 fd00:9::1');
  });

  it('by a route of IPv6 to lo passes the output hook, and is told that there is no route', () => {
    const state: RouteState = {
      family: 6,
      addresses: ['eth0 fd00::1/64'],
      routes: ['local fd00::1 dev eth0 table local proto kernel metric 0', 'default dev lo metric 1024'],
    };
    const sent = send({ destination: '2001:db8::1', state });
    if (isEnd(sent)) throw new Error(sent.end);
    const { to } = reroute(walkIn(wholeStateOf(state)), sent).ways[0]!;
    expect(to).toMatchObject({
      end: 'no-route',
      senderSees: 'icmp 1/0',
      errorPacket: { ip: { destination: 'fd00::1' } },
    });
  });

  it('is told of a route that it loses behind the output hook if it sends datagrams, but not if it pings by IPv6', () => {
    const state: RouteState = {
      family: 6,
      addresses: ['eth0 fd00::1/64'],
      routes: ['local fd00::1 dev eth0 table local proto kernel metric 0', 'default via fe80::9 dev eth0 metric 1024'],
      rules: [{ priority: 10, src: 'all', fwmark: '0x7', action: 'unreachable' }],
    };
    const rerouted = (l4: L4) => {
      const sent = send({ destination: '2001:db8::1', state, l4 });
      if (isEnd(sent)) throw new Error(sent.end);
      const { packet } = sent;
      const marked = { ...sent, path: { ...sent.path, reroute: { packet, mark: 7 } } };
      return told(reroute(walkIn(wholeStateOf(state)), marked).ways[0]!.to);
    };
    expect(rerouted(DATAGRAM)).toBe('route-unreachable icmp 1/0');
    expect(rerouted({ protocol: 'icmpv6', type: 128, code: 0, id: 1 })).toBe('route-unreachable nothing');
    expect(rerouted(SYN)).toBe('route-unreachable nothing');
  });

  it('is from an address of this host, but for a reset that REJECT sends for somebody else', () => {
    const foreign = { destination: '192.0.2.1', source: '10.9.9.9', l4: { ...SYN, flags: ['rst'] } as L4 };
    expect(told(send({ ...foreign, kernel: true }))).toBe('eth1 10.9.9.9');
    expect(told(send({ ...foreign, kernel: 'stack' }))).toBe('no-route icmp 3/0');
    expect(told(send({ ...foreign, source: '10.0.0.1', kernel: 'stack' }))).toBe('eth1 10.0.0.1');
  });
});
