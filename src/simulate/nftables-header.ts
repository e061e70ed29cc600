import { addressToBits } from '../net/address.ts';
import type { L4, Packet } from '../net/packet.ts';
import type { ArpMessage } from './hook.ts';
import { TCP_FLAGS } from './nftables-symbols.ts';

/** Bits of a header, the first one highest; `known` has a 1 where the walk knows the bit. */
export interface HeaderBits {
  readonly length: number;
  readonly value: bigint;
  readonly known: bigint;
}

/** One field after the other; a field without a value is not known. */
type Fields = readonly (readonly [bits: number, value?: bigint | number])[];

function bitsOf(fields: Fields): HeaderBits {
  let length = 0;
  let value = 0n;
  let known = 0n;
  for (const [bits, field] of fields) {
    const mask = (1n << BigInt(bits)) - 1n;
    length += bits;
    value = (value << BigInt(bits)) | (field === undefined ? 0n : BigInt(field) & mask);
    known = (known << BigInt(bits)) | (field === undefined ? 0n : mask);
  }
  return { length, value, known };
}

/** `length` bits from `offset` on; what lies behind the header is not known. */
export function sliceBits(header: HeaderBits, offset: number, length: number): HeaderBits {
  const missing = Math.max(0, offset + length - header.length);
  const shift = BigInt(header.length + missing - offset - length);
  const mask = (1n << BigInt(length)) - 1n;
  return {
    length,
    value: ((header.value << BigInt(missing)) >> shift) & mask,
    known: ((header.known << BigInt(missing)) >> shift) & mask,
  };
}

/** RFC 791 and RFC 8200. The walk's packets carry no options and, but for fragments, no extension headers. */
export function networkHeader(packet: Packet, protocol: number): HeaderBits {
  const { ip } = packet;
  const source = addressToBits(ip.source);
  const destination = addressToBits(ip.destination);
  if (ip.source.includes(':')) {
    const next = ip.fragmentOffset === undefined ? protocol : 44;
    const length = packet.lengthBytes - 40;
    return bitsOf([[4, 6], [8, ip.tos], [20], [16, length], [8, next], [8, ip.ttl], [128, source], [128, destination]]); // biome-ignore format: one header
  }
  const fragment = fragmentFields(ip);
  return bitsOf([[4, 4], [4, 5], [8, ip.tos], [16, packet.lengthBytes], [16], ...fragment, [8, ip.ttl], [8, protocol], [16], [32, source], [32, destination]]); // biome-ignore format: one header
}

/** Reserved, DF, MF, offset. Of a fragment, only that the offset is or is not 0 is kept. */
function fragmentFields(ip: Packet['ip']): Fields {
  const df = ip.df ? 1 : 0;
  if (ip.fragmentOffset === undefined) return [[1, 0], [1, df], [1, 0], [13, 0]]; // biome-ignore format: one word
  if (ip.fragmentOffset === 0) return [[1, 0], [1, df], [1], [13, 0]]; // biome-ignore format: one word
  return [[1, 0], [1, df], [1], [13]]; // biome-ignore format: one word
}

/** As far as the walk knows it: the ports that it knows, ICMP's type, code and id. */
export function transportHeader(packet: Packet): HeaderBits {
  const { l4 } = packet;
  switch (l4.protocol) {
    case 'tcp':
      return bitsOf([...portFields(l4), [32], [32], [4], [4], [8, flagBits(l4.flags)], [16], [16], [16, urgent(l4.flags)]]); // biome-ignore format: one header
    case 'udp':
      return bitsOf([...portFields(l4), [16, packet.lengthBytes - networkBytes(packet)], [16]]);
    case 'sctp':
      return bitsOf([...portFields(l4), [32], [32]]);
    case 'icmp':
    case 'icmpv6':
      return bitsOf([[8, l4.type], [8, l4.code], [16], [16, l4.id], [16]]); // biome-ignore format: one header
    default:
      return bitsOf([]);
  }
}

function portFields(l4: Extract<L4, { sourcePort: unknown }>): Fields {
  return [l4.sourcePort, l4.destinationPort].map((port) => (port === 'ephemeral' ? [16] : [16, port]));
}

export function flagBits(flags: readonly string[] | undefined): number | undefined {
  return flags?.reduce((bits, flag) => bits | (TCP_FLAGS[flag] ?? 0), 0);
}

/** The pointer is 0 without URG. */
function urgent(flags: readonly string[] | undefined): number | undefined {
  return flags && !flags.includes('urg') ? 0 : undefined;
}

export function networkBytes(packet: Packet): number {
  return packet.ip.source.includes(':') ? 40 : 20;
}

/** Destination, source, type. */
export function frameHeader(macs: Packet['macs'], type: number): HeaderBits {
  return bitsOf([[48, macBits(macs?.destination)], [48, macBits(macs?.source)], [16, type]]); // biome-ignore format: one header
}

/** RFC 826, of IPv4 addresses on Ethernet. */
export function arpHeader(message: ArpMessage): HeaderBits {
  const operation = message.operation === 'request' ? 1 : 2;
  const ip = (address: string | undefined): bigint | undefined => (address === undefined ? undefined : addressToBits(address)); // biome-ignore format: short
  return bitsOf([
    [16, 1],
    [16, 0x0800],
    [8, 6],
    [8, 4],
    [16, operation],
    [48, macBits(message.senderMac)],
    [32, ip(message.senderIp)],
    // Nobody's yet in a question (arp_send_dst).
    [48, message.operation === 'request' ? 0n : macBits(message.targetMac)],
    [32, ip(message.targetIp)],
  ]);
}

function macBits(mac: string | undefined): bigint | undefined {
  return mac === undefined ? undefined : BigInt(`0x${mac.replaceAll(':', '')}`);
}
