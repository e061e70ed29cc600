import { type Address, familyOf } from '../net/address.ts';
import type { Packet } from '../net/packet.ts';
import type { Protocol } from './question.ts';

const TCP_SYN_BYTES = 40; // 20 of header and 20 of options (MSS, SACK, timestamps, window scale) as Linux sends it
const DNS_QUERY_BYTES = 8 + 48; // UDP header and a query for a name of usual length
const PING_BYTES = 8 + 56; // ping(8)'s default payload

export interface PacketWish {
  readonly protocol: Protocol;
  readonly source: Address;
  readonly destination: Address;
  readonly port?: number;
  /** IP total length in bytes, where the packet is to be as long as that. */
  readonly lengthBytes?: number;
}

/**
 * The first packet that the source's kernel sends: a SYN, a datagram, an echo request. DF is set, as Linux does by default
 * (ip(7), IP_MTU_DISCOVER). A SYN offers the MSS of its route, which the walk finds.
 */
export function firstPacket(wish: PacketWish): Packet {
  const family = familyOf(wish.destination);
  const header = family === 4 ? 20 : 40;
  return {
    ip: { source: wish.source, destination: wish.destination, ttl: 64, tos: 0, df: true },
    l4: transport(wish, header),
    lengthBytes: wish.lengthBytes ?? header + payloadBytes(wish.protocol),
  };
}

function transport(wish: PacketWish, header: number): Packet['l4'] {
  if (wish.protocol === 'icmp') {
    // Echo request: RFC 792, RFC 4443 §4.1.
    return header === 20 ? { protocol: 'icmp', type: 8, code: 0 } : { protocol: 'icmpv6', type: 128, code: 0 };
  }
  const ports = { sourcePort: 'ephemeral', destinationPort: wish.port ?? 'ephemeral' } as const;
  if (wish.protocol !== 'tcp') return { protocol: wish.protocol, ...ports };
  return { protocol: 'tcp', ...ports, flags: ['syn'] };
}

function payloadBytes(protocol: Protocol): number {
  if (protocol === 'icmp') return PING_BYTES;
  return protocol === 'udp' ? DNS_QUERY_BYTES : TCP_SYN_BYTES;
}
