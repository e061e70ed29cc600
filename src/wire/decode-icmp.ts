import { ipv4At, ipv6At } from './address-at.ts';
import { type Decoding, has } from './decoding.ts';
import { messageChecksum, transportChecksum } from './internet-checksum.ts';
import { firstOf, opened, type Piece, restOf } from './piece.ts';
import type { WireIcmp } from './wire-packet.ts';

/*
 *   0 type   1 code   2 checksum   4 by type:
 *     echo, timestamp                4 identifier   6 sequence number
 *     ICMP 3/4                       6 MTU of the next hop (RFC 1191)
 *     ICMPv6 2                       4 MTU (RFC 4443)
 *     ICMP 5                         4 gateway
 *     ICMPv6 135, 136, 137           8 target (RFC 4861)
 *   8 errors: the packet that they are about, as far as it fits. Byte 5 (ICMP, in words) or 4 (ICMPv6, in eight bytes)
 *     is its length where extensions follow (RFC 4884).
 *
 * Source: RFC 792, RFC 4443.
 */
const HEADER_BYTES = 8;
const ICMPV6_PROTOCOL = 58;
const IPV6_ADDRESS_BYTES = 16;

const ERRORS: Readonly<Record<4 | 6, readonly number[]>> = { 4: [3, 4, 5, 11, 12], 6: [1, 2, 3, 4] };
const WITH_ID: Readonly<Record<4 | 6, readonly number[]>> = { 4: [0, 8, 13, 14], 6: [128, 129] };
/** Those that RFC 4884 lets carry extensions. */
const EXTENSIBLE: Readonly<Record<4 | 6, readonly number[]>> = { 4: [3, 11, 12], 6: [1, 3] };
const NEIGHBOUR_TARGETS = [135, 136, 137];

export interface DecodedIcmp {
  readonly icmp: WireIcmp;
  /** Where the packet that an error is about begins. */
  readonly quote?: Piece;
}

export function decodeIcmp(
  piece: Piece,
  version: 4 | 6,
  addressSum: number | undefined,
  decoding: Decoding,
): DecodedIcmp | undefined {
  if (!has(piece, HEADER_BYTES, 'an ICMP header', decoding)) return undefined;
  const { bytes, view, originalLength } = piece;
  const type = bytes[0]!;
  const mtu = mtuOf(piece, version);
  const target = targetOf(piece, version);
  const pseudo = addressSum === undefined ? undefined : addressSum + ICMPV6_PROTOCOL + originalLength;
  return {
    icmp: {
      protocol: version === 4 ? 'icmp' : 'icmpv6',
      type,
      code: bytes[1]!,
      ...(WITH_ID[version].includes(type) && { id: view.getUint16(4), sequence: view.getUint16(6) }),
      ...(mtu !== undefined && { mtu }),
      ...(target !== undefined && { target }),
      payload: bytes.subarray(HEADER_BYTES),
      checksum: version === 4 ? messageChecksum(piece) : transportChecksum(piece, 2, pseudo),
    },
    ...(ERRORS[version].includes(type) && { quote: quoteOf(piece, version) }),
  };
}

function mtuOf({ bytes, view }: Piece, version: 4 | 6): number | undefined {
  if (version === 6) return bytes[0] === 2 ? view.getUint32(4) : undefined;
  return bytes[0] === 3 && bytes[1] === 4 ? view.getUint16(6) : undefined;
}

function targetOf({ bytes }: Piece, version: 4 | 6): WireIcmp['target'] {
  if (version === 4) return bytes[0] === 5 ? ipv4At(bytes, 4) : undefined;
  const isThere = NEIGHBOUR_TARGETS.includes(bytes[0]!) && bytes.length >= HEADER_BYTES + IPV6_ADDRESS_BYTES;
  return isThere ? ipv6At(bytes, HEADER_BYTES) : undefined;
}

function quoteOf(piece: Piece, version: 4 | 6): Piece {
  const { bytes } = piece;
  const stated = version === 4 ? bytes[5]! * 4 : bytes[4]! * 8;
  const all = restOf(piece, HEADER_BYTES);
  const isBound = EXTENSIBLE[version].includes(bytes[0]!) && stated > 0;
  return opened(isBound ? firstOf(all, stated) : all);
}
