import { type Address, familyOf } from '../net/address.ts';
import type { Meta, Packet } from '../net/packet.ts';
import type { Question } from './bridge-proxy.ts';
import type { Station } from './cables.ts';
import { BROADCAST, type Frame } from './frame.ts';
import type { ArpMessage } from './hook.ts';
import { untouched } from './tracking.ts';

/** A neighbour's question or answer on its way, as rules see it: a message of ARP (RFC 826), or an ICMPv6 packet (RFC 4861). */
export interface NeighbourMessage {
  readonly arp?: ArpMessage;
  /** Of ARP, which is no IP packet, it says nothing. */
  readonly packet: Packet;
  readonly meta: Meta;
  /** br_netfilter has shown it to prerouting in a bridge of this namespace, and it is not shown again (ip_sabotage_in). */
  readonly sabotaged?: true;
}

const NO_PACKET: Packet = {
  ip: { source: '0.0.0.0', destination: '0.0.0.0', ttl: 0, tos: 0, df: false },
  l4: { protocol: 0 },
  lengthBytes: 0,
};

const SOLICITATION = 135;
const ADVERTISEMENT = 136;
/** Any other hop limit tells of a router between, and makes the message void (RFC 4861 §7.1, ndisc_rcv). */
export const ND_HOP_LIMIT = 255;
/** IPv6's header, the message and its option with a link address. */
const ND_BYTES = 40 + 24 + 8;

export function questionMessage({ link }: Station, { address, asker }: Question): NeighbourMessage {
  const sender = {
    ...(link.mac !== undefined && { senderMac: link.mac }),
    ...(asker !== undefined && { senderIp: asker }),
  };
  if (familyOf(address) === 4) return ofArp({ operation: 'request', ...sender, targetIp: address });
  return ofNd(SOLICITATION, asker ?? '::', solicitedNode(address), { source: link.mac, destination: groupOf(address) });
}

/** `mac`: the answerer's; absent where it is not known. A proxy's advertisement comes from an address of its own. */
export function answerMessage(
  { address, asker }: Question,
  mac: string | undefined,
  askerMac: string | undefined,
  source: Address = address,
): NeighbourMessage {
  if (familyOf(address) === 6)
    return ofNd(ADVERTISEMENT, source, asker ?? '::', { source: mac, destination: askerMac });
  return ofArp({
    operation: 'reply',
    ...(mac !== undefined && { senderMac: mac }),
    senderIp: address,
    ...(askerMac !== undefined && { targetMac: askerMac }),
    targetIp: asker ?? '0.0.0.0',
  });
}

function ofArp(arp: ArpMessage): NeighbourMessage {
  return { arp, packet: NO_PACKET, meta: untouched() };
}

interface Macs {
  readonly source: string | undefined;
  readonly destination: string | undefined;
}

function ofNd(type: number, source: Address, destination: Address, macs: Macs): NeighbourMessage {
  const known = macs.source !== undefined && macs.destination !== undefined;
  const packet: Packet = {
    ...(known && { macs: { source: macs.source, destination: macs.destination } }),
    ip: { source, destination, ttl: ND_HOP_LIMIT, tos: 0, df: false },
    l4: { protocol: 'icmpv6', type, code: 0 },
    lengthBytes: ND_BYTES,
  };
  return { packet, meta: untouched() };
}

/** A new namespace: mark and connection stay behind (skb_scrub_packet). */
export function entering(message: NeighbourMessage): NeighbourMessage {
  const { sabotaged: _, ...rest } = message;
  return { ...rest, meta: untouched() };
}

/** What br_netfilter has kept of it goes with the bridge (br_nf_dev_queue_xmit). */
export function leavingBridge(message: NeighbourMessage): NeighbourMessage {
  const { sabotaged, ...rest } = message;
  return sabotaged ? rest : message;
}

/** 33:33:ff: and the last three bytes (RFC 2464 §7); the group of a solicitation. */
export function groupOf(address: Address): string {
  if (familyOf(address) === 4) return BROADCAST;
  const [high, low] = lastGroups(address);
  return `33:33:ff:${high.slice(2)}:${low.slice(0, 2)}:${low.slice(2)}`;
}

/** RFC 4291 §2.7.1. */
function solicitedNode(address: Address): Address {
  const [high, low] = lastGroups(address);
  return `ff02::1:ff${high.slice(2)}:${Number.parseInt(low, 16).toString(16)}`;
}

function lastGroups(address: Address): readonly [high: string, low: string] {
  const groups = address.split(':');
  return [(groups.at(-2) || '0').padStart(4, '0'), (groups.at(-1) || '0').padStart(4, '0')];
}

export function questionFrame(asker: Station, { address }: Question): Frame {
  const source = asker.link.mac;
  return { destination: groupOf(address), ...(source !== undefined && { source }) };
}
