import type { Carrier } from './carrier.ts';
import { ETHERNET_IN_TUNNEL } from './carrier.ts';
import { type Piece, restOf } from './piece.ts';

/*
 *   0 flags (0x08: the VNI is valid; 0x04: generic protocol extension)   3 next protocol, with that extension
 *   4 VNI (24 bits)   8 payload
 *
 * Source: RFC 7348, 5; draft-ietf-nvo3-vxlan-gpe, 3.
 */
const HEADER_BYTES = 8;
const VALID = 0x08;
const GENERIC = 0x04;
const NEXT_PROTOCOLS: Readonly<Record<number, number>> = { 1: 0x0800, 2: 0x86dd, 3: ETHERNET_IN_TUNNEL };

/** Of what is in a datagram to one of VXLAN's ports; undefined where it is something else, which Linux drops. */
export function decodeVxlan(datagram: Piece): Carrier | undefined {
  const { bytes, view } = datagram;
  if (bytes.length < HEADER_BYTES || (bytes[0]! & VALID) === 0) return undefined;
  return {
    tunnel: { kind: 'vxlan', vni: view.getUint32(4) >>> 8 },
    carries: (bytes[0]! & GENERIC) === 0 ? ETHERNET_IN_TUNNEL : (NEXT_PROTOCOLS[bytes[3]!] ?? 0),
    payload: restOf(datagram, HEADER_BYTES),
  };
}
