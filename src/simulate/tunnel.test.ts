import { describe, expect, it } from 'vitest';
import type { Packet } from '../net/packet.ts';
import { simulateRoundTrip } from './simulate-round-trip.ts';
import { buildPacket, tcpSyn } from './testing/build-hook-input.ts';
import { device, type Json, W1, W2, world } from './testing/wired-world.ts';
import type { LeafEnd, RoundTrip, Step } from './trace.ts';

/* Two nodes on one network, each with one end of a tunnel; the hosts themselves speak through it. */

interface End {
  /** The tunnel device at 10.8.0.N. */
  readonly tunnel: (n: 1 | 2) => Json;
  readonly fdb?: (n: 1 | 2) => readonly Json[];
  readonly wireguard?: (n: 1 | 2) => string;
  readonly neighbours?: boolean;
}

const macOf = (n: number): string => `02:00:00:08:00:0${n}`;
const other = (n: 1 | 2): 1 | 2 => (n === 1 ? 2 : 1);

function trip(
  end: End,
  packet: Partial<{ lengthBytes: number; df: boolean; ttl: number; tos: number; l4: Packet['l4'] }> = {},
): RoundTrip {
  const corner = (n: 1 | 2) => ({
    place: n === 1 ? W1 : W2,
    links: [
      device('eth0', 2, undefined, { address: `02:00:00:00:01:0${n}`, addresses: [`192.0.2.${n}/24`] }),
      end.tunnel(n),
    ],
    neighbours: end.neighbours
      ? [{ dst: `10.8.0.${other(n)}`, dev: 'tun', lladdr: macOf(other(n)), state: ['PERMANENT'] }]
      : [],
    ...(end.fdb && { fdb: end.fdb(n) }),
    more: end.wireguard ? ([['wireguard', n === 1 ? W1 : W2, {}, end.wireguard(n)]] as const) : [],
    listens: true,
  });
  const snapshot = world([corner(1), corner(2)], { w1: '192.0.2.1', w2: '192.0.2.2' });
  return simulateRoundTrip(
    { snapshot, gate: { parts: [], podAddressesRoutable: 'no' } },
    {
      from: W1,
      packet: buildPacket({ source: '10.8.0.1', destination: '10.8.0.2', l4: tcpSyn(80), lengthBytes: 60, ...packet }),
    },
  );
}

const leavesOf = (one: RoundTrip['forward']): LeafEnd[] =>
  one.segments.flatMap(({ then }) => ('end' in then ? [then] : []));
const ends = (one: RoundTrip): string[] => [
  ...leavesOf(one.forward).map(({ end }) => end),
  ...one.replies.flatMap(({ trace }) => leavesOf(trace).map(({ end }) => end)),
];
const last = (one: RoundTrip): Step => {
  const { at } = leavesOf(one.forward)[0]!;
  return one.forward.segments[at.segment]!.hops[at.hop]!.steps[at.step]!;
};
const outerOf = (one: RoundTrip): Packet => {
  return one.forward.segments.flatMap(({ hops }) => hops).find(({ packet }) => packet.inner)!.packet;
};

function ethernet(kind: string, data: (n: 1 | 2) => Json): End['tunnel'] {
  return (n) => device('tun', 9, kind, { address: macOf(n), addresses: [`10.8.0.${n}/24`], mtu: 1450, data: data(n) });
}

function pointToPoint(kind: string, data: (n: 1 | 2) => Json, name = 'tun'): End['tunnel'] {
  return (n) =>
    device(name, 9, kind, {
      flags: ['POINTOPOINT', 'NOARP', 'UP', 'LOWER_UP'],
      link_type: kind,
      addresses: [`10.8.0.${n}/24`],
      mtu: 1480,
      data: data(n),
    });
}

