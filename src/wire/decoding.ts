import type { Piece } from './piece.ts';

/** What decoders share while they read one frame. */
export interface Decoding {
  readonly vxlanPorts: ReadonlySet<number>;
  readonly wireguardPorts: ReadonlySet<number>;
  /** Headers that this one is within. */
  readonly level: number;
  /** What contradicts itself, in the order in which it was met. */
  readonly problems: string[];
}

/** Whether `count` bytes of a header were captured; where the sender itself sent fewer, that is a problem. */
export function has(piece: Piece, count: number, what: string, decoding: Decoding): boolean {
  if (piece.bytes.length >= count) return true;
  if (!piece.open && piece.originalLength < count) {
    decoding.problems.push(`${what} of ${count} bytes in ${piece.originalLength} (byte ${piece.offset})`);
  }
  return false;
}
