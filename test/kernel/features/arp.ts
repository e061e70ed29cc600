import type { Feature } from '../feature.ts';
import type { Device, Network } from '../network.ts';
import { gatewayOf } from '../topology.ts';

/* Who answers a pod's question for its gateway, or for whom it asks at all. Only its packet is sent: whoever asked once is known. */

interface Asker {
  /** The pod's address and its packet's destination. */
  readonly source: string;
  readonly destination: string;
  readonly pod: string;
  readonly node: string;
  /** The node's end of the pod's cable. */
  readonly cable: Device;
  readonly gateway: string;
}

/** A packet of IPv4 that a pod sends by its routed cable. */
function asker(network: Network): Asker | undefined {
  const packet = network.packets.find((one) => one.family === 4 && network.host(one.ns).pod);
  const cable = packet && network.devices.find((one) => one.peer.ns === packet.ns);
  if (!packet || !cable || cable.bridge !== undefined) return undefined;
  network.packets.splice(0, network.packets.length, packet);
  const { node } = network.host(packet.ns);
  return {
    source: network.host(packet.ns).address[4],
    destination: packet.destination,
    pod: packet.ns,
    node,
    cable,
    gateway: gatewayOf(node === 'a' ? 1 : 2, 4),
  };
}

type Line = readonly [where: 'pod' | 'node', line: string];
type Setting = readonly [where: 'pod' | 'node', key: string, value: string];

function arpFeature(
  name: string,
  setting: (asked: Asker) => Setting,
  lines: (asked: Asker) => readonly Line[] = () => [],
  more: (asked: Asker) => readonly Setting[] = () => [],
): Feature {
  return {
    name,
    wants: { asks: true, bridged: false },
    add: (network) => {
      const asked = asker(network);
      if (!asked) return false;
      for (const [where, line] of lines(asked)) network.add({ kind: 'ip', ns: asked[where], line });
      [setting(asked), ...more(asked)].forEach(([where, key, value], index) => {
        network.add({ kind: 'sysctl', ns: asked[where], key, value, feature: index === 0 ? name : '' });
      });
      return true;
    },
  };
}

/** Of the node's end of the cable. */
function atCable(key: string, value: string): (asked: Asker) => Setting {
  return ({ cable }) => ['node', `net.ipv4.conf.${cable.name}.${key}`, value];
}

/** The gateway's address is the node's, but not that device's. */
function elsewhere({ gateway, cable }: Asker): readonly Line[] {
  return [
    ['node', `addr del ${gateway}/32 dev ${cable.name}`],
    ['node', `addr replace ${gateway}/32 dev lo`],
  ];
}

function astray({ source }: Asker): readonly Line[] {
  return [['node', `route replace ${source}/32 dev lo`]];
}

const SECOND = '10.98.1.5';

export const ARP_FEATURES: readonly Feature[] = [
  arpFeature('arp_ignore', atCable('arp_ignore', '1'), elsewhere),
  arpFeature('arp_ignore subnet', atCable('arp_ignore', '2')),
  arpFeature('arp_ignore all', atCable('arp_ignore', '8')),
  arpFeature('arp_filter', atCable('arp_filter', '1'), astray),
  arpFeature('rp_filter and arp', atCable('rp_filter', '1'), astray),
  // The node answers only those that it has a way back to: the pod asks with that address, not with its packet's.
  arpFeature(
    'arp_announce',
    () => ['pod', 'net.ipv4.conf.eth0.arp_announce', '2'],
    ({ destination, gateway }) => [
      ['pod', `addr add ${SECOND}/32 dev lo`],
      ['pod', `route replace ${destination}/32 via ${gateway} dev eth0 src ${SECOND}`],
    ],
    (asked) => [atCable('arp_filter', '1')(asked)],
  ),
  // The pod asks for the destination itself.
  arpFeature('proxy_arp', atCable('proxy_arp', '1'), ({ destination }) => [
    ['pod', `route replace ${destination}/32 dev eth0`],
  ]),
];