describe('VXLAN', () => {
  const entry = (n: 1 | 2, more: Json = {}): Json => {
    return {
      mac: macOf(other(n)),
      ifname: 'tun',
      dst: `192.0.2.${other(n)}`,
      flags: ['self'],
      state: 'permanent',
      ...more,
    };
  };
  const vxlan = (more: Json | ((n: 1 | 2) => Json) = {}) =>
    ethernet('vxlan', (n) => {
      return {
        id: 5,
        port: 4789,
        local: `192.0.2.${n}`,
        learning: false,
        ttl: 0,
        ...(typeof more === 'function' ? more(n) : more),
      };
    });
  const plain: End = { tunnel: vxlan(), fdb: (n) => [entry(n)], neighbours: true };

  it('wraps and unwraps, there and back', () => {
    const one = trip(plain);
    expect(ends(one)).toEqual(['delivered', 'delivered']);
    expect(outerOf(one)).toMatchObject({
      ip: { source: '192.0.2.1', destination: '192.0.2.2', ttl: 64, df: false },
      lengthBytes: 110,
      tunnel: { kind: 'vxlan', vni: 5 },
    });
  });

  it('inherits TTL, TOS and DF where told so; ECN always', () => {
    const one = trip({ ...plain, tunnel: vxlan({ ttl: undefined, tos: '0x1', df: 'inherit' }) }, { ttl: 9, tos: 0xb9 });
    expect(outerOf(one).ip).toMatchObject({ ttl: 9, tos: 0xb9, df: true });
    expect(outerOf(trip(plain, { tos: 0xb9 })).ip.tos).toBe(1);
  });

  it('wraps each fragment by itself', () => {
    const one = trip(plain, { lengthBytes: 3020, df: false });
    // 1424 and 1424 bytes of payload, and 152.
    expect(outerOf(one)).toMatchObject({ lengthBytes: 1494, series: { count: 3, lastBytes: 222 } });
    expect(outerOf(trip(plain)).series).toBeUndefined();
  });

  it('a flow has an outer source port of its own', () => {
    const flow = (l4: Packet['l4']): unknown => {
      const outer = outerOf(trip(plain, { l4 })).l4;
      return 'chosenFor' in outer && outer.chosenFor;
    };
    expect(flow(tcpSyn(80))).toBe(flow(tcpSyn(80)));
    expect(flow(tcpSyn(81))).not.toBe(flow(tcpSyn(80)));
  });

  it('asks over the default destinations, of which the one with the holder counts', () => {
    const any = (n: 1 | 2): Json[] => [
      { mac: '00:00:00:00:00:00', ifname: 'tun', dst: '192.0.2.77', flags: ['self'], state: 'permanent' },
      { mac: '00:00:00:00:00:00', ifname: 'tun', dst: `192.0.2.${other(n)}`, flags: ['self'], state: 'permanent' },
    ];
    expect(outerOf(trip({ ...plain, fdb: any })).ip.destination).toBe('192.0.2.2');
  });

  it.each([
    ['no-fdb-entry', { ...plain, fdb: () => [] }],
    ['vni-unknown', { ...plain, tunnel: vxlan((n) => ({ id: 4 + n })) }],
    [
      'source-moved',
      {
        ...plain,
        tunnel: vxlan({ learning: true }),
        fdb: (n: 1 | 2) => [entry(n, n === 2 ? { dst: '192.0.2.9' } : {})],
      },
    ],
  ] as const)('drops: %s', (reason, end) => {
    const one = trip(end);
    expect(ends(one)).toEqual(['tunnel-dropped']);
    expect(last(one).values).toMatchObject({ tunnel: 'vxlan', act: 'drop', reason });
  });

  it('what it takes from metadata, or carries beside the frame, is not guessed', () => {
    for (const more of [{ external: true }, { gbp: true }, { gpe: true }]) {
      expect(ends(trip({ ...plain, tunnel: vxlan(more) }))).toEqual(['insufficient-information']);
    }
  });

  it('an entry with an own address goes to the device of that number here, without a packet', () => {
    const one = trip({ ...plain, fdb: (n) => [entry(n, { dst: `192.0.2.${n}` })] });
    expect(one.forward.segments.flatMap(({ hops }) => hops).some(({ packet }) => packet.inner)).toBe(false);
  });
});

describe('GENEVE', () => {
  const geneve = (remote: (n: 1 | 2) => string): End => ({
    tunnel: ethernet('geneve', (n) => ({ id: 7, port: 6081, ttl: 0, remote: remote(n) })),
    neighbours: true,
  });

  it('takes frames of its number from its remote alone', () => {
    const one = trip(geneve((n) => `192.0.2.${other(n)}`));
    expect(ends(one)).toEqual(['delivered', 'delivered']);
    expect(outerOf(one)).toMatchObject({
      lengthBytes: 110,
      l4: { destinationPort: 6081 },
      tunnel: { kind: 'geneve', vni: 7 },
    });
    expect(last(trip(geneve((n) => (n === 1 ? '192.0.2.2' : '192.0.2.9')))).values).toMatchObject({
      reason: 'vni-unknown',
    });
  });
});

