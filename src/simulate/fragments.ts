import { familyOf } from '../net/address.ts';
import type { Packet } from '../net/packet.ts';

const HEADER_BYTES = { 4: 20, 6: 40 } as const;
/** With the fragment header of IPv6 (RFC 8200 §4.5). */
const HEADER_OF_FRAGMENT_BYTES = { 4: 20, 6: 48 } as const;

/** The fragments of a packet: how many they are, and the lengths of the longest and of the last. */
export interface Fragments {
  readonly count: number;
  readonly largestBytes: number;
  readonly lastBytes: number;
}

/** The largest fragment that an MTU lets through: every one but the last carries a multiple of eight bytes (RFC 791, RFC 8200 §4.5). */
export function fragmentBytesFor(family: 4 | 6, mtu: number): number {
  const header = HEADER_OF_FRAGMENT_BYTES[family];
  return header + Math.floor((mtu - header) / 8) * 8;
}

/** Of a packet that travels in fragments (ip_do_fragment, ip6_fragment); undefined of one that is whole. */
export function fragmentsOf({ ip, lengthBytes, fragmentBytes }: Packet): Fragments | undefined {
  if (fragmentBytes === undefined) return undefined;
  const family = familyOf(ip.destination);
  const header = HEADER_OF_FRAGMENT_BYTES[family];
  const carried = fragmentBytes - header;
  const payload = lengthBytes - HEADER_BYTES[family];
  const count = Math.ceil(payload / carried);
  return { count, largestBytes: fragmentBytes, lastBytes: header + payload - (count - 1) * carried };
}

/** The longest piece that a packet travels in. */
export function largestBytes(packet: Packet): number {
  return packet.fragmentBytes ?? packet.lengthBytes;
}
