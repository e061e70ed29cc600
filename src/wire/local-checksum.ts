import { fold, sumOf } from './internet-checksum.ts';
import type { Piece } from './piece.ts';

/** An inner transport header whose checksum is left to the device. */
export interface PartialSum {
  /** Of the header in the frame. */
  readonly offset: number;
  /** What stands in its checksum field. */
  readonly field: number;
  /** It carries data, so that GRO may have made it of several. */
  readonly mayBeMerged: boolean;
}

/**
 * Checksum of an outer header over an inner one that is 'partial'. The sender took the inner as if its checksum were there
 * already: what the device will make of it sums up to the complement of the field (Documentation/networking/
 * checksum-offloads.rst, "LCO"; lco_csum in include/linux/skbuff.h). So bytes after the inner header are not needed.
 */
export function localChecksum(outer: Piece, pseudo: number, partial: PartialSum): 'good' | 'bad' {
  const before = outer.bytes.subarray(0, partial.offset - outer.offset);
  return fold(sumOf(before) + pseudo + (0xffff - partial.field)) === 0xffff ? 'good' : 'bad';
}
