import { describe, expect, test } from 'vitest';
import { parseIpLink } from './ip-link.ts';
import {
  expectEveryTruncationParses,
  expectFuzzParses,
  expectWrongTypesParse,
  fixture,
} from './testing/parser-properties.ts';

const NODE = fixture('ip-link-6.1-node.json');
const MIXED = fixture('ip-link-6.1-mixed.json');

function link(text: string, name: string) {
  const parsed = parseIpLink(text);
  expect(parsed.unparsed).toEqual([]);
  return parsed.value.find((one) => one.name === name);
}

describe('parseIpLink', () => {
  test('a node of a flannel cluster', () => {
    expect(parseIpLink(NODE).value.map((one) => [one.name, one.kind])).toEqual([
      ['lo', undefined],
      ['flannel.1', 'vxlan'],
      ['cni0', 'bridge'],
      ['vetheb4d8b66', 'veth'],
      ['eth0', 'veth'],
    ]);
    expect(link(NODE, 'eth0')?.addresses[0]).toEqual({
      prefix: { address: '10.78.0.11', length: 24 },
      scope: 'global',
      flags: [],
    });
    expect(link(NODE, 'vetheb4d8b66')).toMatchObject({ master: 'cni0', peerIndex: 2, bridgePort: { hairpin: true } });
  });

  test('a VXLAN device as flannel makes it, one with a group, and an external one', () => {
    expect(link(MIXED, 'flannel.1')?.vxlan).toEqual({
      id: 1,
      local: '10.1.0.1',
      lower: 'v1',
      port: 8472,
      learning: false,
      external: false,
      udpChecksum: true,
    });
    expect(link(MIXED, 'vx2')?.vxlan).toMatchObject({ id: 7, group: '239.1.1.1', learning: true, port: 4789 });
    expect(link(MIXED, 'vx3')?.vxlan).toMatchObject({ external: true });
    expect(link(MIXED, 'vx2')?.flags).not.toContain('UP');
  });

  test('a bridge and its port', () => {
    expect(link(MIXED, 'br0')?.bridge).toEqual({
      vlanFiltering: false,
      stpState: 0,
      nfCallIptables: false,
      nfCallIp6tables: false,
    });
    expect(link(MIXED, 'v0')?.bridgePort).toEqual({
      state: 'forwarding',
      hairpin: true,
      isolated: true,
      learning: true,
      flood: true,
    });
  });

  test('peers: in another namespace by index, in the same one by name', () => {
    expect(link(MIXED, 'v0')).toMatchObject({ peerIndex: 2, peerNamespaceId: 0 });
    expect(link(MIXED, 'v0')?.lower).toBeUndefined();
    expect(link(MIXED, 'v1')).toMatchObject({ lower: 'v1p', peerIndex: 4 });
    expect(link(MIXED, 'v1')?.peerNamespaceId).toBeUndefined();
  });

  test('addresses: peer, secondary, deprecated', () => {
    const addresses = link(MIXED, 'v1')?.addresses ?? [];
    expect(addresses[0]).toEqual({
      prefix: { address: '10.9.0.1', length: 32 },
      peer: '10.9.0.2',
      scope: 'global',
      flags: [],
    });
    expect(addresses.find((one) => one.prefix.address === '10.9.1.3')?.flags).toEqual(['secondary']);
    expect(addresses.find((one) => one.prefix.address === 'fd00:9::2')?.flags).toEqual(['deprecated']);
  });

  test('statistics', () => {
    expect(link(MIXED, 'flannel.1')?.statistics).toEqual({
      rxPackets: 0,
      rxBytes: 0,
      rxErrors: 0,
      rxDropped: 0,
      txPackets: 2,
      txBytes: 132,
      txErrors: 0,
      txDropped: 5,
    });
  });

  test('iproute2 4.18: 32-bit statistics, empty objects, flags printed as numbers', () => {
    const old =
      '[{},{"ifindex":5,"ifname":"eth0","flags":["NO-CARRIER","BROADCAST","UP"],"mtu":1500,"operstate":"DOWN",' +
      '"link_type":"ether","address":"02:42:AC:11:00:02","linkinfo":{"info_kind":"veth","info_slave_kind":"bridge",' +
      '"info_slave_data":{"state":"disabled","hairpin":1}},"addr_info":[{},{"family":"inet6","local":"fe80::1",' +
      '"prefixlen":64,"scope":"link","tentative":true,"dadfailed":true}],"xdp":{"mode":2,"prog":{"id":9,"tag":"f0"}},' +
      '"stats":{"rx":{"bytes":1,"packets":2,"errors":3,"dropped":4},"tx":{"bytes":5,"packets":6,"errors":7,"dropped":8}}}]';
    expect(link(old, 'eth0')).toMatchObject({
      mac: '02:42:ac:11:00:02',
      bridgePort: { state: 'disabled', hairpin: true, isolated: false },
      addresses: [{ flags: ['tentative', 'dadfailed'] }],
      xdp: 'id 9',
      statistics: { rxPackets: 2, txDropped: 8 },
    });
  });

  test('an address that is none is unparsed and keeps the link', () => {
    const parsed = parseIpLink('[{"ifindex":1,"ifname":"a","mtu":1500,"addr_info":[{"local":"x","prefixlen":8}]}]');
    expect(parsed.value[0]?.addresses).toEqual([]);
    expect(parsed.unparsed).toHaveLength(1);
  });

  test('never throws', () => {
    expectEveryTruncationParses(MIXED, parseIpLink);
    expectFuzzParses([MIXED, NODE], parseIpLink);
    expectWrongTypesParse(NODE, parseIpLink);
  });
});
