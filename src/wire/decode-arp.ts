import { ipv4At, macAt } from './address-at.ts';
import { type Decoding, has } from './decoding.ts';
import type { Piece } from './piece.ts';
import type { WireArp } from './wire-packet.ts';

/*
 *   0 hardware type (1 Ethernet)   2 protocol type (0x0800 IPv4)   4 lengths of both addresses (6, 4)   6 operation
 *   8 sender: hardware, protocol  18 target: hardware, protocol
 *
 * Source: RFC 826. ARP of other hardware or protocols is passed over.
 */
const BYTES = 28;
const ETHERNET_AND_IPV4 = 0x0001_0800;
const LENGTHS = 0x0604;

export function decodeArp(piece: Piece, decoding: Decoding): WireArp | undefined {
  if (!has(piece, BYTES, 'an ARP message', decoding)) return undefined;
  const { bytes, view } = piece;
  if (view.getUint32(0) !== ETHERNET_AND_IPV4 || view.getUint16(4) !== LENGTHS) return undefined;
  return {
    operation: view.getUint16(6),
    senderMac: macAt(bytes, 8),
    senderAddress: ipv4At(bytes, 14),
    targetMac: macAt(bytes, 18),
    targetAddress: ipv4At(bytes, 24),
  };
}
