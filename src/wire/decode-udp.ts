import { type Decoding, has } from './decoding.ts';
import { transportChecksum } from './internet-checksum.ts';
import { firstOf, type Piece, restOf } from './piece.ts';
import type { WireUdp } from './wire-packet.ts';

/*
 *   0 source port   2 destination port   4 length with this header   6 checksum, 0 for none
 *
 * Source: RFC 768; RFC 6935 (no checksum over IPv6, in tunnels); RFC 2675 (length 0: as long as IP says).
 */
const HEADER_BYTES = 8;
const PROTOCOL = 17;

export interface DecodedUdp {
  readonly udp: WireUdp;
  /** Header and payload, without what IP carries beyond them. */
  readonly piece: Piece;
  readonly payload: Piece;
  /** Sum of the pseudo header. */
  readonly pseudo?: number;
}

export function decodeUdp(piece: Piece, addressSum: number | undefined, decoding: Decoding): DecodedUdp | undefined {
  if (!has(piece, HEADER_BYTES, 'a UDP header', decoding)) return undefined;
  const { view } = piece;
  const length = lengthOf(piece, decoding);
  const own = piece.open ? piece : firstOf(piece, length);
  const payload = restOf(own, HEADER_BYTES);
  const pseudo = addressSum === undefined ? undefined : addressSum + PROTOCOL + length;
  return {
    udp: {
      protocol: 'udp',
      sourcePort: view.getUint16(0),
      destinationPort: view.getUint16(2),
      length,
      payload: payload.bytes,
      checksum: view.getUint16(6) === 0 ? 'absent' : transportChecksum(own, 6, pseudo),
    },
    piece: own,
    payload,
    ...(pseudo !== undefined && { pseudo }),
  };
}

function lengthOf({ view, originalLength, open, offset }: Piece, decoding: Decoding): number {
  const stated = view.getUint16(4);
  if (stated === 0) return originalLength;
  if (stated < HEADER_BYTES || (!open && stated > originalLength)) {
    decoding.problems.push(`a UDP datagram that says it has ${stated} bytes, in ${originalLength} (byte ${offset})`);
    return Math.max(stated, HEADER_BYTES);
  }
  return stated;
}
