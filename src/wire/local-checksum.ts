import { fold, sumOf } from './internet-checksum.ts';
import type { Piece } from './piece.ts';
import type { Checksum } from './wire-packet.ts';

/** An inner transport header whose checksum is left to the device. */
export interface PartialSum {
  /** Of the header in the frame. */
  readonly offset: number;
  /** What stands in its checksum field. */
  readonly field: number;
  /** It carries TCP data, so that GRO may have made it of several. */
  readonly mayBeMerged: boolean;
}

/**
 * Checksum of an outer header over an inner one that is 'partial'. The sender took the inner as if its checksum were there
 * already: what the device will make of it sums up to the complement of the field (Documentation/networking/
 * checksum-offloads.rst, "LCO"; lco_csum in include/linux/skbuff.h). So bytes after the inner header are not needed.
 * Where GRO merged segments, the outer checksum is still that of the first (udp_gro_complete in net/ipv4/udp_offload.c),
 * and proves nothing.
 */
export function localChecksum(outer: Piece, pseudo: number, partial: PartialSum): Checksum {
  const before = outer.bytes.subarray(0, partial.offset - outer.offset);
  if (fold(sumOf(before) + pseudo + (0xffff - partial.field)) === 0xffff) return 'good';
  return partial.mayBeMerged ? 'unknown' : 'bad';
}
