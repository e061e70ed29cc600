import { crc32c } from './crc32c.ts';
import { type Decoding, has } from './decoding.ts';
import { isWhole, type Piece } from './piece.ts';
import type { Checksum, WireSctp } from './wire-packet.ts';

/*
 *   0 source port   2 destination port   4 verification tag   8 CRC32c, little-endian   12 chunks:
 *   0 type          1 flags              2 length with this header, chunks are padded to four bytes
 *
 * Source: RFC 9260, 3 and appendix A.
 */
const HEADER_BYTES = 12;
const CHUNK_HEADER_BYTES = 4;

export function decodeSctp(piece: Piece, decoding: Decoding): WireSctp | undefined {
  if (!has(piece, HEADER_BYTES, 'an SCTP header', decoding)) return undefined;
  const { bytes, view } = piece;
  return {
    protocol: 'sctp',
    sourcePort: view.getUint16(0),
    destinationPort: view.getUint16(2),
    verificationTag: view.getUint32(4),
    chunks: chunksIn(piece),
    payload: bytes.subarray(HEADER_BYTES),
    checksum: checksumOf(piece),
  };
}

function chunksIn({ bytes, view }: Piece): number[] {
  const types: number[] = [];
  for (let at = HEADER_BYTES; at + CHUNK_HEADER_BYTES <= bytes.length; ) {
    types.push(bytes[at]!);
    at += Math.ceil(Math.max(view.getUint16(at + 2), CHUNK_HEADER_BYTES) / 4) * 4;
  }
  return types;
}

/** A sender that leaves it to the device writes 0 (sctp_packet_pack in net/sctp/output.c). */
function checksumOf(piece: Piece): Checksum {
  const stated = piece.view.getUint32(8, true);
  if (!isWhole(piece)) return stated === 0 && !piece.open ? 'partial' : 'unknown';
  /* Not slice(): a Buffer's is a view. */
  const zeroed = Uint8Array.from(piece.bytes);
  zeroed.fill(0, 8, 12);
  if (crc32c(zeroed) === stated) return 'good';
  return stated === 0 ? 'partial' : 'bad';
}
