import { macAt } from './address-at.ts';
import { decodeVlanTags } from './decode-vlan-tags.ts';
import { type Decoding, has } from './decoding.ts';
import { type Piece, restOf } from './piece.ts';
import type { WireLink } from './wire-packet.ts';

/*
 *   0 destination   6 source   12 EtherType, or a VLAN tag   14 payload
 *
 * Source: IEEE 802.3, RFC 894.
 */
const HEADER_BYTES = 14;

export interface DecodedLink {
  readonly link: WireLink;
  readonly payload: Piece;
}

export function decodeEthernet(piece: Piece, decoding: Decoding): DecodedLink | undefined {
  if (!has(piece, HEADER_BYTES, 'an Ethernet header', decoding)) return undefined;
  const { bytes, view } = piece;
  const { payload, ...tags } = decodeVlanTags(view.getUint16(12), restOf(piece, HEADER_BYTES), decoding);
  return { link: { source: macAt(bytes, 6), destination: macAt(bytes, 0), ...tags }, payload };
}