describe('IPIP, SIT and GRE', () => {
  const remote = (n: 1 | 2): Json => ({ remote: `192.0.2.${other(n)}`, local: `192.0.2.${n}` });

  it('IPIP: DF by default, TTL of the inner packet, twenty bytes more', () => {
    const one = trip({ tunnel: pointToPoint('ipip', remote) }, { ttl: 17 });
    expect(ends(one)).toEqual(['delivered', 'delivered']);
    expect(outerOf(one)).toMatchObject({ ip: { ttl: 17, df: true }, l4: { protocol: 4 }, lengthBytes: 80 });
  });

  it('tells the sender what does not fit', () => {
    const large = { lengthBytes: 1490, df: true };
    const tunnel = pointToPoint('ipip', remote);
    const wide: End = { tunnel: (n) => ({ ...tunnel(n), mtu: 1500 }) };
    expect(leavesOf(trip(wide, large).forward)[0]).toMatchObject({ end: 'packet-too-big', senderSees: 'icmp 3/4' });
  });

  it('the fallback device takes what no other tunnel does, and names none as its remote', () => {
    const receiver = pointToPoint('ipip', () => ({ remote: 'any', local: 'any' }), 'tunl0');
    const sender = pointToPoint('ipip', remote);
    expect(ends(trip({ tunnel: (n) => (n === 1 ? sender(1) : receiver(2)) }))[0]).toBe('delivered');
    const wrong = pointToPoint('ipip', () => ({ remote: '192.0.2.9', local: 'any' }));
    const one = trip({ tunnel: (n) => (n === 1 ? sender(1) : wrong(2)) });
    expect(last(one).values).toMatchObject({ act: 'drop', reason: 'no-tunnel' });
  });

  it('GRE: the key must fit', () => {
    const keyed = (key: (n: 1 | 2) => string) =>
      pointToPoint('gre', (n) => ({ ...remote(n), ikey: key(n), okey: key(n) }));
    const one = trip({ tunnel: keyed(() => '0.0.0.42') });
    expect(ends(one)).toEqual(['delivered', 'delivered']);
    expect(outerOf(one)).toMatchObject({ lengthBytes: 88, l4: { protocol: 47 }, tunnel: { kind: 'gre', key: 42 } });
    expect(last(trip({ tunnel: keyed((n) => `0.0.0.${n}`) })).values).toMatchObject({ reason: 'no-tunnel', key: 1 });
  });

  it('a tunnel whose remote lies behind itself goes round', () => {
    const one = trip({ tunnel: pointToPoint('ipip', () => ({ remote: '10.8.0.77', local: 'any' })) });
    expect(last(one).values).toMatchObject({ act: 'drop', reason: 'circular' });
  });

  it('SIT does not carry IPv4 in its usual mode', () => {
    const one = trip({ tunnel: pointToPoint('sit', (n) => ({ ...remote(n), proto: 'ip6ip' })) });
    expect(last(one).values).toMatchObject({ act: 'drop', reason: 'protocol' });
  });
});

describe('WireGuard', () => {
  const key = (n: number): string => `${'key'.repeat(14)}${n}=`;
  const dump =
    (allowed: (n: 1 | 2) => string, endpoint = true) =>
    (n: 1 | 2) =>
      [
        `tun\t(hidden)\t${key(n)}\t51820\toff`,
        `tun\t${key(other(n))}\t(none)\t${endpoint ? `192.0.2.${other(n)}:51820` : '(none)'}\t${allowed(n)}\t0\t0\t0\toff`,
      ].join('\n');
  const end = (wireguard: (n: 1 | 2) => string): End => ({ tunnel: pointToPoint('wireguard', () => ({})), wireguard });

  it('sends to the endpoint of the peer that may have the address', () => {
    const one = trip(end(dump((n) => `10.8.0.${other(n)}/32`)));
    expect(ends(one)).toEqual(['delivered', 'delivered']);
    expect(outerOf(one)).toMatchObject({
      ip: { destination: '192.0.2.2', df: false },
      l4: { protocol: 'udp', sourcePort: 51820, destinationPort: 51820 },
      lengthBytes: 64 + 60,
    });
  });

  it('tells the sender where no peer may have it, or none can be reached', () => {
    const none = trip(end(dump(() => '10.99.0.0/16')));
    expect(leavesOf(none.forward)[0]).toMatchObject({ end: 'tunnel-dropped', senderSees: 'icmp 3/1' });
    expect(last(none).values).toMatchObject({ reason: 'no-peer' });
    expect(last(trip(end(dump(() => '0.0.0.0/0', false)))).values).toMatchObject({ reason: 'no-endpoint' });
  });

  it('takes from a peer only what that one may send', () => {
    const one = trip(end(dump((n) => (n === 1 ? '10.8.0.2/32' : '10.99.0.0/16'))));
    expect(last(one).values).toMatchObject({ act: 'drop', reason: 'source-not-allowed' });
  });

  it('asks for the peers where they were not asked for', () => {
    const leaf = leavesOf(trip({ tunnel: pointToPoint('wireguard', () => ({})) }).forward)[0]!;
    expect(leaf.end).toBe('insufficient-information');
    expect(leaf.wants.map(({ action }) => action)).toContain('wireguard');
  });
});
