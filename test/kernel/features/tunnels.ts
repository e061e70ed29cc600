import type { Feature } from '../feature.ts';
import type { Network } from '../network.ts';

/* VXLAN between the two nodes: the pods of the other one are reached through it, as a CNI has it. */

const NODES = ['a', 'b'] as const;
type Node = (typeof NODES)[number];

const indexOf = (node: Node): number => (node === 'a' ? 1 : 2);
const macOf = (node: Node): string => `02:00:00:08:00:0${indexOf(node)}`;
const underlay = (node: Node): string => `10.9.0.${indexOf(node)}`;

interface VxlanOptions {
  /** After `type vxlan id N dstport 4789`; by default as flannel has it. */
  readonly device?: (node: Node, other: Node) => string;
  /** Lines of `bridge` beside the device's own remote. */
  readonly fdb?: (node: Node, other: Node) => readonly string[];
  readonly id?: (node: Node) => number;
  readonly more?: (network: Network, node: Node) => void;
  readonly isUp?: (node: Node) => boolean;
}

function vxlan(name: string, weight: number, options: VxlanOptions = {}): Feature {
  const feature = `tunnel vxlan${name === '' ? '' : ` ${name}`}`;
  return {
    name: feature,
    weight,
    add: (network) => {
      const hasTwo = network.hosts.some((one) => one.ns === 'b');
      if (!hasTwo || network.items.some((item) => 'line' in item && /type vxlan|neigh replace/.test(item.line)))
        return false;
      for (const node of NODES) addEnd(network, feature, node, options);
      return true;
    },
  };
}

function addEnd(network: Network, feature: string, node: Node, options: VxlanOptions): void {
  const other: Node = node === 'a' ? 'b' : 'a';
  const id = options.id?.(node) ?? 5;
  const device = options.device?.(node, other) ?? `local ${underlay(node)} nolearning`;
  const add = (kind: 'link' | 'ip' | 'bridge', line: string): void => network.add({ kind, ns: node, line, feature });
  add('link', `link add vx0 address ${macOf(node)} type vxlan id ${id} dstport 4789 ${device}`);
  for (const line of options.fdb?.(node, other) ?? [
    `fdb append ${macOf(other)} dev vx0 dst ${underlay(other)} self permanent`,
  ]) {
    add('bridge', line);
  }
  add('ip', `addr add 10.8.0.${indexOf(node)}/24 dev vx0`);
  add('ip', `addr add fd00:8::${indexOf(node)}/64 dev vx0 nodad`);
  if (options.isUp?.(node) ?? true) add('ip', 'link set dev vx0 up');
  for (const address of [`10.8.0.${indexOf(other)}`, `fd00:8::${indexOf(other)}`]) {
    // A question within the tunnel would be one more frame on the cable, which no walk tells of.
    add('ip', `neigh add ${address} lladdr ${macOf(other)} dev vx0 nud permanent`);
  }
  if (options.isUp?.(node) ?? true) {
    add('ip', `route replace 10.1.${indexOf(other)}.0/24 via 10.8.0.${indexOf(other)} dev vx0`);
    network.add({
      kind: 'ip',
      family: 6,
      ns: node,
      line: `route replace fd00:1:${indexOf(other)}::/64 via fd00:8::${indexOf(other)} dev vx0`,
      feature,
    });
  }
  options.more?.(network, node);
}

export const TUNNEL_FEATURES: readonly Feature[] = [
  vxlan('', 4),
  vxlan('remote', 2, { device: (node, other) => `local ${underlay(node)} remote ${underlay(other)}`, fdb: () => [] }),
  vxlan('remote without local', 1, { device: (_node, other) => `remote ${underlay(other)} dev eth0`, fdb: () => [] }),
  vxlan('default entry', 1, {
    fdb: (_node, other) => [`fdb append 00:00:00:00:00:00 dev vx0 dst ${underlay(other)} self permanent`],
  }),
  vxlan('copies', 1, {
    fdb: (_node, other) => [
      `fdb append 00:00:00:00:00:00 dev vx0 dst ${underlay(other)} self permanent`,
      'fdb append 00:00:00:00:00:00 dev vx0 dst 10.9.0.77 self permanent',
    ],
  }),
  vxlan('ttl', 1, { device: (node) => `local ${underlay(node)} nolearning ttl 7` }),
  vxlan('ttl inherit', 1, { device: (node) => `local ${underlay(node)} nolearning ttl inherit` }),
  vxlan('tos inherit', 1, { device: (node) => `local ${underlay(node)} nolearning tos inherit` }),
  vxlan('df', 1, {
    device: (node) => `local ${underlay(node)} nolearning df set`,
    more: (network, node) =>
      network.add({ kind: 'ip', ns: node, line: 'link set dev vx0 mtu 1500', feature: 'tunnel vxlan df' }),
  }),
  vxlan('large', 1, {
    more: (network, node) =>
      network.add({ kind: 'ip', ns: node, line: 'link set dev vx0 mtu 1500', feature: 'tunnel vxlan large' }),
  }),
  vxlan('other number', 0.3, { id: indexOf }),
  vxlan('no entry', 0.3, { fdb: () => [] }),
  vxlan('wrong remote', 0.3, {
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
