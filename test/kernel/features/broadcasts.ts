import { placeOf } from '../collect-case.ts';
import type { Feature } from '../feature.ts';
import type { Host, Network } from '../network.ts';

/*
 * Broadcasts to a subnet behind a router, which takes them for itself or, where it is told so, sends them on (RFC 1812 §5.3.5.2).
 * Nobody answers: every host has a socket that takes them.
 */

const PORT = 16_000;

interface Target {
  readonly from: Host;
  readonly node: string;
  /** The receiver and the node's end of its cable, which get a subnet of their own. */
  readonly to: string;
  readonly cable: string;
  readonly subnet: string;
  /** By which it comes in at the node. */
  readonly input: string;
}

/** From one pod to the subnet of another one's cable. */
function targetOf(network: Network): Target | undefined {
  const { draw } = network;
  const node = draw.pick(network.hosts.filter(({ pod }) => !pod));
  const [from, to] = draw.shuffled(network.hosts.filter((one) => one.pod && one.node === node.ns));
  const input = from && network.deviceBetween(node, from);
  const cable = to && network.deviceBetween(node, to);
  if (!input || !cable || cable.bridge !== undefined || input.bridge !== undefined) return undefined;
  return { from, node: node.ns, to: to.ns, cable: cable.name, subnet: `10.96.${draw.int(1, 200)}`, input: input.name };
}

function broadcastFeature(name: string, isForwarded: boolean): Feature {
  return {
    name,
    wants: { pods: 2, bridged: false, asks: false },
    add: (network) => {
      const target = targetOf(network);
      const isTaken = network.items.some((item) => item.kind === 'sysctl' && item.key.endsWith('.bc_forwarding'));
      if (!target || isTaken || network.packets.length >= 8) return false;
      const { from, node, to, cable, subnet, input } = target;
      network.add({ kind: 'ip', ns: node, line: `addr add ${subnet}.1/24 dev ${cable}` });
      network.add({ kind: 'ip', ns: to, line: `addr add ${subnet}.2/24 dev eth0` });
      const port = PORT + Number(network.unique(''));
      for (const { ns } of network.hosts) {
        const socket = { protocol: 'udp', family: 4, address: '0.0.0.0', port, silent: true } as const;
        network.add({ kind: 'socket', ns, socket });
      }
      network.packets.push({
        ns: from.ns,
        family: 4,
        protocol: 'udp',
        sourcePort: 20_000 + port,
        destination: `${subnet}.255`,
        destinationPort: port,
        payloadBytes: 20,
        df: network.draw.chance(0.5),
        broadcast: true,
      });
      const host = network.host(node);
      const place = placeOf({ ...host, name: node, addresses: [] });
      const [value, other] = isForwarded ? ['1', '0'] : ['0', '1'];
      const keys = ['all', input].map((device) => `net.ipv4.conf.${device}.bc_forwarding`);
      const ignored = keys.map(
        (key) => ({ op: 'sysctl', place, text: `${key} is ${other}`, key, value: other }) as const,
      );
      for (const key of keys) network.add({ kind: 'sysctl', ns: node, key, value, feature: name, ignored });
      return true;
    },
  };
}

export const BROADCAST_FEATURES: readonly Feature[] = [
  broadcastFeature('sysctl bc_forwarding', true),
  broadcastFeature('directed broadcast', false),
];
