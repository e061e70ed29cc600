import { type Address, bitsToAddress } from '../net/address.ts';

/** The IPv4 address in four bytes at `at`, which must be there. */
export function ipv4At(bytes: Uint8Array, at: number): Address {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
}

/** The IPv6 address in sixteen bytes at `at`, which must be there. */
export function ipv6At(bytes: Uint8Array, at: number): Address {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, 16);
  return bitsToAddress((view.getBigUint64(0) << 64n) | view.getBigUint64(8), 6);
}

/** The six bytes at `at`, which must be there, as iproute2 writes them. */
export function macAt(bytes: Uint8Array, at: number): string {
  return Array.from(bytes.subarray(at, at + 6), (byte) => byte.toString(16).padStart(2, '0')).join(':');
}
