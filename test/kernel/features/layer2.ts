import type { CasePacket } from '../case.ts';
import type { Feature } from '../feature.ts';
import type { Device, Network } from '../network.ts';

/* Bridges' ports and tables, neighbours, wrong MACs, MTUs and devices that are down. */

/** Nobody's. */
const STRAY_MAC = '02:00:00:99:99:99';

function portsOf(network: Network): readonly Device[] {
  return network.devices.filter((one) => one.bridge !== undefined);
}

function ownerOf(network: Network, ns: string): string {
  return network.devices.find((one) => one.ns === ns && one.name === 'eth0')?.mac ?? STRAY_MAC;
}

/**
 * What keeps a question or its answer from getting through: neighbours that learn from each other's packets before would
 * hide it, so that only the first packet is sent where they are asked for.
 */
function onlyFirst(network: Network): void {
  if (network.realNeighbours) network.packets.splice(1);
}

const FIRST_SOURCE_PORT = 20_000;

/** A packet from one pod to another of the same bridge, which meets what is set there. */
function aimed(network: Network, ports: readonly Device[]): void {
  const [one, two] = network.draw.shuffled(ports.filter((port) => port.ns === ports[0]!.ns));
  if (!one || !two) return;
  const to = network.host(two.peer.ns);
  const isAlready = network.packets.some(
    (packet) => packet.ns === one.peer.ns && network.hostAt(packet.destination) === to,
  );
  if (isAlready || network.packets.length >= 8) return;
  const family = network.draw.chance(0.6) ? 4 : 6;
  const packet: CasePacket = {
    ns: one.peer.ns,
    family,
    protocol: network.draw.pick(['tcp', 'udp']),
    sourcePort: FIRST_SOURCE_PORT + 500 + network.packets.length,
    destination: to.address[family],
    destinationPort: 80,
    payloadBytes: network.draw.pick([20, 1000, 1400]),
    df: network.draw.chance(0.5),
  };
  if (network.realNeighbours) network.packets.splice(0, network.packets.length, packet);
  else network.packets.push(packet);
}

/** Settings of one or all ports of a bridge. */
function portFeature(
  name: string,
  setting: string,
  options: { readonly all?: boolean; readonly weight?: number } = {},
): Feature {
  return {
    name: `bridge ${name}`,
    weight: options.weight ?? 1,
    add: (network) => {
      const ports = portsOf(network);
      if (ports.length === 0) return false;
      aimed(network, ports);
      if (!/^hairpin|^proxy|^neigh/.test(setting)) onlyFirst(network);
      for (const port of options.all ? ports : [network.draw.pick(ports)]) {
        const line = `link set dev ${port.name} type bridge_slave ${setting}`;
        network.add({ kind: 'ip', ns: port.ns, line, feature: `bridge ${name}` });
      }
      return true;
    },
  };
}

function sysctlFeature(
  name: string,
  keys: (device: string) => readonly (readonly [string, string])[],
  weight = 1,
): Feature {
  return {
    name,
    weight,
    add: (network) => {
      onlyFirst(network);
      const device = network.draw.pick(network.devices);
      const named = device.bridge ?? device.name;
      for (const [key, value] of keys(named)) {
        network.add({ kind: 'sysctl', ns: device.ns, key, value, feature: name });
      }
      return true;
    },
  };
}

function fdbFeature(
  name: string,
  line: (network: Network, port: Device, ports: readonly Device[]) => string | undefined,
): Feature {
  return {
    name,
    weight: 0.7,
    add: (network) => {
      const ports = portsOf(network);
      if (ports.length === 0) return false;
      const port = network.draw.pick(ports);
      const made = line(
        network,
        port,
        ports.filter((one) => one.ns === port.ns),
      );
      if (made === undefined) return false;
      aimed(network, ports);
      onlyFirst(network);
      network.add({ kind: 'bridge', ns: port.ns, line: made, feature: name });
      return true;
    },
  };
}

function neighbourFeature(
  name: string,
  entry: (mac: string) => string,
  options: {
    readonly asked?: boolean;
    readonly askable?: boolean;
    readonly alone?: boolean;
    readonly weight?: number;
  } = {},
): Feature {
  return {
    name,
    weight: options.weight ?? 0.7,
    add: (network) => {
      // Within a tunnel a question about a stale entry is one more frame on the cable.
      if (network.items.some((item) => 'line' in item && item.line.includes('type vxlan'))) return false;
      const packet = network.draw.pick(network.packets);
      const to = network.hostAt(packet.destination);
      const from = network.host(packet.ns);
      if (!to || to === from || (options.asked && !network.realNeighbours)) return false;
      // Without link-local addresses an IPv6 router has nothing to ask from, and the entry would not last.
      if (options.askable && packet.family === 6 && !network.realNeighbours) return false;
      const way = network.way(from, to);
      const at = network.draw.int(0, way.length - 2);
      const [here, next] = [way[at]!, way[at + 1]!];
      const device = network.deviceBetween(here, next);
      if (!device) return false;
      const isLast = next === to && !next.pod === !to.pod;
      const address = next.pod || !here.pod ? next.address[packet.family] : gatewayAddress(next.ns, packet.family);
      const dev = device.bridge ?? device.name;
      const mac =
        isLast && next.pod
          ? ownerOf(network, next.ns)
          : device.peer.ns === next.ns
            ? macOf(network, device.peer)
            : STRAY_MAC;
      network.add({
        kind: 'ip',
        ns: here.ns,
        line: `neigh replace ${address} dev ${dev} ${entry(mac)}`,
        feature: name,
      });
      // What an earlier packet teaches about neighbours is not in the state that was read.
      if (options.alone) network.packets.splice(0, network.packets.length, packet);
      return true;
    },
  };
}

