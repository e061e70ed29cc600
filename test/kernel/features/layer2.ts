import { hostOf } from '../../../src/net/place.ts';
import type { CasePacket } from '../case.ts';
import type { Feature } from '../feature.ts';
import type { Device, Network } from '../network.ts';
import { ownerOf, STRAY_MAC } from './neighbours.ts';

/* Bridges' ports and tables, MTUs and devices that are down. */

function portsOf(network: Network): readonly Device[] {
  return network.devices.filter((one) => one.bridge !== undefined);
}

/**
 * What keeps a question or its answer from getting through: neighbours that learn from each other's packets before would
 * hide it, so that only the first packet is sent where they are asked for.
 */
function onlyFirst(network: Network): void {
  if (network.realNeighbours) network.packets.splice(1);
}

const FIRST_SOURCE_PORT = 20_000;

/** Two pods of one bridge, by their ports there, and a packet from one to the other, which meets what is set there. */
interface Pair {
  readonly from: Device;
  readonly to: Device;
}

/** The packet is the first of all, before anybody has learnt anything. */
function aimed(network: Network, ports: readonly Device[], family?: 4 | 6): Pair | undefined {
  const { draw, packets } = network;
  const [from, to] = draw.shuffled(ports.filter((port) => port.ns === ports[0]!.ns));
  if (!from || !to) return undefined;
  if (packets.length >= 8) packets.pop();
  const used = family ?? (draw.chance(0.55) ? 4 : 6);
  const packet: CasePacket = {
    ns: from.peer.ns,
    family: used,
    protocol: draw.pick(['tcp', 'udp']),
    sourcePort: FIRST_SOURCE_PORT + 500 + packets.length,
    destination: network.host(to.peer.ns).address[used],
    destinationPort: 80,
    payloadBytes: draw.pick([20, 1000, 1400]),
    df: draw.chance(0.5),
  };
  if (network.realNeighbours) packets.splice(0, packets.length, packet);
  else packets.unshift(packet);
  return { from, to };
}

const ON_A_BRIDGE = { bridged: true, pods: 2 } as const;

interface PortOptions {
  readonly all?: boolean;
  readonly weight?: number;
  readonly asks?: boolean;
  readonly family?: 4 | 6;
  /** The port where it counts; the receiver's unless told. */
  readonly at?: 'from' | 'to';
  /** What the other port shows to a simulator that takes one such port for enough. */
  readonly mistaken?: Readonly<Record<string, unknown>>;
  /** What makes it count, besides. */
  readonly more?: (network: Network, pair: Pair, family: 4 | 6) => void;
}

/** Settings of one or all ports of a bridge. */
function portFeature(name: string, setting: string, options: PortOptions = {}): Feature {
  const { all, weight = 1, asks, family, at = 'to', more, mistaken } = options;
  return {
    name: `bridge ${name}`,
    weight,
    wants: { ...ON_A_BRIDGE, ...(asks !== undefined && { asks }) },
    add: (network) => {
      const ports = portsOf(network);
      const pair = ports.length === 0 ? undefined : aimed(network, ports, family);
      if (!pair) return false;
      const chosen = network.draw.chance(0.85) ? pair[at] : network.draw.pick([pair.from, pair.to]);
      for (const port of all ? ports : [chosen]) {
        const line = `link set dev ${port.name} type bridge_slave ${setting}`;
        const other = port === pair.to ? pair.from : pair.to;
        const where = { ifname: other.name };
        const ignored = mistaken && {
          ignored: [{ op: 'shown', place: hostOf(port.ns), action: 'links', where, set: mistaken }] as const,
        };
        network.add({ kind: 'ip', ns: port.ns, line, feature: `bridge ${name}`, ...ignored });
      }
      more?.(network, pair, network.packets[0]!.family);
      return true;
    },
  };
}

function set(network: Network, port: Device, setting: string): void {
  network.add({ kind: 'ip', ns: port.ns, line: `link set dev ${port.name} type bridge_slave ${setting}` });
}

