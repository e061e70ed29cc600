import { ipv6At } from './address-at.ts';
import { decodeExtensions, HOP_BY_HOP, TCP_PROTOCOL } from './decode-ipv6-extensions.ts';
import { type Decoding, has } from './decoding.ts';
import { sumOf } from './internet-checksum.ts';
import type { IpHeader } from './ip-header.ts';
import { firstOf, opened, type Piece, restOf } from './piece.ts';

/*
 *   0 version (4 bits), traffic class (8), flow label (20)
 *   4 payload length   6 next header   7 hop limit
 *   8 source address  24 destination address
 *
 * Source: RFC 8200, 3.
 */
const HEADER_BYTES = 40;
const TCP_HEADER_MIN_BYTES = 20;

export function decodeIpv6(piece: Piece, decoding: Decoding): IpHeader | undefined {
  if (!has(piece, HEADER_BYTES, 'an IPv6 header', decoding)) return undefined;
  const { bytes, view } = piece;
  const stated = view.getUint16(4);
  const all = restOf(piece, HEADER_BYTES);
  const bound = stated === 0 ? all : firstOf(all, stated);
  if (!piece.open && stated > all.originalLength) {
    decoding.problems.push(`an IPv6 payload of ${stated} bytes in ${all.originalLength} (byte ${piece.offset})`);
  }
  const extensions = decodeExtensions(bytes[6]!, bound, decoding);
  const { fragment, protocol, finalDestination } = extensions;
  const payloadLength = stated === 0 ? lengthBeyond16Bits(all, protocol, extensions.jumboLength) : stated;
  const payload = restOf(firstOf(all, payloadLength), extensions.length);
  const isFragment = fragment !== undefined && (fragment.moreFragments || fragment.offset > 0);
  return {
    ip: {
      version: 6,
      source: ipv6At(bytes, 8),
      destination: ipv6At(bytes, 24),
      ttl: bytes[7]!,
      tos: (view.getUint16(0) >> 4) & 0xff,
      totalLength: HEADER_BYTES + payloadLength,
      protocol,
      ...(fragment && { id: fragment.id }),
      df: true,
      moreFragments: fragment?.moreFragments ?? false,
      fragmentOffset: fragment?.offset ?? 0,
      checksum: 'absent',
    },
    payload: isFragment ? opened(payload) : payload,
    ...(finalDestination !== 'unknown' && {
      addressSum: sumOf(bytes.subarray(8, 24)) + sumOf(finalDestination ?? bytes.subarray(24, 40)),
    }),
  };
}

/**
 * Of a payload whose length field is 0: by the jumbo payload option (RFC 2675), which Linux writes for BIG TCP; newer
 * kernels leave the option away, and neither a TCP header nor one of options that was cut off can be in nothing. Otherwise there is none, and what follows is
 * the frame's padding.
 */
function lengthBeyond16Bits(all: Piece, protocol: number, jumboLength: number | undefined): number {
  if (jumboLength !== undefined) return Math.min(jumboLength, all.open ? jumboLength : all.originalLength);
  const isLarge = protocol === TCP_PROTOCOL ? all.originalLength >= TCP_HEADER_MIN_BYTES : protocol === HOP_BY_HOP;
  return isLarge ? all.originalLength : 0;
}
