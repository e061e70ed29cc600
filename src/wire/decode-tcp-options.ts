import type { Decoding } from './decoding.ts';
import type { WireTcp } from './wire-packet.ts';

/*
 *  Kind (8 bits), length with both (8), value; kinds 0 (end) and 1 (padding) are a single byte.
 *
 * Source: RFC 9293, 3.2; RFC 7323 (window scale, timestamps); RFC 2018 (selective acknowledgment).
 */
const END = 0;
const PADDING = 1;
const MSS = 2;
const WINDOW_SCALE = 3;
const SACK_PERMITTED = 4;
const SACK = 5;
const TIMESTAMPS = 8;

export type TcpOptions = Pick<WireTcp, 'mss' | 'windowScale' | 'sackPermitted' | 'sacks' | 'timestamps'>;

/** Those that are understood. `isAll`: the options were captured to their end. */
export function decodeTcpOptions(options: Uint8Array, isAll: boolean, decoding: Decoding): TcpOptions {
  let found: TcpOptions = {};
  for (let at = 0; at < options.length; ) {
    const kind = options[at]!;
    if (kind === END) break;
    if (kind === PADDING) {
      at++;
      continue;
    }
    const length = options[at + 1] ?? 0;
    if (length < 2 || at + length > options.length) {
      if (isAll) decoding.problems.push(`a TCP option of ${length} bytes where ${options.length - at} are left`);
      break;
    }
    found = { ...found, ...optionIn(kind, options.subarray(at + 2, at + length)) };
    at += length;
  }
  return found;
}

function optionIn(kind: number, value: Uint8Array): TcpOptions {
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  if (kind === MSS && value.length === 2) return { mss: view.getUint16(0) };
  if (kind === WINDOW_SCALE && value.length === 1) return { windowScale: value[0]! };
  if (kind === SACK_PERMITTED && value.length === 0) return { sackPermitted: true };
  if (kind === TIMESTAMPS && value.length === 8)
    return { timestamps: { value: view.getUint32(0), echo: view.getUint32(4) } };
  if (kind === SACK && value.length % 8 === 0) return { sacks: sacksIn(view) };
  return {};
}

function sacksIn(view: DataView): { left: number; right: number }[] {
  return Array.from({ length: view.byteLength / 8 }, (_, index) => ({
    left: view.getUint32(index * 8),
    right: view.getUint32(index * 8 + 4),
  }));
}
