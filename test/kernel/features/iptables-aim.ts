import type { Family } from '../../../src/net/address.ts';
import type { CasePacket } from '../case.ts';
import type { Draw } from '../draw.ts';
import { drawPacket } from '../draw-packet.ts';
import type { HookPoint, Network, Stop } from '../network.ts';

/** A packet at a hook, to aim a rule at. */
export interface Aim {
  readonly packet: CasePacket;
  readonly stop: Stop;
  readonly draw: Draw;
  readonly network: Network;
}

/** Tables and their hooks. */
export const HOOKS_OF: Readonly<Record<string, readonly HookPoint[]>> = {
  raw: ['PREROUTING', 'OUTPUT'],
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
  security: ['INPUT', 'FORWARD', 'OUTPUT'],
};

export function aimAt(
  network: Network,
  hooks: readonly HookPoint[],
  protocols?: readonly CasePacket['protocol'][],
  { families = [4, 6], onNodes = false }: { readonly families?: readonly Family[]; readonly onNodes?: boolean } = {},
): Aim | undefined {
  const packets = network.packets.filter(
    (one) => (protocols?.includes(one.protocol) ?? true) && families.includes(one.family),
  );
  // One of the few that it is about is drawn for it, where there is none that nothing is aimed at yet.
  const isRare = protocols !== undefined || families.length === 1;
  if (
    isRare &&
    !network.realNeighbours &&
    network.packets.length < PACKETS_MAX &&
    !packets.some((one) => network.isFree(one))
  ) {
    const packet = drawPacket(network, network.packets.length + OWN_PORTS, {
      ...(protocols && { protocols }),
      families,
    });
    network.packets.push(packet);
    packets.push(packet);
  }
  for (let tries = 0; packets.length > 0 && tries < TRIES; tries++) {
    const aim = aimAtPacket(network, network.aimable(packets), hooks);
    if (aim && !(onNodes && network.host(aim.stop.ns).pod)) return aim;
  }
  return undefined;
}

const TRIES = 8;
const PACKETS_MAX = 8;
/** Their source ports are apart from those of the first packets. */
const OWN_PORTS = 100;

/** That packet, or its answer, at one of these hooks. */
export function aimAtPacket(network: Network, packet: CasePacket, hooks: readonly HookPoint[]): Aim | undefined {
  const { draw } = network;
  const stops = network
    .stops(packet)
    .filter((stop) => hooks.includes(stop.hook) && (!stop.isReply || draw.chance(0.5)));
  return stops.length === 0 ? undefined : { packet, stop: draw.pick(stops), draw, network };
}

/** The addresses and ports of the packet at the stop: on the way back they have changed places. */
export function endsAt({ packet, stop, network }: Aim): {
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
} {
  const from = packet.source ?? network.host(packet.ns).address[packet.family];
  const { destination, sourcePort, destinationPort } = packet;
  return stop.isReply
    ? { source: destination, destination: from, sourcePort: destinationPort, destinationPort: sourcePort }
    : { source: from, destination, sourcePort, destinationPort };
}

/** What a rule names first, so that it is about this packet and few others. */
export function aimedWords(aim: Aim, namesProtocol = false): string {
  const { packet, draw } = aim;
  const ends = endsAt(aim);
  const protocol = packet.protocol === 'icmp' ? (packet.family === 6 ? 'ipv6-icmp' : 'icmp') : packet.protocol;
  // iptables-nft-save prints one of two matches of the same kind: a rule that has such a match bears no other.
  const ports =
    packet.protocol === 'icmp' || namesProtocol
      ? ''
      : draw.weighted([
          { words: ` --dport ${ends.destinationPort}`, weight: 2 },
          // The client's port is this packet's alone.
          { words: ` --${aim.stop.isReply ? 'dport' : 'sport'} ${packet.sourcePort}`, weight: 6 },
          { words: '', weight: 1 },
        ]).words;
  // Where neighbours ask each other, a rule for all protocols would meet their questions too.
  // Rules about ICMPv6 leave neighbours alone where they ask each other.
  if (packet.protocol === 'icmp' && packet.family === 6 && aim.network.realNeighbours) {
    return `-p ipv6-icmp -m icmp6 --icmpv6-type ${aim.stop.isReply ? 129 : 128}`;
  }
  const named = namesProtocol || (aim.network.realNeighbours && packet.family === 6);
  // Without ports the addresses must tell it from others.
  const share = ports === '' ? 0.85 : 0.5;
  const parts = [
    draw.chance(share) ? `-s ${ends.source}` : '',
    draw.chance(share) ? `-d ${ends.destination}` : '',
    named || draw.chance(0.8) ? `-p ${protocol}${ports === '' ? '' : ` -m ${protocol}${ports}`}` : '',
  ];
  return parts.filter((part) => part !== '').join(' ');
}
