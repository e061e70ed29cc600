import { decodeTcpOptions } from './decode-tcp-options.ts';
import { type Decoding, has } from './decoding.ts';
import { transportChecksum } from './internet-checksum.ts';
import { type Piece, restOf } from './piece.ts';
import type { WireTcp } from './wire-packet.ts';

/*
 *   0 source port        2 destination port
 *   4 sequence number    8 acknowledgment number
 *  12 data offset in words (4 bits), flags (12)   14 window
 *  16 checksum          18 urgent pointer   20 options
 *
 * Source: RFC 9293, 3.1; RFC 3168 (ECE, CWR); RFC 9768 (AE).
 */
const HEADER_MIN_BYTES = 20;
/** What an ICMP error quotes at least (RFC 792): both ports and the sequence number. */
const QUOTED_MIN_BYTES = 8;
const PROTOCOL = 6;
const FLAGS = ['fin', 'syn', 'rst', 'psh', 'ack', 'urg', 'ece', 'cwr', 'ae'] as const;
const NO_BYTES = new Uint8Array(0);

export function decodeTcp(piece: Piece, addressSum: number | undefined, decoding: Decoding): WireTcp | undefined {
  const { bytes, view, originalLength } = piece;
  if (!has(piece, HEADER_MIN_BYTES, 'a TCP header', decoding)) {
    return bytes.length < QUOTED_MIN_BYTES ? undefined : cutTcp(piece);
  }
  const headerLength = (bytes[12]! >> 4) * 4;
  if (headerLength < HEADER_MIN_BYTES || (!piece.open && headerLength > originalLength)) {
    decoding.problems.push(
      `a TCP header that says it has ${headerLength} bytes, in ${originalLength} (byte ${piece.offset})`,
    );
    return undefined;
  }
  const bits = view.getUint16(12) & 0x1ff;
  const payload = restOf(piece, headerLength);
  return {
    protocol: 'tcp',
    sourcePort: view.getUint16(0),
    destinationPort: view.getUint16(2),
    sequence: view.getUint32(4),
    acknowledgement: view.getUint32(8),
    flags: FLAGS.filter((_, bit) => (bits & (1 << bit)) !== 0),
    window: view.getUint16(14),
    ...decodeTcpOptions(bytes.subarray(HEADER_MIN_BYTES, headerLength), headerLength <= bytes.length, decoding),
    payloadLength: payload.originalLength,
    payload: payload.bytes,
    checksum: transportChecksum(
      piece,
      16,
      addressSum === undefined ? undefined : addressSum + PROTOCOL + originalLength,
    ),
  };
}

function cutTcp({ view, originalLength }: Piece): WireTcp {
  return {
    protocol: 'tcp',
    sourcePort: view.getUint16(0),
    destinationPort: view.getUint16(2),
    sequence: view.getUint32(4),
    acknowledgement: 0,
    flags: [],
    window: 0,
    payloadLength: Math.max(originalLength - HEADER_MIN_BYTES, 0),
    payload: NO_BYTES,
    checksum: 'unknown',
    headerCut: true,
  };
}