/** The host knows the receiver by a MAC that is nobody's, but for the bridge is behind the receiver's port. */
function knowWrongly(network: Network, { to }: Pair, family: 4 | 6): void {
  const address = network.host(to.peer.ns).address[family];
  const line = `neigh replace ${address} lladdr ${STRAY_MAC} dev ${to.bridge} nud permanent`;
  network.add({ kind: 'ip', ns: to.ns, line });
  network.add({ kind: 'bridge', ns: to.ns, line: `fdb replace ${STRAY_MAC} dev ${to.name} master static` });
}

function fdbFeature(
  name: string,
  line: (network: Network, pair: Pair) => string,
  more?: (network: Network, pair: Pair) => void,
): Feature {
  return {
    name,
    weight: 0.7,
    wants: ON_A_BRIDGE,
    add: (network) => {
      const ports = portsOf(network);
      const pair = ports.length === 0 ? undefined : aimed(network, ports);
      if (!pair) return false;
      network.add({ kind: 'bridge', ns: pair.to.ns, line: line(network, pair), feature: name });
      more?.(network, pair);
      return true;
    },
  };
}

/** A device that a packet goes out by, which is made one that does not fit. */
function onTheWayOfLarge(network: Network): Device | undefined {
  const packet = network.aimable(network.packets);
  const to = network.hostAt(packet.destination);
  if (!to || packet.protocol === 'tcp') return undefined;
  const way = network.way(network.host(packet.ns), to);
  if (way.length < 2) return undefined;
  const at = network.draw.int(0, way.length - 2);
  const [here, next] = [way[at], way[at + 1]];
  if (!here || !next) return undefined;
  network.packets[network.packets.indexOf(packet)] = { ...packet, payloadBytes: 1400 };
  return network.draw.chance(0.85) ? network.deviceBetween(here, next) : network.deviceBetween(next, here);
}

function linkFeature(name: string, line: (network: Network, device: Device) => string, weight = 0.7): Feature {
  return {
    name,
    weight,
    add: (network) => {
      if (!name.startsWith('mtu')) onlyFirst(network);
      const device = name.startsWith('mtu') ? onTheWayOfLarge(network) : network.draw.pick(network.devices);
      if (!device) return false;
      // The last of ip's lines: a device that is down takes no routes and no neighbours any more.
      const made = line(network, device);
      network.atLast(() => network.add({ kind: 'ip', family: 6, ns: device.ns, line: made, feature: name }));
      return true;
    },
  };
}

function bridgeNetfilter(
  name: string,
  family: 4 | 6 | undefined,
  item: (node: string, bridge: string) => Parameters<Network['add']>[0],
): Feature {
  return {
    name,
    weight: 2,
    wants: ON_A_BRIDGE,
    add: (network) => {
      const ports = portsOf(network);
      const pair = ports.length === 0 ? undefined : aimed(network, ports, family);
      if (!pair) return false;
      const port = pair.to;
      network.add({ ...item(port.ns, port.bridge!), feature: name });
      // Its counter tells whether what is bridged meets IP's rules.
      for (const family of [4, 6] as const) {
        const rule = '-m physdev --physdev-is-bridged -j MARK --set-mark 0x1';
        network.rule({ ns: port.ns, backend: 'legacy', family, table: 'mangle', chain: 'FORWARD', rule, feature: '' });
      }
      return true;
    },
  };
}

/** A packet that is led back to where it comes from, by the same port: a Service whose only pod asks for it. */
const HAIRPIN: Feature = {
  name: 'bridge hairpin',
  wants: ON_A_BRIDGE,
  add: (network) => {
    const ports = portsOf(network);
    const pair = ports.length === 0 ? undefined : aimed(network, ports);
    const packet = network.packets[0];
    if (!pair || !packet) return false;
    const { ns } = pair.from;
    const own = network.host(packet.ns).address[packet.family];
    const key = `net.bridge.bridge-nf-call-${packet.family === 6 ? 'ip6' : 'ip'}tables`;
    network.add({ kind: 'sysctl', ns, key, value: '1' });
    const line = `link set dev ${pair.from.name} type bridge_slave hairpin on`;
    network.add({ kind: 'ip', ns, line, feature: 'bridge hairpin' });
    const at = { ns, backend: network.draw.pick(['legacy', 'nft'] as const), family: packet.family, table: 'nat' };
    const flow = `-p ${packet.protocol} -m ${packet.protocol} --sport ${packet.sourcePort}`;
    const to = packet.family === 6 ? `[${own}]` : own;
    network.rule({ ...at, chain: 'PREROUTING', rule: `${flow} -j DNAT --to-destination ${to}:80`, feature: '' });
    network.rule({ ...at, chain: 'POSTROUTING', rule: `${flow} -j MASQUERADE`, feature: '' });
    return true;
  },
};

