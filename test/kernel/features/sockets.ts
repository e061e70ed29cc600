import type { CasePacket, CaseSocket } from '../case.ts';
import type { Feature } from '../feature.ts';
import type { Network } from '../network.ts';

/* Listeners bound in every way, each on a port of its own, and a packet to it. */

const FIRST_PORT = 3000;

interface Binding {
  readonly name: string;
  /** Another packet than the one that goes to a host's own address; undefined where there is none. */
  readonly place?: (network: Network, packet: CasePacket) => CasePacket | undefined;
  /** Undefined: not for this packet. */
  readonly sockets: (network: Network, packet: CasePacket) => readonly Partial<CaseSocket>[] | undefined;
}

function destinationOf(network: Network, packet: CasePacket): string {
  return network.hostAt(packet.destination)?.ns ?? packet.ns;
}

function inputOf(network: Network, packet: CasePacket): string | undefined {
  return network.stops(packet).find((stop) => stop.hook === 'INPUT' && !stop.isReply)?.input;
}

/** From a pod to its node, at an address that a local route alone makes the node's. */
function anyIp(network: Network, packet: CasePacket, four: string, six: string): CasePacket | undefined {
  const from = network.host(packet.ns);
  if (!from.pod) return undefined;
  const destination = packet.family === 4 ? four : six;
  const line = `route replace local ${destination}/${packet.family === 4 ? 32 : 128} dev lo`;
  network.add({ kind: 'ip', ns: from.node, family: packet.family, line });
  return { ...packet, destination };
}

const BINDINGS: readonly Binding[] = [
  {
    name: 'socket address',
    sockets: (network, packet) => {
      const host = network.hostAt(packet.destination);
      const other = network.draw.chance(0.7) ? packet.destination : packet.family === 4 ? '127.0.0.1' : '::1';
      return host && [{ family: packet.family, address: other }];
    },
  },
  {
    name: 'socket any',
    sockets: (network, packet) => [
      network.draw.chance(0.5)
        ? { family: 4, address: '0.0.0.0' }
        : { family: 6, address: '::', v6only: packet.family === 6 },
    ],
  },
  {
    name: 'socket v6only',
    sockets: (network) => [{ family: 6, address: '::', v6only: network.draw.chance(0.5) }],
  },
  {
    name: 'socket mapped address',
    sockets: (_network, packet) =>
      packet.family === 4 ? [{ family: 6, address: `::ffff:${packet.destination}` }] : undefined,
  },
  {
    name: 'socket device',
    sockets: (network, packet) => {
      const input = inputOf(network, packet);
      if (input === undefined) return undefined;
      const device = network.draw.chance(0.7) ? input : 'lo';
      return [{ family: 6, address: '::', device }];
    },
  },
  {
    name: 'socket reuseport',
    sockets: (_network, packet) => {
      const one = { family: packet.family, address: packet.family === 4 ? '0.0.0.0' : '::', reuseport: true } as const;
      return [one, one];
    },
  },
  {
    name: 'socket freebind',
    place: (network, packet) => anyIp(network, packet, '10.66.0.1', 'fd66::1'),
    sockets: (_network, packet) => [{ family: packet.family, address: packet.destination, freebind: true }],
  },
  {
    name: 'socket transparent',
    place: (network, packet) => anyIp(network, packet, '10.66.0.2', 'fd66::2'),
    sockets: (_network, packet) => [{ family: packet.family, address: packet.destination, transparent: true }],
  },
];

function socketFeature({ name, sockets, place }: Binding): Feature {
  return {
    name,
    add: (network) => {
      const { draw } = network;
      const index = network.packets.findIndex(
        (packet) => packet.protocol !== 'icmp' && packet.destinationPort < FIRST_PORT,
      );
      if (index < 0 || network.packets.length >= 8) return false;
      const model = draw.pick(network.packets.filter((packet) => packet.protocol !== 'icmp'));
      const port = FIRST_PORT + network.packets.length;
      const plain: CasePacket = { ...model, sourcePort: 21_000 + network.packets.length, destinationPort: port };
      const packet = place ? place(network, plain) : plain;
      const bound = packet && sockets(network, packet);
      if (!packet || !bound) return false;
      network.packets.push(packet);
      const ns = place ? network.host(packet.ns).node : destinationOf(network, packet);
      for (const one of bound) {
        const socket = { family: 6, address: '::', ...one, protocol: packet.protocol, port } as CaseSocket;
        network.add({ kind: 'socket', ns, socket, feature: name });
      }
      return true;
    },
  };
}

const ECHO: Feature = {
  name: 'sysctl icmp_echo_ignore_all',
  add: (network) => {
    const packet = network.packets.find((one) => one.protocol === 'icmp');
    if (!packet) return false;
    const key = packet.family === 4 ? 'net.ipv4.icmp_echo_ignore_all' : 'net.ipv6.icmp.echo_ignore_all';
    network.add({
      kind: 'sysctl',
      ns: destinationOf(network, packet),
      key,
      value: '1',
      feature: 'sysctl icmp_echo_ignore_all',
    });
    return true;
  },
};

export const SOCKET_FEATURES: readonly Feature[] = [...BINDINGS.map(socketFeature), ECHO];
