import { hostOf } from '../../../src/net/place.ts';
import type { CasePacket } from '../case.ts';
import type { Feature } from '../feature.ts';
import type { Host, Network } from '../network.ts';
import type { StateChange } from '../shown-change.ts';

/* VXLAN between the two nodes: the pods of the other one are reached through it, as a CNI has it. */

const NODES = ['a', 'b'] as const;
type Node = (typeof NODES)[number];

const indexOf = (node: Node): number => (node === 'a' ? 1 : 2);
const macOf = (node: Node): string => `02:00:00:08:00:0${indexOf(node)}`;
const underlay = (node: Node): string => `10.9.0.${indexOf(node)}`;

const underlay6 = (node: Node): string => `fd00:9::${indexOf(node)}`;

interface VxlanOptions {
  /** After `type vxlan id N dstport 4789`; by default as flannel has it. */
  readonly device?: (node: Node, other: Node) => string;
  /** Lines of `bridge` beside the device's own remote. */
  readonly fdb?: (node: Node, other: Node) => readonly string[];
  readonly id?: (node: Node) => number;
  readonly more?: (network: Network, node: Node) => void;
  /** What a simulator sees that overlooks what is special about it; by default one that has no tunnel. */
  readonly without?: (node: Node, other: Node) => StateChange | readonly StateChange[];
  /** Payload of the packet that goes through it. */
  readonly payloadBytes?: number;
}

function vxlan(name: string, weight: number, options: VxlanOptions = {}): Feature {
  const feature = `tunnel vxlan${name === '' ? '' : ` ${name}`}`;
  return {
    name: feature,
    weight,
    wants: { nodes: 2 },
    add: (network) => {
      const hasTwo =
        network.hosts.some((one) => one.ns === 'b') && network.packets.every((one) => one.payloadBytes <= 1400);
      if (!hasTwo || network.items.some((item) => 'line' in item && /type vxlan|neigh replace .* vx0/.test(item.line)))
        return false;
      // There and back there must be something to wrap.
      const ends = NODES.map((node) => network.draw.pick(network.hosts.filter((one) => one.pod && one.node === node)));
      if (network.packets.length < 8)
        network.packets.push(packetBetween(network, ends as [Host, Host], options.payloadBytes));
      for (const node of NODES) addEnd(network, feature, node, options);
      return true;
    },
  };
}

function addEnd(network: Network, feature: string, node: Node, options: VxlanOptions): void {
  const other: Node = node === 'a' ? 'b' : 'a';
  const id = options.id?.(node) ?? 5;
  const device = options.device?.(node, other) ?? `local ${underlay(node)} nolearning`;
  const add = (kind: 'link' | 'ip' | 'bridge', line: string): void => network.add({ kind, ns: node, line });
  const line = `link add vx0 address ${macOf(node)} type vxlan id ${id} dstport 4789 ${device}`;
  const ignored = [options.without?.(node, other) ?? down(node)].flat();
  network.add({ kind: 'link', ns: node, line, feature, ignored });
  for (const line of options.fdb?.(node, other) ?? [
    `fdb append ${macOf(other)} dev vx0 dst ${underlay(other)} self permanent`,
  ]) {
    add('bridge', line);
  }
  add('ip', `addr add 10.8.0.${indexOf(node)}/24 dev vx0`);
  add('ip', `addr add fd00:8::${indexOf(node)}/64 dev vx0 nodad`);
  add('ip', 'link set dev vx0 up');
  for (const address of [`10.8.0.${indexOf(other)}`, `fd00:8::${indexOf(other)}`]) {
    // A question within the tunnel would be one more frame on the cable, which no walk tells of.
    add('ip', `neigh add ${address} lladdr ${macOf(other)} dev vx0 nud permanent`);
  }
  add('ip', `route replace 10.1.${indexOf(other)}.0/24 via 10.8.0.${indexOf(other)} dev vx0`);
  network.add({
    kind: 'ip',
    family: 6,
    ns: node,
    line: `route replace fd00:1:${indexOf(other)}::/64 via fd00:8::${indexOf(other)} dev vx0`,
  });
  options.more?.(network, node);
}

function down(node: Node): StateChange {
  return { op: 'link', place: hostOf(node), text: 'vx0 down', device: 'vx0', set: { up: false } };
}

/** The device with this value as it usually is. */
function usual(set: Readonly<Record<string, unknown>>): (node: Node) => StateChange {
  return (node) => ({ op: 'shown', place: hostOf(node), action: 'links', where: { ifname: 'vx0' }, set });
}

/** Without its forwarding entry for that MAC. */
function unforwarded(macFor: (other: Node) => string): (node: Node, other: Node) => StateChange {
  return (node, other) => {
    const where = { ifname: 'vx0', mac: macFor(other), dst: underlay(other) };
    return { op: 'shown', place: hostOf(node), action: 'fdb', where };
  };
}

