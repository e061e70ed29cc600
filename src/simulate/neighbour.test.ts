import { describe, expect, it } from 'vitest';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { Question } from './bridge-proxy.ts';
import type { Station } from './cables.ts';
import type { Walk } from './cursor.ts';
import { linkNamed } from './hook-input.ts';
import { segmentOwner } from './neighbour.ts';
import { questionFor } from './neighbour-question.ts';
import type { SegmentOwner } from './segment-owner.ts';
import { A, A_MAC, type Corner, device, type Json, W1, world } from './testing/wired-world.ts';

/* A pod on a veth of its own; its host has another device with a default route. */

const VETH_MAC = '02:00:00:00:01:0a';

function routed(host: Partial<Corner> = {}, pod: Partial<Corner> = {}): Snapshot {
  return world([
    {
      place: W1,
      links: [
        device('va', 11, 'veth', { address: VETH_MAC, link_index: 2, link_netnsid: 1 }),
        device('eth0', 3, undefined, { address: '02:00:00:00:02:01', addresses: ['192.0.2.1/24'] }),
      ],
      routes: ['default via 192.0.2.254 dev eth0', '10.1.0.10 dev va scope link'],
      ...host,
    },
    {
      place: A,
      links: [
        device('eth0', 2, 'veth', { address: A_MAC, addresses: ['10.1.0.10/32'], link_index: 11, link_netnsid: 0 }),
      ],
      routes: ['default via 169.254.1.1 dev eth0', '169.254.1.1 dev eth0 scope link'],
      ...pod,
    },
  ]);
}

const walkIn = (snapshot: Snapshot): Walk => ({ world: { snapshot, gate: { parts: [], podAddressesRoutable: 'no' } } });

function ask(
  snapshot: Snapshot,
  address: string,
  at: Pick<Station, 'place'> & { device: string } = { place: A, device: 'eth0' },
): SegmentOwner {
  const link = linkNamed(snapshot, at.place, at.device)!;
  const question: Question = questionFor(snapshot, at.place, link, address, '10.1.0.10');
  return segmentOwner(walkIn(snapshot), { place: at.place, link }, question);
}

describe('ARP', () => {
  const on = (...keys: string[]): Partial<Corner> => ({
    sysctls: Object.fromEntries(keys.map((key) => [`net.ipv4.conf.${key}`, '1'])),
  });

  it('a host answers for its own addresses, whatever device has them', () => {
    expect(ask(routed(), '192.0.2.1')).toMatchObject({ state: 'owner', mac: VETH_MAC, place: W1 });
    expect(ask(routed(on('va.arp_ignore')), '192.0.2.1')).toMatchObject({ state: 'nobody' });
    expect(ask(routed({ sysctls: { 'net.ipv4.conf.all.arp_ignore': '8' } }), '192.0.2.1')).toMatchObject({
      state: 'nobody',
    });
  });

  it('Calico’s 169.254.1.1: by proxy_arp, if the host has a route for it, by another device, and forwards', () => {
    expect(ask(routed(), '169.254.1.1')).toEqual({ state: 'nobody' });
    expect(ask(routed(on('va.proxy_arp')), '169.254.1.1')).toMatchObject({
      state: 'owner',
      mac: VETH_MAC,
      proxy: true,
    });
    const without = { ...on('va.proxy_arp'), routes: ['10.1.0.10 dev va scope link'] };
    expect(ask(routed(without), '169.254.1.1')).toEqual({ state: 'nobody' });
    const unforwarded = { sysctls: { 'net.ipv4.conf.va.proxy_arp': '1', 'net.ipv4.conf.va.forwarding': '0' } };
    expect(ask(routed(unforwarded), '169.254.1.1')).toEqual({ state: 'nobody' });
    const same = { ...on('va.proxy_arp'), routes: ['default dev va scope link', '10.1.0.10 dev va scope link'] };
    expect(ask(routed(same), '169.254.1.1')).toEqual({ state: 'nobody' });
  });

  it('an entry of `ip neigh add proxy` answers for its address alone', () => {
    const neighbours: readonly Json[] = [{ dst: '169.254.1.1', dev: 'va', proxy: null, state: [] }];
    expect(ask(routed({ neighbours }), '169.254.1.1')).toMatchObject({ state: 'owner', proxy: true });
    expect(ask(routed({ neighbours }), '169.254.1.2')).toEqual({ state: 'nobody' });
  });

  it('no answer to an address that source validation refuses', () => {
    const strict = { ...on('va.rp_filter', 'va.proxy_arp'), routes: ['default via 192.0.2.254 dev eth0'] };
    expect(ask(routed(strict), '169.254.1.1').state).toBe('nobody');
    expect(ask(routed(on('va.rp_filter', 'va.proxy_arp')), '169.254.1.1').state).toBe('owner');
  });

  it('arp_filter: only on the device that the answer would leave by', () => {
    expect(ask(routed(on('va.arp_filter')), '192.0.2.1').state).toBe('owner');
    const elsewhere = { ...on('va.arp_filter'), routes: ['default via 192.0.2.254 dev eth0'] };
    expect(ask(routed(elsewhere), '192.0.2.1').state).toBe('nobody');
  });

  it('without the sysctls nothing is claimed', () => {
    const snapshot = routed();
    const bare: Snapshot = {
      ...snapshot,
      fact: (name, place, args) => {
        const observed = snapshot.fact(name, place, args);
        if (name !== 'sysctls' || observed.state === 'unseen') return observed;
        return { state: 'unseen', gap: 'not-permitted', detail: 'no', want: observed.source.request };
      },
    };
    expect(ask(bare, '169.254.1.1').state).toBe('unknown');
  });
});

