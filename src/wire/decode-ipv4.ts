import { ipv4At } from './address-at.ts';
import { type Decoding, has } from './decoding.ts';
import { headerChecksum, sumOf } from './internet-checksum.ts';
import type { IpHeader } from './ip-header.ts';
import { firstOf, opened, type Piece, restOf } from './piece.ts';

/*
 *   0 version, header length in words   1 type of service   2 total length
 *   4 identification                    6 flags (3 bits), fragment offset in eight bytes (13 bits)
 *   8 time to live   9 protocol        10 header checksum
 *  12 source address                   16 destination address   20 options
 *
 * Source: RFC 791, 3.1.
 */
const HEADER_MIN_BYTES = 20;
const DONT_FRAGMENT = 0x4000;
const MORE_FRAGMENTS = 0x2000;

export function decodeIpv4(piece: Piece, decoding: Decoding): IpHeader | undefined {
  if (!has(piece, HEADER_MIN_BYTES, 'an IPv4 header', decoding)) return undefined;
  const { bytes, view } = piece;
  const headerLength = (bytes[0]! & 0xf) * 4;
  if (headerLength < HEADER_MIN_BYTES) {
    decoding.problems.push(`an IPv4 header that says it has ${headerLength} bytes (byte ${piece.offset})`);
    return undefined;
  }
  const totalLength = totalLengthOf(piece, headerLength, decoding);
  const whole = firstOf(piece, totalLength);
  const fragment = view.getUint16(6);
  const isFragment = (fragment & (MORE_FRAGMENTS | 0x1fff)) !== 0;
  const payload = restOf(whole, headerLength);
  return {
    ip: {
      version: 4,
      source: ipv4At(bytes, 12),
      destination: ipv4At(bytes, 16),
      ttl: bytes[8]!,
      tos: bytes[1]!,
      totalLength,
      protocol: bytes[9]!,
      id: view.getUint16(4),
      df: (fragment & DONT_FRAGMENT) !== 0,
      moreFragments: (fragment & MORE_FRAGMENTS) !== 0,
      fragmentOffset: (fragment & 0x1fff) * 8,
      checksum: bytes.length < headerLength ? 'unknown' : headerChecksum(bytes.subarray(0, headerLength)),
    },
    payload: isFragment ? opened(payload) : payload,
    addressSum: sumOf(bytes.subarray(12, 20)),
  };
}

/** The field has 16 bits: 0 is "all of the frame", as Linux writes for segments that are larger (BIG TCP: iph_totlen). */
function totalLengthOf(piece: Piece, headerLength: number, decoding: Decoding): number {
  const stated = piece.view.getUint16(2);
  if (stated === 0) return piece.originalLength;
  if (stated < headerLength) {
    decoding.problems.push(`an IPv4 packet of ${stated} bytes with a header of ${headerLength} (byte ${piece.offset})`);
    return headerLength;
  }
  if (!piece.open && stated > piece.originalLength) {
    decoding.problems.push(`an IPv4 packet of ${stated} bytes in ${piece.originalLength} (byte ${piece.offset})`);
  }
  return stated;
}
