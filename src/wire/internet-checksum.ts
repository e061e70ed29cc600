import { isWhole, type Piece } from './piece.ts';
import type { Checksum } from './wire-packet.ts';

/** Sum of 16-bit words, the last one padded with zero, not folded (RFC 1071). */
export function sumOf(bytes: Uint8Array): number {
  let sum = 0;
  const even = bytes.length & ~1;
  for (let at = 0; at < even; at += 2) sum += (bytes[at]! << 8) | bytes[at + 1]!;
  return bytes.length > even ? sum + (bytes[even]! << 8) : sum;
}

/** With the carries added in: 0xffff is the sum of what has a right checksum in it. */
export function fold(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded % 0x10000) + Math.floor(folded / 0x10000);
  return folded;
}

/** Of an IP header that was captured wholly. */
export function headerChecksum(header: Uint8Array): Checksum {
  return fold(sumOf(header)) === 0xffff ? 'good' : 'bad';
}

/**
 * Of a transport header with all that it covers, whose checksum is at `at`. `pseudo` is the sum of its pseudo header
 * (RFC 9293, 3.1; RFC 768; RFC 8200, 8.1); undefined where that is not known. A sender that leaves the work to the device
 * puts the pseudo header's sum there (tcp_v4_send_check in net/ipv4/tcp_ipv4.c), and so does GRO for what it merged.
 */
export function transportChecksum(piece: Piece, at: number, pseudo: number | undefined): Checksum {
  if (pseudo === undefined || piece.open) return 'unknown';
  const isPartial = piece.view.getUint16(at) === fold(pseudo);
  if (!isWhole(piece)) return isPartial ? 'partial' : 'unknown';
  if (fold(sumOf(piece.bytes) + pseudo) === 0xffff) return 'good';
  return isPartial ? 'partial' : 'bad';
}

/** Of a message that has no pseudo header: all of it sums up. */
export function messageChecksum(piece: Piece): Checksum {
  if (!isWhole(piece)) return 'unknown';
  return fold(sumOf(piece.bytes)) === 0xffff ? 'good' : 'bad';
}
