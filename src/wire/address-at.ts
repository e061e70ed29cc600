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

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** The six bytes at `at`, which must be there, as iproute2 writes them. Each frame has some: hence the table. */
export function macAt(bytes: Uint8Array, at: number): string {
  let text = HEX[bytes[at]!]!;
  for (let index = at + 1; index < at + 6; index++) text += `:${HEX[bytes[index]!]}`;
  return text;
}