describe('what is asked with', () => {
  it('the packet’s source where it is local, unless arp_announce forbids it', () => {
    const snapshot = routed();
    const link = linkNamed(snapshot, W1, 'eth0')!;
    expect(questionFor(snapshot, W1, link, '192.0.2.9', '192.0.2.1').asker).toBe('192.0.2.1');
    expect(questionFor(snapshot, W1, link, '192.0.2.9', '10.1.0.10').asker).toBe('192.0.2.1');
    const veth = linkNamed(snapshot, W1, 'va')!;
    expect(questionFor(snapshot, W1, veth, '10.1.0.10', '10.9.9.9').asker).toBe('192.0.2.1');
  });
});

describe('neighbour discovery', () => {
  const six = (flags: Json = {}): Partial<Corner> => ({
    links: [
      {
        ...device('va', 11, 'veth', { address: VETH_MAC, link_index: 2, link_netnsid: 1 }),
        addr_info: [{ local: 'fd00::1', prefixlen: 64, scope: 'global', ...flags }],
      },
      { ...device('eth0', 3, undefined), addr_info: [{ local: 'fd00:2::1', prefixlen: 64, scope: 'global' }] },
    ],
  });
  const pod = (addresses: readonly Json[]): Partial<Corner> => ({
    links: [
      { ...device('eth0', 2, 'veth', { address: A_MAC, link_index: 11, link_netnsid: 0 }), addr_info: addresses },
    ],
  });
  const LINK_LOCAL = pod([{ local: 'fe80::a', prefixlen: 64, scope: 'link' }]);

  it('only an address of the very device answers, and one that has passed duplicate detection', () => {
    expect(ask(routed(six(), LINK_LOCAL), 'fd00::1')).toMatchObject({ state: 'owner', mac: VETH_MAC });
    expect(ask(routed(six(), LINK_LOCAL), 'fd00:2::1')).toEqual({ state: 'nobody' });
    expect(ask(routed(six({ tentative: true }), LINK_LOCAL), 'fd00::1')).toMatchObject({ state: 'nobody' });
    expect(ask(routed(six({ tentative: true, dadfailed: true }), LINK_LOCAL), 'fd00::1')).toMatchObject({
      state: 'nobody',
    });
  });

  it('an entry of `ip -6 neigh add proxy` answers with proxy_ndp and forwarding', () => {
    const neighbours: readonly Json[] = [{ dst: 'fd00::99', dev: 'va', proxy: null, state: [] }];
    const on = { 'net.ipv6.conf.va.proxy_ndp': '1', 'net.ipv6.conf.va.forwarding': '1' };
    expect(ask(routed({ ...six(), neighbours, sysctls: on }, LINK_LOCAL), 'fd00::99')).toMatchObject({
      state: 'owner',
      proxy: true,
    });
    const off = { ...on, 'net.ipv6.conf.va.proxy_ndp': '0' };
    expect(ask(routed({ ...six(), neighbours, sysctls: off }, LINK_LOCAL), 'fd00::99').state).toBe('nobody');
  });

  it('is not asked without an address of the link to ask from', () => {
    expect(ask(routed(six(), pod([])), 'fd00::1')).toMatchObject({ state: 'nobody' });
  });
});

describe('rules', () => {
  const save = (...rules: readonly string[]): Partial<Corner> => ({
    more: [
      [
        'iptables.nft',
        W1,
        { family: 6, table: '' },
        `*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n${rules.map((rule) => `${rule}\n`).join('')}COMMIT\n`,
      ],
    ],
  });
  const host: Partial<Corner> = {
    links: [
      {
        ...device('va', 11, 'veth', { address: VETH_MAC, link_index: 2, link_netnsid: 1 }),
        addr_info: [{ local: 'fd00::1', prefixlen: 64, scope: 'global' }],
      },
    ],
  };
  const pod: Partial<Corner> = {
    links: [
      {
        ...device('eth0', 2, 'veth', { address: A_MAC, link_index: 11, link_netnsid: 0 }),
        addr_info: [{ local: 'fe80::a', prefixlen: 64, scope: 'link' }],
      },
    ],
  };
  const filtered = (...rules: readonly string[]): SegmentOwner =>
    ask(routed({ ...host, ...save(...rules) }, pod), 'fd00::1');

  it('that drop the question: who would answer has not heard it', () => {
    const owner = filtered('-A INPUT -p ipv6-icmp -m icmp6 --icmpv6-type 135 -j DROP');
    expect(owner).toMatchObject({ state: 'nobody', interruption: { what: 'rule', place: W1 } });
    expect(owner).not.toHaveProperty('heardBy');
  });

  it('that drop the answer: it has', () => {
    const owner = filtered('-A OUTPUT -p ipv6-icmp -m icmp6 --icmpv6-type 136 -j DROP');
    expect(owner).toMatchObject({ state: 'nobody', interruption: { what: 'rule', place: W1 }, heardBy: { place: W1 } });
  });

  it('that let both pass, and ones that may not', () => {
    expect(filtered('-A INPUT -p ipv6-icmp -m icmp6 --icmpv6-type 136 -j DROP').state).toBe('owner');
    expect(
      filtered('-A INPUT -p ipv6-icmp -m limit --limit 5/sec -j ACCEPT', '-A INPUT -p ipv6-icmp -j DROP'),
    ).toMatchObject({
      state: 'unknown',
      because: expect.stringContaining('--limit 5/sec'),
    });
  });
});
