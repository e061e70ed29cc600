import { type Carrier, ETHERNET_IN_TUNNEL } from './carrier.ts';
import { type Decoding, has } from './decoding.ts';
import { transportChecksum } from './internet-checksum.ts';
import { type Piece, restOf } from './piece.ts';

/*
 *   0 checksum is there (1 bit), routing (1), key (1), sequence (1), …, version (3)   2 EtherType of the payload
 *   4 those that are there, in this order: checksum and 16 bits unused, key, sequence number
 *
 * Source: RFC 2784, RFC 2890. Version 1 (PPTP) and routing (RFC 1701) are passed over, as Linux does.
 */
const BASE_BYTES = 4;
const CHECKSUM = 0x8000;
const ROUTING = 0x4000;
const KEY = 0x2000;
const SEQUENCE = 0x1000;
const VERSION = 0x0007;

export function decodeGre(piece: Piece, decoding: Decoding): Carrier | undefined {
  if (!has(piece, BASE_BYTES, 'a GRE header', decoding)) return undefined;
  const { view } = piece;
  const flags = view.getUint16(0);
  if ((flags & (VERSION | ROUTING)) !== 0) return undefined;
  const present = [CHECKSUM, KEY, SEQUENCE].filter((flag) => (flags & flag) !== 0);
  if (!has(piece, BASE_BYTES + present.length * 4, 'a GRE header', decoding)) return undefined;
  const fieldOf = (flag: number): number | undefined =>
    present.includes(flag) ? view.getUint32(BASE_BYTES + present.indexOf(flag) * 4) : undefined;
  const carries = view.getUint16(2);
  const key = fieldOf(KEY);
  const sequence = fieldOf(SEQUENCE);
  return {
    tunnel: { kind: carries === ETHERNET_IN_TUNNEL ? 'gretap' : 'gre', ...(key !== undefined && { key }) },
    gre: {
      ...(sequence !== undefined && { sequence }),
      /* There is no pseudo header, and what is to be segmented yet has 0 there (gre_build_header). */
      checksum: present.includes(CHECKSUM) ? transportChecksum(piece, BASE_BYTES, 0) : 'absent',
    },
    carries,
    payload: restOf(piece, BASE_BYTES + present.length * 4),
  };
}
