import { describe, expect, it } from 'vitest';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { simulateRoundTrip } from './simulate-round-trip.ts';
import { buildPacket, tcpSyn } from './testing/build-hook-input.ts';
import { A, A_MAC, B, B_MAC, BRIDGE_MAC, type Corner, device, type Json, W1, world } from './testing/wired-world.ts';
import type { LeafEnd, RoundTrip, Step } from './trace.ts';

/* Two pods on one bridge, which knows nobody; what a port or the table says is changed in each case. */

interface Setting {
  readonly bridge?: Json;
  readonly portA?: Json;
  readonly portB?: Json;
  readonly upB?: boolean;
  readonly fdb?: readonly Json[];
  readonly host?: Partial<Corner>;
  readonly vlans?: readonly Json[];
  /** The pods know each other's MAC. */
  readonly known?: boolean;
  readonly knownAs?: string;
}

function bridged(setting: Setting = {}): Snapshot {
  const { bridge = {}, portA = {}, portB = {}, fdb = [], known = true } = setting;
  const down = setting.upB === false ? { flags: ['BROADCAST', 'MULTICAST'], operstate: 'DOWN' } : {};
  const pod = (place: typeof A, mac: string, address: string, index: number, other: Json): Corner => ({
    place,
    links: [device('eth0', 2, 'veth', { address: mac, addresses: [address], link_index: index, link_netnsid: 0 })],
    neighbours: known ? [other] : [],
    listens: true,
  });
  const entry = (dst: string, lladdr: string): Json => ({ dst, dev: 'eth0', lladdr, state: ['PERMANENT'] });
  return world([
    {
      place: W1,
      links: [
        device('br0', 10, 'bridge', {
          address: BRIDGE_MAC,
          addresses: ['10.1.0.1/24'],
          data: { stp_state: 0, ...bridge },
        }),
        device('va', 11, 'veth', {
          address: '02:00:00:00:01:0a',
          link_index: 2,
          link_netnsid: 1,
          master: 'br0',
          slave: portA,
        }),
        device('vb', 12, 'veth', {
          address: '02:00:00:00:01:0b',
          link_index: 2,
          link_netnsid: 2,
          master: 'br0',
          slave: portB,
          ...down,
        }),
      ],
      fdb,
      ...setting.host,
      more: setting.vlans ? [['bridge-vlans', W1, {}, JSON.stringify(setting.vlans)]] : [],
    },
    pod(A, A_MAC, '10.1.0.10/24', 11, entry('10.1.0.11', setting.knownAs ?? B_MAC)),
    pod(B, B_MAC, '10.1.0.11/24', 12, entry('10.1.0.10', A_MAC)),
  ]);
}

