import type { Carrier } from './carrier.ts';
import { type Piece, restOf } from './piece.ts';
import type { GeneveOption } from './wire-packet.ts';

/*
 *   0 version (2 bits), length of the options in words (6)   1 flags   2 EtherType of the payload   4 VNI (24 bits)
 *   8 options, each:
 *       0 class   2 type (its highest bit: critical)   3 length of the data in words (5 bits)   4 data
 *
 * Source: RFC 8926, 3.4 and 3.5.
 */
const HEADER_BYTES = 8;
const OPTION_HEADER_BYTES = 4;

/** Of what is in a datagram to port 6081; undefined where it is something else. */
export function decodeGeneve(datagram: Piece): Carrier | undefined {
  const { bytes, view } = datagram;
  if (bytes.length < HEADER_BYTES || bytes[0]! >> 6 !== 0) return undefined;
  const length = HEADER_BYTES + (bytes[0]! & 0x3f) * 4;
  const options = optionsIn(bytes.subarray(HEADER_BYTES, length));
  return {
    tunnel: { kind: 'geneve', vni: view.getUint32(4) >>> 8 },
    ...(options.length > 0 && { geneveOptions: options }),
    carries: view.getUint16(2),
    payload: restOf(datagram, length),
  };
}

function optionsIn(bytes: Uint8Array): GeneveOption[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const options: GeneveOption[] = [];
  for (let at = 0; at + OPTION_HEADER_BYTES <= bytes.length; ) {
    const dataLength = (bytes[at + 3]! & 0x1f) * 4;
    const end = at + OPTION_HEADER_BYTES + dataLength;
    if (end > bytes.length) break;
    options.push({
      optionClass: view.getUint16(at),
      type: bytes[at + 2]! & 0x7f,
      critical: bytes[at + 2]! >= 0x80,
      data: bytes.subarray(at + OPTION_HEADER_BYTES, end),
    });
    at = end;
  }
  return options;
}
