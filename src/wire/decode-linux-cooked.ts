import { macAt } from './address-at.ts';
import type { DecodedLink } from './decode-ethernet.ts';
import { decodeVlanTags } from './decode-vlan-tags.ts';
import { type Decoding, has } from './decoding.ts';
import { type Piece, restOf } from './piece.ts';
import type { WireLink } from './wire-packet.ts';

/*
 *  SLL (tcpdump -i any until 2022)      SLL2
 *   0 packet type                        0 EtherType
 *   2 ARPHRD_ type                       4 index of the device
 *   4 length of the address              8 ARPHRD_ type
 *   6 sender's link-layer address       10 packet type
 *  14 EtherType                         11 length of the address
 *                                       12 sender's link-layer address
 *
 * Source: https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html and LINKTYPE_LINUX_SLL2.html.
 */
const SLL_BYTES = 16;
const SLL2_BYTES = 20;
const MAC_BYTES = 6;
const ARPHRD_NETLINK = 824;
const PACKET_TYPES = ['host', 'broadcast', 'multicast', 'other-host', 'outgoing'] as const;

export function decodeSll(piece: Piece, decoding: Decoding): DecodedLink | undefined {
  if (!has(piece, SLL_BYTES, 'a cooked header', decoding)) return undefined;
  const { view } = piece;
  const payload = restOf(piece, SLL_BYTES);
  const source = sourceOf(piece, 6, view.getUint16(4));
  return cooked(
    view.getUint16(14),
    view.getUint16(2),
    payload,
    { ...source, ...packetType(view.getUint16(0)) },
    decoding,
  );
}

export function decodeSll2(piece: Piece, decoding: Decoding): DecodedLink | undefined {
  if (!has(piece, SLL2_BYTES, 'a cooked header', decoding)) return undefined;
  const { bytes, view } = piece;
  const source = sourceOf(piece, 12, bytes[11]!);
  const link = { deviceIndex: view.getUint32(4), ...source, ...packetType(bytes[10]!) };
  return cooked(view.getUint16(0), view.getUint16(8), restOf(piece, SLL2_BYTES), link, decoding);
}

/** On a netlink monitor the EtherType is a family, and its messages are no packets. */
function cooked(
  etherType: number,
  hardware: number,
  payload: Piece,
  link: Omit<WireLink, 'etherType'>,
  decoding: Decoding,
): DecodedLink | undefined {
  if (hardware === ARPHRD_NETLINK) return undefined;
  const { payload: untagged, ...tags } = decodeVlanTags(etherType, payload, decoding);
  return { link: { ...link, ...tags }, payload: untagged };
}

function sourceOf({ bytes }: Piece, at: number, length: number): Pick<WireLink, 'source'> {
  return length === MAC_BYTES ? { source: macAt(bytes, at) } : {};
}

function packetType(code: number): Pick<WireLink, 'packetType'> {
  const type = PACKET_TYPES[code];
  return type ? { packetType: type } : {};
}
