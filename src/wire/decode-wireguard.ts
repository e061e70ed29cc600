import type { Piece } from './piece.ts';
import type { WireGuardMessage } from './wire-packet.ts';

/*
 *   0 type, three zero bytes
 *       1 initiation (148 bytes)   4 sender
 *       2 response (92)            4 sender     8 receiver
 *       3 cookie (64)              4 receiver
 *       4 data (32 and more)       4 receiver   8 counter
 *
 * Numbers are little-endian. Source: https://www.wireguard.com/protocol/, drivers/net/wireguard/messages.h.
 */
const TYPE_BYTES = 4;
const HEADER_BYTES = 12;
const DATA_MIN_BYTES = 32;

/** Of what is in a datagram of one of WireGuard's ports; undefined where its type and its length do not fit. */
export function decodeWireguard({ bytes, view, originalLength }: Piece): WireGuardMessage | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const first = view.getUint32(TYPE_BYTES, true);
  switch (view.getUint32(0, true)) {
    case 1:
      return originalLength === 148 ? { type: 'initiation', sender: first } : undefined;
    case 2:
      return originalLength === 92 ? { type: 'response', sender: first, receiver: view.getUint32(8, true) } : undefined;
    case 3:
      return originalLength === 64 ? { type: 'cookie', receiver: first } : undefined;
    case 4:
      return originalLength >= DATA_MIN_BYTES && originalLength % 16 === 0
        ? { type: 'data', receiver: first }
        : undefined;
    default:
      return undefined;
  }
}