function trip(setting: Setting, lengthBytes = 60, df = true): RoundTrip {
  const packet = buildPacket({ source: '10.1.0.10', destination: '10.1.0.11', l4: tcpSyn(80), lengthBytes, df });
  return simulateRoundTrip(
    { snapshot: bridged(setting), gate: { parts: [], podAddressesRoutable: 'no' } },
    { from: A, packet },
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

describe('a bridge', () => {
  it('floods for a MAC that it does not know, and has learnt the asker’s when the answer comes', () => {
    expect(ends(trip({}))).toEqual(['delivered', 'delivered']);
    // The port of the asker gets no flooded frames, and needs none.
    expect(ends(trip({ portA: { flood: false } }))).toEqual(['delivered', 'delivered']);
    expect(ends(trip({ portA: { flood: false, learning: false } }))).toEqual(['delivered', 'bridge-blocked']);
  });

  it('does not flood to a port that is told not to', () => {
    const one = trip({ portB: { flood: false } });
    expect(ends(one)).toEqual(['bridge-blocked']);
    expect(last(one).values).toMatchObject({ port: 'vb', reason: 'flood-off' });
  });

  it('learns from the answer to a question, so that nothing is flooded', () => {
    expect(ends(trip({ portB: { flood: false }, known: false }))).toEqual(['delivered', 'delivered']);
  });

  it('keeps broadcasts from a port that is told so: its holder is never asked', () => {
    const one = trip({ portB: { bcast_flood: false }, known: false });
    expect(leavesOf(one.forward)[0]).toMatchObject({ end: 'bridge-blocked', senderSees: 'icmp 3/1', place: W1 });
    expect(last(one).values).toMatchObject({ port: 'vb', reason: 'flood-off' });
    expect(ends(trip({ portB: { bcast_flood: false } }))).toEqual(['delivered', 'delivered']);
  });

  it('follows its table, also where it is wrong; a local entry goes up to a host that does not take it', () => {
    const wrong = { mac: B_MAC, ifname: 'va', master: 'br0', state: 'static' };
    expect(last(trip({ fdb: [wrong] })).values).toMatchObject({ port: 'va', reason: 'hairpin-off' });
    const local = { mac: B_MAC, ifname: 'vb', master: 'br0', state: 'permanent' };
    const one = trip({ fdb: [local] });
    expect(ends(one)).toEqual(['not-for-this-mac']);
    expect(last(one).values).toMatchObject({ device: 'br0', destinationMac: B_MAC });
  });

  it('a static entry of the asker moves with its own frame', () => {
    const moved = { mac: A_MAC, ifname: 'vb', master: 'br0', state: 'static' };
    expect(ends(trip({ fdb: [moved] }))).toEqual(['delivered', 'delivered']);
    expect(ends(trip({ fdb: [{ ...moved, flags: ['sticky'] }] }))).toEqual(['delivered', 'bridge-blocked']);
  });

  it('takes from a locked port only MACs that its table has there', () => {
    expect(last(trip({ portA: { locked: true } })).values).toMatchObject({ port: 'va', reason: 'locked' });
    const entry = { mac: A_MAC, ifname: 'va', master: 'br0', state: 'static' };
    expect(ends(trip({ portA: { locked: true }, fdb: [entry] }))).toEqual(['delivered', 'delivered']);
  });

  it('keeps isolated ports apart, and passes nothing by a port that does not forward', () => {
    expect(last(trip({ portA: { isolated: true }, portB: { isolated: true } })).values).toMatchObject({
      reason: 'isolated',
    });
    expect(ends(trip({ portB: { isolated: true } }))).toEqual(['delivered', 'delivered']);
    expect(last(trip({ portA: { state: 'blocking' } })).values).toMatchObject({
      state: 'blocking',
      reason: 'port-state',
    });
  });

  it('a question that a downed port keeps from its holder: told to the sender, with the place of the fault', () => {
    const one = trip({ upB: false, known: false });
    expect(leavesOf(one.forward)[0]).toMatchObject({ end: 'link-down', senderSees: 'icmp 3/1', place: W1 });
    expect(last(one).values).toMatchObject({ device: 'vb', reason: 'down' });
  });

  it('a frame for nobody’s MAC is taken by nobody', () => {
    expect(ends(trip({ knownAs: '02:00:00:99:99:99' }))).toEqual(['not-for-this-mac']);
  });

  it('drops what is longer than a port’s MTU with a VLAN tag, and cuts it after the IP hooks if it may', () => {
    const small: Partial<Corner> = {};
    const host = (mtu: number, calls: string): Partial<Corner> => ({
      ...small,
      links: [
        device('br0', 10, 'bridge', { address: BRIDGE_MAC, addresses: ['10.1.0.1/24'], data: { stp_state: 0 } }),
        device('va', 11, 'veth', { link_index: 2, link_netnsid: 1, master: 'br0', slave: {} }),
        device('vb', 12, 'veth', { link_index: 2, link_netnsid: 2, master: 'br0', slave: {}, mtu }),
      ],
      sysctls: { 'net.bridge.bridge-nf-call-iptables': calls },
    });
    expect(ends(trip({ host: host(1396, '0') }, 1400, false))[0]).toBe('delivered');
    expect(ends(trip({ host: host(1395, '0') }, 1400, false))).toEqual(['packet-too-big']);
    expect(ends(trip({ host: host(1395, '1') }, 1400, false))[0]).toBe('delivered');
    expect(ends(trip({ host: host(1396, '1') }, 1400, true))).toEqual(['packet-too-big']);
  });
});

describe('a bridge that filters VLANs', () => {
  const member = (ifname: string, vlan: number, ...flags: string[]): Json => ({ ifname, vlans: [{ vlan, flags }] });
  const untagged = ['PVID', 'Egress Untagged'];
  const bridge = { vlan_filtering: 1, vlan_protocol: '802.1Q' };

  it('joins ports of one VLAN', () => {
    const vlans = [member('va', 5, ...untagged), member('vb', 5, ...untagged)];
    expect(ends(trip({ bridge, vlans }))).toEqual(['delivered', 'delivered']);
    expect(ends(trip({ bridge, vlans, known: false }))).toEqual(['delivered', 'delivered']);
  });

  it('keeps VLANs apart, and drops what has none', () => {
    const apart = trip({ bridge, vlans: [member('va', 5, ...untagged), member('vb', 6, ...untagged)] });
    expect(last(apart).values).toMatchObject({ port: 'vb', reason: 'vlan' });
    const none = trip({ bridge, vlans: [member('va', 5), member('vb', 5, ...untagged)] });
    expect(last(none).values).toMatchObject({ port: 'va', reason: 'vlan' });
  });

  it('a frame that keeps its tag is for nobody where no device stands for it', () => {
    const one = trip({ bridge, vlans: [member('va', 5, ...untagged), member('vb', 5)] });
    expect(ends(one)).toEqual(['not-for-this-mac']);
  });

  it('asks for the VLANs of the ports where they were not', () => {
    const leaf = leavesOf(trip({ bridge }).forward)[0]!;
    expect(leaf.end).toBe('insufficient-information');
    expect(leaf.wants.map(({ action }) => action)).toContain('bridge-vlans');
  });
});