/** Without its one remote, which it also shows as an entry for any MAC. */
function unlinked(node: Node, other: Node): readonly StateChange[] {
  return [usual({ 'linkinfo.info_data.remote': null })(node), unforwarded(() => ANY_MAC)(node, other)];
}

const ANY_MAC = '00:00:00:00:00:00';
const FIRST_SOURCE_PORT = 23_000;

function packetBetween({ draw, packets }: Network, ends: readonly [Host, Host], bytes?: number): CasePacket {
  const [from, to] = draw.shuffled(ends) as [Host, Host];
  const family = bytes === undefined ? draw.pick([4, 4, 6] as const) : 4;
  return {
    ns: from.ns,
    family,
    protocol: bytes === undefined ? draw.pick(['tcp', 'udp'] as const) : 'udp',
    sourcePort: FIRST_SOURCE_PORT + packets.length,
    destination: to.address[family],
    destinationPort: 80,
    payloadBytes: bytes ?? draw.pick([20, 500, 1400]),
    df: draw.chance(0.6),
    ...(draw.chance(0.5) ? { tos: draw.pick([0x10, 0x28, 0xb8]) } : {}),
    ...(draw.chance(0.4) ? { ttl: 9 } : {}),
  };
}

export const TUNNEL_FEATURES: readonly Feature[] = [
  vxlan('', 4),
  vxlan('remote', 2, {
    device: (node, other) => `local ${underlay(node)} remote ${underlay(other)} nolearning`,
    fdb: () => [],
    without: unlinked,
  }),
  vxlan('remote without local', 1, {
    device: (_node, other) => `remote ${underlay(other)} dev eth0 nolearning`,
    fdb: () => [],
    without: unlinked,
  }),
  vxlan('over ipv6', 1, {
    device: (node) => `local ${underlay6(node)} nolearning`,
    fdb: (_node, other) => [`fdb append ${macOf(other)} dev vx0 dst ${underlay6(other)} self permanent`],
  }),
  vxlan('default entry', 1, {
    without: unforwarded(() => ANY_MAC),
    fdb: (_node, other) => [`fdb append 00:00:00:00:00:00 dev vx0 dst ${underlay(other)} self permanent`],
  }),
  vxlan('copies', 1, {
    without: unforwarded(() => ANY_MAC),
    fdb: (_node, other) => [
      `fdb append 00:00:00:00:00:00 dev vx0 dst ${underlay(other)} self permanent`,
      'fdb append 00:00:00:00:00:00 dev vx0 dst 10.9.0.77 self permanent',
    ],
  }),
  vxlan('ttl', 1, {
    device: (node) => `local ${underlay(node)} nolearning ttl 7`,
    without: usual({ 'linkinfo.info_data.ttl': 0 }),
  }),
  vxlan('ttl inherit', 1, {
    device: (node) => `local ${underlay(node)} nolearning ttl inherit`,
    without: usual({ 'linkinfo.info_data.ttl': 0 }),
  }),
  vxlan('tos inherit', 1, {
    device: (node) => `local ${underlay(node)} nolearning tos inherit`,
    without: usual({ 'linkinfo.info_data.tos': null }),
  }),
  vxlan('df', 1, {
    payloadBytes: 1440,
    device: (node) => `local ${underlay(node)} nolearning df set`,
    without: usual({ 'linkinfo.info_data.df': 'unset' }),
    more: (network, node) => network.add({ kind: 'ip', ns: node, line: 'link set dev vx0 mtu 1500' }),
  }),
  vxlan('large', 1, {
    payloadBytes: 1440,
    without: (node) => ({ op: 'link', place: hostOf(node), text: 'MTU', device: 'vx0', set: { mtu: 1450 } }),
    more: (network, node) => network.add({ kind: 'ip', ns: node, line: 'link set dev vx0 mtu 1500' }),
  }),
  vxlan('other number', 0.3, {
    id: indexOf,
    without: (node, other) => usual({ 'linkinfo.info_data.id': indexOf(other) })(node),
  }),
  vxlan('no entry', 0.3, { fdb: () => [] }),
  vxlan('wrong remote', 0.3, {
    without: (node, other) => {
      const where = { ifname: 'vx0', mac: macOf(other) };
      return { op: 'shown', place: hostOf(node), action: 'fdb', where, set: { dst: underlay(other) } };
    },
    fdb: (node, other) => [`fdb append ${macOf(other)} dev vx0 dst ${underlay(node)} self permanent`],
  }),
  vxlan('moved source', 0.4, {
    device: (node) => `local ${underlay(node)} learning`,
    fdb: (node, other) =>
      node === 'a'
        ? [`fdb append ${macOf(other)} dev vx0 dst ${underlay(other)} self permanent`]
        : [
            `fdb append ${macOf(other)} dev vx0 dst 10.9.0.77 self permanent`,
            `fdb append 00:00:00:00:00:00 dev vx0 dst ${underlay(other)} self permanent`,
          ],
  }),
];
