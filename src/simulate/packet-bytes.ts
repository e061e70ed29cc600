import { type Address, addressToBits, familyOf } from '../net/address.ts';
import type { L4, Packet, Port } from '../net/packet.ts';
import { protocolNumber } from './iptables-protocols.ts';

/** A byte of which only the bits of `known` are known; the others are 0 in `value`. */
export interface KnownByte {
  readonly value: number;
  readonly known: number;
}

/** A packet's bytes from its IP header on, as far as its description tells them. */
export interface HeaderBytes {
  readonly lengthBytes: number;
  readonly at: (index: number) => KnownByte;
}

const UNKNOWN: KnownByte = { value: 0, known: 0 };

/**
 * RFC 791 and RFC 8200, and the first bytes of TCP, UDP, SCTP and ICMP. Without IP options and without extension headers, as
 * the walk's packets are; identification, checksums, sequence numbers and contents are not known.
 */
export function headerBytes(packet: Packet): HeaderBytes {
  const header = familyOf(packet.ip.source) === 4 ? ipv4Header(packet) : ipv6Header(packet);
  const isLater = (packet.ip.fragmentOffset ?? 0) > 0;
  const bytes = [...header, ...(isLater ? [] : l4Header(packet.l4, packet.lengthBytes - header.length))];
  return { lengthBytes: packet.lengthBytes, at: (index) => bytes[index] ?? UNKNOWN };
}

function byte(value: number): KnownByte {
  return { value: value & 0xff, known: 0xff };
}

function word(value: number): readonly KnownByte[] {
  return [byte(value >> 8), byte(value)];
}

function addressBytes(address: Address): readonly KnownByte[] {
  const length = familyOf(address) === 4 ? 4 : 16;
  const bits = addressToBits(address);
  return Array.from({ length }, (_, index) => byte(Number((bits >> BigInt(8 * (length - 1 - index))) & 0xffn)));
}

const DONT_FRAGMENT = 0x40;

function ipv4Header({ ip, l4, lengthBytes }: Packet): readonly KnownByte[] {
  // Whether more fragments follow is told only of a packet that is none.
  const offset = (ip.fragmentOffset ?? 0) >> 3;
  const flags: KnownByte = {
    value: (ip.df ? DONT_FRAGMENT : 0) | (offset >> 8),
    known: ip.fragmentOffset === undefined ? 0xff : 0xdf,
  };
  return [
    byte(0x45),
    byte(ip.tos),
    ...word(lengthBytes),
    ...[UNKNOWN, UNKNOWN],
    ...[flags, byte(offset)],
    byte(ip.ttl),
    byte(protocolNumber(l4.protocol) ?? 0),
    ...[UNKNOWN, UNKNOWN],
    ...addressBytes(ip.source),
    ...addressBytes(ip.destination),
  ];
}

const IPV6_HEADER_BYTES = 40;
const FRAGMENT_HEADER = 44;

function ipv6Header({ ip, l4, lengthBytes }: Packet): readonly KnownByte[] {
  const isFragment = ip.fragmentOffset !== undefined;
  return [
    byte(0x60 | (ip.tos >> 4)),
    // The flow label's 20 bits follow.
    { value: (ip.tos & 0xf) << 4, known: 0xf0 },
    ...[UNKNOWN, UNKNOWN],
    ...word(lengthBytes - IPV6_HEADER_BYTES),
    byte(isFragment ? FRAGMENT_HEADER : (protocolNumber(l4.protocol) ?? 0)),
    byte(ip.ttl),
    ...addressBytes(ip.source),
    ...addressBytes(ip.destination),
    ...(isFragment ? Array.from({ length: 8 }, () => UNKNOWN) : []),
  ];
}

function portBytes(port: Port): readonly KnownByte[] {
  return port === 'ephemeral' ? [UNKNOWN, UNKNOWN] : word(port);
}

const FLAG_BITS: Readonly<Record<string, number>> = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32 };

function l4Header(l4: L4, lengthBytes: number): readonly KnownByte[] {
  if ('type' in l4) {
    const id = l4.id === undefined ? [UNKNOWN, UNKNOWN] : word(l4.id);
    return [byte(l4.type), byte(l4.code), UNKNOWN, UNKNOWN, ...id];
  }
  if (!('sourcePort' in l4)) return [];
  const ports = [...portBytes(l4.sourcePort), ...portBytes(l4.destinationPort)];
  if (l4.protocol === 'udp') return [...ports, ...word(lengthBytes)];
  if (l4.protocol !== 'tcp' || !l4.flags) return ports;
  const flags = l4.flags.reduce((bits, flag) => bits | (FLAG_BITS[flag] ?? 0), 0);
  const numbers = Array.from({ length: 9 }, () => UNKNOWN);
  // Sequence and acknowledgement numbers and the header's length; ECE and CWR may be set besides.
  return [...ports, ...numbers, { value: flags, known: 0x3f }];
}
