import type { Decoding } from './decoding.ts';
import { has } from './decoding.ts';
import { type Piece, restOf } from './piece.ts';

/*
 *  Options, routing, mobility          Fragment (44)                       Authentication (51)
 *   0 next header                       0 next header                       0 next header
 *   1 length in eight bytes, less one   2 offset (13 bits), more (1)        1 length in words, less two
 *                                       4 identification
 *
 * Source: RFC 8200, 4; RFC 2675 (jumbo payload); RFC 4302 (authentication); RFC 6275 (mobility).
 */
export const HOP_BY_HOP = 0;
const ROUTING = 43;
const FRAGMENT = 44;
const AUTHENTICATION = 51;
const DESTINATION_OPTIONS = 60;
const MOBILITY = 135;
export const TCP_PROTOCOL = 6;

/** Types of routing headers, byte 2. Byte 3 is the number of segments left, and from byte 8 on there are addresses. */
const SOURCE_ROUTE = 0;
const HOME_ADDRESS = 2;
const SEGMENTS = 4;
const ROUTING_MIN_BYTES = 24;

const JUMBO_PAYLOAD = 0xc2;
/** Each may be there once, destination options twice; beyond this it is noise. */
const EXTENSIONS_MAX = 16;

export interface Extensions {
  /** Of all of them, in bytes. */
  readonly length: number;
  /** What follows them. */
  readonly protocol: number;
  readonly fragment?: { readonly id: number; readonly offset: number; readonly moreFragments: boolean };
  readonly jumboLength?: number;
  /** The address that a routing header still leads to, which transport checksums cover (RFC 8200, 8.1). */
  readonly finalDestination?: Uint8Array | 'unknown';
}

/** From the first next-header value on. Where they are cut off, `protocol` is the extension that was not there. */
export function decodeExtensions(first: number, payload: Piece, decoding: Decoding): Extensions {
  let found: Extensions = { length: 0, protocol: first };
  for (let count = 0; count < EXTENSIONS_MAX; count++) {
    const next = extensionAt(found, restOf(payload, found.length), decoding);
    if (!next) return found;
    found = next;
    /* A later fragment continues in the middle of something. */
    if (next.fragment && next.fragment.offset > 0) return found;
  }
  decoding.problems.push(`more than ${EXTENSIONS_MAX} IPv6 extension headers (byte ${payload.offset})`);
  return found;
}

/** With the next extension; undefined where none follows, or not wholly. */
function extensionAt(found: Extensions, piece: Piece, decoding: Decoding): Extensions | undefined {
  const { protocol } = found;
  const isExtension = [HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, DESTINATION_OPTIONS, MOBILITY].includes(protocol);
  if (!isExtension || !has(piece, 8, 'an IPv6 extension header', decoding)) return undefined;
  const { bytes, view } = piece;
  const length = lengthOf(protocol, bytes[1]!);
  if (!has(piece, length, 'an IPv6 extension header', decoding)) return undefined;
  const next = { ...found, length: found.length + length, protocol: bytes[0]! };
  if (protocol === FRAGMENT) {
    const word = view.getUint16(2);
    return { ...next, fragment: { id: view.getUint32(4), offset: word & 0xfff8, moreFragments: (word & 1) !== 0 } };
  }
  if (protocol === ROUTING && bytes[3]! > 0) {
    return { ...next, finalDestination: finalDestinationIn(bytes.subarray(0, length)) };
  }
  const jumboLength = protocol === HOP_BY_HOP ? jumboLengthIn(bytes.subarray(2, length)) : undefined;
  return { ...next, ...(jumboLength !== undefined && { jumboLength }) };
}

function lengthOf(protocol: number, field: number): number {
  if (protocol === FRAGMENT) return 8;
  return protocol === AUTHENTICATION ? Math.max((field + 2) * 4, 8) : (field + 1) * 8;
}

/** The last of the addresses (RFC 5095, RFC 6275), or, of segment routing, the first (RFC 8754); others compress them. */
function finalDestinationIn(routing: Uint8Array): Uint8Array | 'unknown' {
  const type = routing[2]!;
  if (routing.length < ROUTING_MIN_BYTES || ![SOURCE_ROUTE, HOME_ADDRESS, SEGMENTS].includes(type)) return 'unknown';
  return type === SEGMENTS ? routing.subarray(8, 24) : routing.subarray(-16);
}

/** Options are type, length, value; type 0 is a single byte of padding. */
function jumboLengthIn(options: Uint8Array): number | undefined {
  for (let at = 0; at < options.length; ) {
    const type = options[at]!;
    if (type === JUMBO_PAYLOAD && options[at + 1] === 4 && at + 6 <= options.length) {
      return new DataView(options.buffer, options.byteOffset + at + 2, 4).getUint32(0);
    }
    at += type === 0 ? 1 : 2 + (options[at + 1] ?? 0);
  }
  return undefined;
}
