import { describe, expect, it } from 'vitest';
import type { Place } from '../net/place.ts';
import { simulateRoundTrip } from './simulate-round-trip.ts';
import { buildPacket, tcpSyn } from './testing/build-hook-input.ts';
import { A, A_MAC, B, B_MAC, type Corner, device, type Json, W1, W2, world } from './testing/wired-world.ts';
import type { LeafEnd, RoundTrip, Step } from './trace.ts';

function trip(corners: readonly Corner[], from: Place, source: string, destination: string): RoundTrip {
  const snapshot = world(corners, { w1: '192.0.2.1', w2: '192.0.2.2' });
  return simulateRoundTrip(
    { snapshot, gate: { parts: [], podAddressesRoutable: 'no' } },
    { from, packet: buildPacket({ source, destination, l4: tcpSyn(80), lengthBytes: 60 }) },
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

const nic = (n: 1 | 2, more: Json = {}): Json =>
  device('eth0', 3, undefined, { address: `02:00:00:00:02:0${n}`, addresses: [`192.0.2.${n}/24`], ...more });

describe('macvlan', () => {
  const guest = (place: Place, mac: string, address: string, mode: string): Corner => ({
    place,
    links: [
      device('net1', 5, 'macvlan', {
        address: mac,
        addresses: [address],
        link_index: 3,
        link_netnsid: 0,
        data: { mode },
      }),
    ],
    listens: true,
  });
  const both = (mode: string): Corner[] => [
    { place: W1, links: [nic(1)], listens: true },
    { place: W2, links: [nic(2)], listens: true },
    guest(A, A_MAC, '192.0.2.10/24', mode),
    guest(B, B_MAC, '192.0.2.11/24', mode),
  ];

  it('in bridge mode reaches its siblings directly; a private one does not', () => {
    expect(ends(trip(both('bridge'), A, '192.0.2.10', '192.0.2.11'))).toEqual(['delivered', 'delivered']);
    expect(ends(trip(both('private'), A, '192.0.2.10', '192.0.2.11'))).toEqual(['neighbour-unresolved']);
    expect(ends(trip(both('vepa'), A, '192.0.2.10', '192.0.2.11'))).toEqual(['insufficient-information']);
  });

  it('reaches other nodes by the NIC, and is reached; never its own host', () => {
    for (const mode of ['bridge', 'private', 'vepa']) {
      expect(ends(trip(both(mode), A, '192.0.2.10', '192.0.2.2'))).toEqual(['delivered', 'delivered']);
      expect(ends(trip(both(mode), W2, '192.0.2.2', '192.0.2.10'))).toEqual(['delivered', 'delivered']);
      expect(ends(trip(both(mode), A, '192.0.2.10', '192.0.2.1'))).toEqual(['neighbour-unresolved']);
    }
  });

  it('in passthru mode takes all that comes in by the NIC', () => {
    const corners = [
      { place: W1, links: [nic(1)], listens: true },
      { place: W2, links: [nic(2)] },
      guest(A, A_MAC, '192.0.2.10/24', 'passthru'),
    ];
    expect(ends(trip(corners, W2, '192.0.2.2', '192.0.2.10'))).toEqual(['delivered', 'delivered']);
    expect(ends(trip(corners, W1, '192.0.2.1', '192.0.2.2'))).toEqual(['neighbour-unresolved']);
  });

  it('whose source MACs decide is not guessed', () => {
    expect(ends(trip(both('source'), W2, '192.0.2.2', '192.0.2.10'))).toEqual(['insufficient-information']);
  });
});

describe('ipvlan', () => {
  const guest = (place: Place, address: string, mode: string): Corner => ({
    place,
    links: [
      device('net1', 5, 'ipvlan', {
        address: '02:00:00:00:02:01',
        addresses: [address],
        link_index: 3,
        link_netnsid: 0,
        data: { mode, mode_flag: 'bridge' },
        ...(mode !== 'l2' && { flags: ['BROADCAST', 'NOARP', 'UP', 'LOWER_UP'] }),
      }),
    ],
    listens: true,
  });
  const corners = (mode: string): Corner[] => [
    { place: W1, links: [nic(1)] },
    { place: W2, links: [nic(2)] },
    guest(A, '192.0.2.10/24', mode),
    guest(B, '192.0.2.11/24', mode),
  ];

  it('in mode l3 goes to the sibling that has the address', () => {
    expect(ends(trip(corners('l3'), A, '192.0.2.10', '192.0.2.11'))).toEqual(['delivered', 'delivered']);
  });

  it('what mode l3s receives is not guessed', () => {
    expect(ends(trip(corners('l3s'), W2, '192.0.2.2', '192.0.2.10'))).toEqual(['insufficient-information']);
  });
});

describe('VLAN devices', () => {
  const tagged = (n: 1 | 2, id: number): Json =>
    device(`eth0.${id}`, 6, 'vlan', {
      link: 'eth0',
      address: `02:00:00:00:02:0${n}`,
      addresses: [`10.5.0.${n}/24`],
      data: { protocol: '802.1Q', id, flags: ['REORDER_HDR'] },
    });
  const corner = (n: 1 | 2, id: number): Corner => ({
    place: n === 1 ? W1 : W2,
    links: [nic(n), tagged(n, id)],
    listens: true,
  });

  it('put their tag on and take it off', () => {
    const one = trip([corner(1, 5), corner(2, 5)], W1, '10.5.0.1', '10.5.0.2');
    expect(ends(one)).toEqual(['delivered', 'delivered']);
    const inside = one.forward.segments[0]!.hops.find(({ input }) => input === 'eth0');
    expect(inside?.packet.macs?.vlan).toBe(5);
  });

  it('a tag that no device stands for is for nobody', () => {
    const neighbours = [{ dst: '10.5.0.2', dev: 'eth0.5', lladdr: '02:00:00:00:02:02', state: ['PERMANENT'] }];
    const one = trip([{ ...corner(1, 5), neighbours }, corner(2, 6)], W1, '10.5.0.1', '10.5.0.2');
    expect(ends(one)).toEqual(['not-for-this-mac']);
    expect(last(one).values).toMatchObject({ device: 'eth0', reason: 'vlan' });
  });
});

describe('bonds', () => {
  const bond = (data: Json): Json =>
    device('bond0', 8, 'bond', { address: '02:00:00:00:02:01', addresses: ['192.0.2.1/24'], data });
  const slave = (name: string, index: number, state: string, up = true): Json => ({
    ...device(name, index, undefined, {
      address: '02:00:00:00:02:01',
      master: 'bond0',
      ...(up ? {} : { flags: ['NO-CARRIER', 'BROADCAST', 'UP'], operstate: 'DOWN' }),
    }),
    linkinfo: { info_slave_kind: 'bond', info_slave_data: { state, mii_status: up ? 'UP' : 'DOWN' } },
  });

  it('send by the active port, and by none where there is none', () => {
    const w2: Corner = { place: W2, links: [nic(2)], listens: true };
    const up = [
      bond({ mode: 'active-backup', active_slave: 'ens1' }),
      slave('ens1', 3, 'ACTIVE'),
      slave('ens2', 4, 'BACKUP'),
    ];
    expect(ends(trip([{ place: W1, links: up }, w2], W1, '192.0.2.1', '192.0.2.2'))[0]).toBe('delivered');
    const none = [
      bond({ mode: 'active-backup' }),
      slave('ens1', 3, 'BACKUP', false),
      slave('ens2', 4, 'BACKUP', false),
    ];
    expect(ends(trip([{ place: W1, links: none }, w2], W1, '192.0.2.1', '192.0.2.2'))).toEqual(['link-down']);
  });
});

describe('devices that lead nowhere', () => {
  const leaving = (link: Json): RoundTrip =>
    trip(
      [{ place: W1, links: [nic(1), link], routes: ['10.7.0.0/24 dev x0 scope link'] }],
      W1,
      '192.0.2.1',
      '10.7.0.9',
    );
  const noArp = { flags: ['BROADCAST', 'NOARP', 'UP', 'LOWER_UP'] };

  it('a dummy device and an ifb discard; a tun device hands to its process', () => {
    expect(ends(leaving(device('x0', 9, 'dummy', { address: '02:00:00:00:00:99', ...noArp })))).toEqual(['link-down']);
    expect(last(leaving(device('x0', 9, 'ifb', { address: '02:00:00:00:00:99', ...noArp }))).values).toMatchObject({
      reason: 'discards',
    });
    const tun = device('x0', 9, 'tun', {
      link_type: 'none',
      flags: ['POINTOPOINT', 'NOARP', 'UP', 'LOWER_UP'],
      data: { type: 'tun' },
    });
    expect(ends(leaving(tun))).toEqual(['handed-to-userspace']);
  });

  it('a kind that is not modelled is not guessed', () => {
    const netkit = device('x0', 9, 'netkit', { link_type: 'none', flags: ['POINTOPOINT', 'NOARP', 'UP', 'LOWER_UP'] });
    expect(ends(leaving(netkit))).toEqual(['insufficient-information']);
  });
});
