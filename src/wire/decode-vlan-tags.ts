import { type Decoding, has } from './decoding.ts';
import { type Piece, restOf } from './piece.ts';
import type { WireLink } from './wire-packet.ts';

/*
 *  After an EtherType of 0x8100 (802.1Q), 0x88a8 (802.1ad) or 0x9100 (before there was a standard for two tags):
 *   0 priority (3 bits), drop eligible (1), identifier (12)   2 next EtherType
 *
 * Source: IEEE 802.1Q, 9.
 */
const TAG_PROTOCOLS = [0x8100, 0x88a8, 0x9100];
const TAG_BYTES = 4;
/** Linux reads two and passes over further ones; a frame of nothing but tags is noise. */
const TAGS_MAX = 8;

export interface Untagged extends Pick<WireLink, 'etherType' | 'vlan' | 'innerVlan'> {
  readonly payload: Piece;
}

/** Goes on to the EtherType behind all tags; where that was cut off it is the tag's own. */
export function decodeVlanTags(etherType: number, payload: Piece, decoding: Decoding): Untagged {
  const identifiers: number[] = [];
  let next = { etherType, payload };
  while (TAG_PROTOCOLS.includes(next.etherType) && identifiers.length < TAGS_MAX) {
    if (!has(next.payload, TAG_BYTES, 'a VLAN tag', decoding)) break;
    const { view } = next.payload;
    identifiers.push(view.getUint16(0) & 0xfff);
    next = { etherType: view.getUint16(2), payload: restOf(next.payload, TAG_BYTES) };
  }
  const [vlan, innerVlan] = identifiers;
  return { ...next, ...(vlan !== undefined && { vlan }), ...(innerVlan !== undefined && { innerVlan }) };
}