export const LAYER2_FEATURES: readonly Feature[] = [
  HAIRPIN,
  portFeature('isolated', 'isolated on', { all: true }),
  portFeature('isolated one', 'isolated on', { mistaken: { 'linkinfo.info_slave_data.isolated': true } }),
  // Nobody learns the receiver's MAC, though it talks of itself.
  portFeature('flood off', 'flood off', { asks: false, more: (network, { to }) => set(network, to, 'learning off') }),
  portFeature('learning off', 'learning off', {
    asks: false,
    at: 'from',
    more: (network, { from }) => set(network, from, 'flood off'),
  }),
  portFeature('learning and flood off', 'learning off flood off', { weight: 0.5, at: 'from' }),
  portFeature('mcast_flood off', 'mcast_flood off', { asks: true, family: 6 }),
  portFeature('bcast_flood off', 'bcast_flood off', { asks: true, family: 4 }),
  portFeature('proxy_arp', 'proxy_arp on', { asks: true, family: 4, at: 'from', more: knowWrongly }),
  portFeature('neigh_suppress', 'neigh_suppress on', { asks: true, more: knowWrongly }),
  portFeature('locked', 'locked on learning off', { weight: 0.4, at: 'from' }),
  fdbFeature('bridge state', (_network, { to }) => `link set dev ${to.name} state 0`),
  bridgeNetfilter('bridge nf_call_iptables', 4, (ns) => ({
    kind: 'sysctl',
    ns,
    key: 'net.bridge.bridge-nf-call-iptables',
    value: '1',
  })),
  bridgeNetfilter('bridge nf_call_ip6tables', 6, (ns) => ({
    kind: 'sysctl',
    ns,
    key: 'net.bridge.bridge-nf-call-ip6tables',
    value: '1',
  })),
  bridgeNetfilter('bridge own nf_call_iptables', undefined, (ns, bridge) => ({
    kind: 'ip',
    ns,
    line: `link set dev ${bridge} type bridge nf_call_iptables 1 nf_call_ip6tables 1`,
  })),
  // Nothing is flooded there, so that the entry is the only way.
  fdbFeature(
    'fdb static',
    (network, { to }) => `fdb replace ${ownerOf(network, to.peer.ns)} dev ${to.name} master static`,
    (network, { to }) => set(network, to, 'flood off'),
  ),
  fdbFeature('fdb wrong port', (network, { from, to }) => {
    // Any other entry moves to where its MAC is heard.
    return `fdb replace ${ownerOf(network, to.peer.ns)} dev ${from.name} master static sticky`;
  }),
  fdbFeature('fdb local', (network, { to }) => {
    return `fdb replace ${ownerOf(network, to.peer.ns)} dev ${to.name} master permanent`;
  }),
  fdbFeature(
    'fdb sticky',
    (network, { to }) => `fdb replace ${ownerOf(network, to.peer.ns)} dev ${to.name} master static sticky`,
    (network, { to }) => set(network, to, 'flood off'),
  ),
  linkFeature('link noarp', (_network, device) => `link set dev ${device.bridge ?? device.name} arp off`, 0.4),
  linkFeature('link down', (_network, device) => `link set dev ${device.name} down`, 0.3),
  linkFeature(
    'mtu',
    (network, device) => `link set dev ${device.name} mtu ${network.draw.pick([1280, 1300, 1400, 1404, 1432, 1440])}`,
    3,
  ),
  linkFeature(
    'mtu bridge',
    (network, device) => `link set dev ${device.bridge ?? device.name} mtu ${network.draw.pick([1280, 1300, 1400])}`,
    2,
  ),
];
