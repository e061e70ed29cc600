import { describe, expect, test } from 'vitest';
import { type Link, parseIpLink } from './ip-link.ts';

/** As iproute2 prints one device; only what its kind adds is told. */
function linkOf(linkinfo: object): Link {
  const text = JSON.stringify([{ ifindex: 2, ifname: 'x0', mtu: 1500, flags: ['UP'], link_type: 'ether', linkinfo }]);
  const { value, unparsed } = parseIpLink(text);
  expect(unparsed).toEqual([]);
  return value[0]!;
}

describe('particulars of kinds', () => {
  test('a bridge’s port as iproute2 6.1 prints it; what is as by default is left out', () => {
    const slave = {
      state: 'forwarding',
      hairpin: false,
      learning: true,
      flood: true,
      proxy_arp: false,
      mcast_flood: true,
      bcast_flood: true,
      neigh_suppress: false,
      isolated: false,
      locked: false,
    };
    const port = (more: object): Link['bridgePort'] =>
      linkOf({ info_kind: 'veth', info_slave_kind: 'bridge', info_slave_data: { ...slave, ...more } }).bridgePort;
    const plain = { state: 'forwarding', hairpin: false, isolated: false, learning: true, flood: true };
    expect(port({})).toEqual(plain);
    expect(
      port({ mcast_flood: false, bcast_flood: false, proxy_arp: true, neigh_suppress: true, locked: true }),
    ).toEqual({
      ...plain,
      multicastFlood: false,
      broadcastFlood: false,
      proxyArp: true,
      neighbourSuppression: true,
      locked: true,
    });
  });

  test('a bridge that filters VLANs', () => {
    const data = { stp_state: 1, vlan_filtering: 1, vlan_protocol: '802.1Q', group_fwd_mask: '0', nf_call_iptables: 1 };
    expect(linkOf({ info_kind: 'bridge', info_data: data }).bridge).toEqual({
      vlanFiltering: true,
      vlanProtocol: '802.1Q',
      stpState: 1,
      nfCallIptables: true,
    });
  });

  test('VLAN, macvlan, ipvlan, bond and tun', () => {
    expect(
      linkOf({ info_kind: 'vlan', info_data: { protocol: '802.1ad', id: 7, flags: ['REORDER_HDR'] } }).vlan,
    ).toEqual({
      id: 7,
      protocol: '802.1ad',
      flags: ['REORDER_HDR'],
    });
    expect(linkOf({ info_kind: 'macvlan', info_data: { mode: 'private', bcqueuelen: 1000 } }).macvlan).toEqual({
      mode: 'private',
    });
    expect(linkOf({ info_kind: 'ipvlan', info_data: { mode: 'l3', mode_flag: 'vepa' } }).ipvlan).toEqual({
      mode: 'l3',
      flag: 'vepa',
    });
    expect(linkOf({ info_kind: 'bond', info_data: { mode: 'active-backup', active_slave: 'eth1' } }).bond).toEqual({
      mode: 'active-backup',
      activeSlave: 'eth1',
    });
    expect(
      linkOf({ info_slave_kind: 'bond', info_slave_data: { state: 'BACKUP', mii_status: 'DOWN' } }).bondSlave,
    ).toEqual({
      state: 'BACKUP',
      miiStatus: 'DOWN',
    });
    expect(linkOf({ info_kind: 'tun', info_data: { type: 'tap', persist: true } }).tun).toEqual({ type: 'tap' });
  });
});

describe('tunnels', () => {
  test('VXLAN as iproute2 6.1 prints it', () => {
    const data = { id: 5, remote: '10.0.0.2', port: 4789, learning: true, ttl: 0, df: 'unset', udp_csum: true };
    expect(linkOf({ info_kind: 'vxlan', info_data: data }).vxlan).toEqual({
      id: 5,
      remote: '10.0.0.2',
      port: 4789,
      external: false,
      udpChecksum: true,
      learning: true,
    });
    const { ttl: _ttl, ...inheriting } = data;
    const more = { ...inheriting, tos: '0x1', df: 'set', gbp: true, local: '10.0.0.1', link: 'eth0' };
    expect(linkOf({ info_kind: 'vxlan', info_data: more }).vxlan).toMatchObject({
      ttlInherit: true,
      tos: 1,
      df: 'set',
      gbp: true,
      lower: 'eth0',
    });
  });

  test('GENEVE, GRE with a key, IPIP without a remote', () => {
    expect(
      linkOf({ info_kind: 'geneve', info_data: { id: 9, remote: '10.0.0.2', port: 6081, ttl: 0 } }).geneve,
    ).toMatchObject({ id: 9, remote: '10.0.0.2' });
    const gre = {
      remote: '10.0.0.2',
      local: '10.0.0.1',
      ttl: 64,
      pmtudisc: true,
      ikey: '0.0.1.2',
      okey: '0.0.1.2',
      ocsum: true,
    };
    expect(linkOf({ info_kind: 'gre', info_data: gre }).ipTunnel).toMatchObject({
      inputKey: 258,
      outputKey: 258,
      ttl: 64,
      outputChecksum: true,
    });
    const ipip = linkOf({
      info_kind: 'ipip',
      info_data: { remote: 'any', local: 'any', ttl: 0, pmtudisc: false, fwmark: '0x4' },
    }).ipTunnel!;
    expect(ipip).toMatchObject({ pmtuDiscovery: false, mark: 4, external: false });
    expect([ipip.remote, ipip.local, ipip.ttl]).toEqual([undefined, undefined, undefined]);
  });
});