function macOf(network: Network, end: { readonly ns: string; readonly name: string }): string {
  const device = network.devices.find((one) => one.ns === end.ns && one.name === end.name);
  if (device?.bridge === undefined) return device?.mac ?? STRAY_MAC;
  return end.ns === 'a' ? '02:00:00:01:00:01' : '02:00:00:02:00:01';
}

function gatewayAddress(node: string, family: 4 | 6): string {
  const index = node === 'a' ? 1 : 2;
  return family === 4 ? `10.1.${index}.1` : `fd00:1:${index}::1`;
}

function linkFeature(name: string, line: (network: Network, device: Device) => string, weight = 0.7): Feature {
  return {
    name,
    weight,
    add: (network) => {
      if (name !== 'mtu') onlyFirst(network);
      const device = network.draw.pick(network.devices);
      // With the last of ip's lines: a device that is down takes no routes and no neighbours any more.
      network.add({ kind: 'ip', family: 6, ns: device.ns, line: line(network, device), feature: name });
      return true;
    },
  };
}

function bridgeNetfilter(name: string, item: (node: string, bridge: string) => Parameters<Network['add']>[0]): Feature {
  return {
    name,
    weight: 3,
    add: (network) => {
      const ports = portsOf(network);
      if (ports.length === 0) return false;
      const port = network.draw.pick(ports);
      aimed(network, ports);
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

export const LAYER2_FEATURES: readonly Feature[] = [
  portFeature('hairpin', 'hairpin on', { weight: 2 }),
  portFeature('isolated', 'isolated on', { all: true }),
  portFeature('isolated one', 'isolated on'),
  portFeature('flood off', 'flood off'),
  portFeature('learning off', 'learning off'),
  portFeature('learning and flood off', 'learning off flood off', { weight: 0.5 }),
  portFeature('mcast_flood off', 'mcast_flood off'),
  portFeature('bcast_flood off', 'bcast_flood off'),
  portFeature('proxy_arp', 'proxy_arp on', { weight: 0.5 }),
  portFeature('neigh_suppress', 'neigh_suppress on'),
  portFeature('locked', 'locked on learning off', { weight: 0.4 }),
  portFeature('state', 'state 4', { weight: 0.3 }),
  bridgeNetfilter('bridge nf_call_iptables', (ns) => ({
    kind: 'sysctl',
    ns,
    key: 'net.bridge.bridge-nf-call-iptables',
    value: '1',
  })),
  bridgeNetfilter('bridge nf_call_ip6tables', (ns) => ({
    kind: 'sysctl',
    ns,
    key: 'net.bridge.bridge-nf-call-ip6tables',
    value: '1',
  })),
  bridgeNetfilter('bridge own nf_call_iptables', (ns, bridge) => ({
    kind: 'ip',
    ns,
    line: `link set dev ${bridge} type bridge nf_call_iptables 1 nf_call_ip6tables 1`,
  })),
  fdbFeature(
    'fdb static',
    (network, port) => `fdb replace ${ownerOf(network, port.peer.ns)} dev ${port.name} master static`,
  ),
  fdbFeature('fdb wrong port', (network, port, ports) => {
    const other = ports.find((one) => one !== port);
    return other && `fdb replace ${ownerOf(network, other.peer.ns)} dev ${port.name} master static`;
  }),
  fdbFeature(
    'fdb local',
    (network, port) => `fdb replace ${ownerOf(network, port.peer.ns)} dev ${port.name} master permanent`,
  ),
  fdbFeature(
    'fdb sticky',
    (network, port) => `fdb replace ${ownerOf(network, port.peer.ns)} dev ${port.name} master static sticky`,
  ),
  neighbourFeature('neighbour wrong mac', () => `lladdr ${STRAY_MAC} nud permanent`, { weight: 0.4 }),
  neighbourFeature('neighbour reachable', (mac) => `lladdr ${mac} nud reachable`),
  neighbourFeature('neighbour stale', (mac) => `lladdr ${mac} nud stale`, { askable: true }),
  neighbourFeature('neighbour noarp', (mac) => `lladdr ${mac} nud noarp`),
  neighbourFeature('neighbour failed', () => 'nud failed', { weight: 0.4, alone: true }),
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
  linkFeature('link promisc', (_network, device) => `link set dev ${device.name} promisc on`),
  sysctlFeature('arp_ignore', (device) => [[`net.ipv4.conf.${device}.arp_ignore`, '1']]),
  sysctlFeature('arp_ignore subnet', (device) => [[`net.ipv4.conf.${device}.arp_ignore`, '2']]),
  sysctlFeature('arp_ignore all', (device) => [[`net.ipv4.conf.${device}.arp_ignore`, '8']], 0.3),
  sysctlFeature('arp_filter', (device) => [[`net.ipv4.conf.${device}.arp_filter`, '1']]),
  sysctlFeature('arp_announce', (device) => [[`net.ipv4.conf.${device}.arp_announce`, '2']]),
  sysctlFeature('proxy_arp', (device) => [
    [`net.ipv4.conf.${device}.proxy_arp`, '1'],
    [`net.ipv4.neigh.${device}.proxy_delay`, '0'],
  ]),
  sysctlFeature('rp_filter and arp', (device) => [[`net.ipv4.conf.${device}.rp_filter`, '1']]),
];
