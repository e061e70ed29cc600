import type { Family } from '../../src/net/address.ts';
import type { Layout } from './feature.ts';
import type { Device, Host, Network } from './network.ts';

/*
 * One or two nodes with one or two pods each. Pods hang on a bridge, or each on a cable of its own with a route to it;
 * nodes are on one segment and know routes to each other's pods.
 */

const FAMILIES: readonly Family[] = [4, 6];

export function layOut(network: Network, { nodes, pods, bridged, asks }: Layout): void {
  network.realNeighbours = asks;
  // Even where all neighbours are known a rule may send a packet to one that is not there.
  network.settleMs = network.realNeighbours ? 80 : 40;
  // The other node is as the first one, or not.
  for (let index = 1; index <= nodes; index++) {
    layOutNode(network, index, { pods, isBridged: index === 1 || network.draw.chance(0.6) ? bridged : !bridged });
  }
  if (nodes === 2) joinNodes(network);
}

function layOutNode(
  network: Network,
  index: number,
  { pods = network.draw.int(1, 2), isBridged }: { readonly pods?: number | undefined; readonly isBridged: boolean },
): void {
  const node = index === 1 ? 'a' : 'b';
  const host: Host = { ns: node, node, pod: false, address: { 4: `10.9.0.${index}`, 6: `fd00:9::${index}` } };
  network.hosts.push(host);
  askForNeighbours(network, node);
  network.add({ kind: 'ip', ns: node, line: 'link set lo up' });
  for (const key of ['net.ipv4.conf.all.forwarding', 'net.ipv6.conf.all.forwarding']) {
    network.add({ kind: 'sysctl', early: true, ns: node, key, value: '1', feature: 'sysctl forwarding' });
  }
  if (isBridged) makeBridge(network, index, node);
  for (let pod = 1; pod <= pods; pod++) addPod(network, index, pod, isBridged);
  if (!network.devices.some((one) => one.ns === node && one.name === 'eth0')) {
    // A node alone still has its address.
    for (const family of FAMILIES) {
      const line = `addr add ${host.address[family]}/${family === 4 ? 32 : 128} dev lo`;
      network.add({ kind: 'ip', ns: node, line });
    }
  }
}

/** A router asks for its IPv6 neighbours from its link-local address (ndisc_solicit in net/ipv6/ndisc.c). */
function askForNeighbours(network: Network, ns: string): void {
  if (!network.realNeighbours) return;
  network.add({ kind: 'sysctl', early: true, ns, key: 'net.ipv6.conf.default.addr_gen_mode', value: '0' });
}

export function gatewayOf(index: number, family: Family): string {
  return family === 4 ? `10.1.${index}.1` : `fd00:1:${index}::1`;
}

function makeBridge(network: Network, index: number, node: string): void {
  network.add({ kind: 'link', ns: node, line: `link add br0 address 02:00:00:0${index}:00:01 type bridge` });
  for (const family of FAMILIES) {
    const line = `addr add ${gatewayOf(index, family)}/${family === 4 ? 24 : 64} dev br0${family === 6 ? ' nodad' : ''}`;
    network.add({ kind: 'ip', ns: node, line });
  }
  network.add({ kind: 'ip', ns: node, line: 'link set dev br0 up' });
}

function addPod(network: Network, index: number, pod: number, isBridged: boolean): void {
  const node = index === 1 ? 'a' : 'b';
  const ns = `${node}${pod}`;
  const address = { 4: `10.1.${index}.${10 + pod}`, 6: `fd00:1:${index}::${10 + pod}` };
  network.hosts.push({ ns, node, pod: true, address });
  askForNeighbours(network, ns);
  const outside = `v${pod}`;
  const macs = { inside: `02:00:00:0${index}:0${pod}:02`, outside: `02:00:00:0${index}:0${pod}:01` };
  network.add({
    kind: 'link',
    ns: node,
    line: `link add ${outside} address ${macs.outside} type veth peer name eth0 address ${macs.inside} netns @netns:${ns}@`,
  });
  const there: Device = { ns, name: 'eth0', mac: macs.inside, peer: { ns: node, name: outside } };
  const here: Device = {
    ns: node,
    name: outside,
    mac: macs.outside,
    peer: { ns, name: 'eth0' },
    ...(isBridged ? { bridge: 'br0' } : {}),
  };
  network.devices.push(there, here);
  network.add({ kind: 'ip', ns, line: 'link set lo up' });
  network.add({ kind: 'ip', ns, line: 'link set dev eth0 up' });
  network.add({
    kind: 'ip',
    ns: node,
    line: isBridged ? `link set dev ${outside} master br0 up` : `link set dev ${outside} up`,
  });
  for (const family of FAMILIES) wirePod(network, { index, pod, isBridged, family, ns, node, address, macs, outside });
}

interface PodWires {
  readonly index: number;
  readonly pod: number;
  readonly isBridged: boolean;
  readonly family: Family;
  readonly ns: string;
  readonly node: string;
  readonly address: Readonly<Record<Family, string>>;
  readonly macs: { readonly inside: string; readonly outside: string };
  readonly outside: string;
}

function wirePod(network: Network, wires: PodWires): void {
  const { index, isBridged, family, ns, node, macs, outside } = wires;
  const address = wires.address[family];
  const gateway = gatewayOf(index, family);
  const host = family === 4 ? 32 : 128;
  const nodad = family === 6 ? ' nodad' : '';
  const ip = (where: string, line: string): void => network.add({ kind: 'ip', ns: where, family, line });
  const length = isBridged ? (family === 4 ? 24 : 64) : host;
  ip(ns, `addr add ${address}/${length} dev eth0${nodad}`);
  if (!isBridged) {
    // Each cable of the node bears the gateway's address, as with a routed CNI.
    ip(node, `addr add ${gateway}/${host} dev ${outside}${nodad}`);
    ip(node, `route add ${address}/${host} dev ${outside}`);
    ip(ns, `route add ${gateway}/${host} dev eth0`);
  }
  ip(ns, `route add default via ${gateway} dev eth0`);
  const gatewayMac = isBridged ? `02:00:00:0${index}:00:01` : macs.outside;
  know(network, ns, 'eth0', gateway, gatewayMac);
  know(network, node, isBridged ? 'br0' : outside, address, macs.inside);
  if (!isBridged) return;
  for (const other of network.hosts.filter((one) => one.pod && one.node === node && one.ns !== ns)) {
    const theirs = network.devices.find((one) => one.ns === other.ns)!;
    know(network, ns, 'eth0', other.address[family], theirs.mac);
    know(network, other.ns, 'eth0', address, macs.inside);
  }
}

/** A permanent neighbour, unless the case lets neighbours ask each other. */
export function know(network: Network, ns: string, device: string, address: string, mac: string): void {
  if (network.realNeighbours) return;
  network.add({ kind: 'ip', ns, line: `neigh add ${address} lladdr ${mac} dev ${device} nud permanent` });
}

function joinNodes(network: Network): void {
  const macs = { a: '02:00:00:09:00:01', b: '02:00:00:09:00:02' };
  network.add({
    kind: 'link',
    ns: 'a',
    line: `link add eth0 address ${macs.a} type veth peer name eth0 address ${macs.b} netns @netns:b@`,
  });
  network.devices.push(
    { ns: 'a', name: 'eth0', mac: macs.a, peer: { ns: 'b', name: 'eth0' } },
    { ns: 'b', name: 'eth0', mac: macs.b, peer: { ns: 'a', name: 'eth0' } },
  );
  for (const ns of ['a', 'b'] as const) {
    const other = ns === 'a' ? 'b' : 'a';
    const index = other === 'a' ? 1 : 2;
    network.add({ kind: 'ip', ns, line: 'link set dev eth0 up' });
    for (const family of FAMILIES) {
      const mine = network.host(ns).address[family];
      const theirs = network.host(other).address[family];
      const pods = family === 4 ? `10.1.${index}.0/24` : `fd00:1:${index}::/64`;
      const nodad = family === 6 ? ' nodad' : '';
      network.add({ kind: 'ip', ns, family, line: `addr add ${mine}/${family === 4 ? 24 : 64} dev eth0${nodad}` });
      know(network, ns, 'eth0', theirs, macs[other]);
      network.add({ kind: 'ip', ns, family, line: `route add ${pods} via ${theirs} dev eth0` });
    }
  }
}
