import { addressToBits, familyOf } from '../../net/address.ts';
import { bytesOf, hex, number } from './bytes.ts';

/* Packets of protocols that a test machine's kernel may lack. tshark reads them, too, and verifies their checksums. */

const SOURCE = { 4: '10.77.1.2', 6: 'fd77:1::2' } as const;
const DESTINATION = { 4: '10.77.2.2', 6: 'fd77:2::2' } as const;

export const ETHERNET = (etherType: number, payload: Uint8Array): Uint8Array =>
  bytesOf(hex('020000770101 020000770102'), number(etherType, 2), payload);

export interface MadeIp {
  readonly source?: string;
  readonly destination?: string;
  readonly ttl?: number;
  readonly tos?: number;
  /** Flags and fragment offset as the header has them. */
  readonly fragment?: number;
  /** In place of the right one. */
  readonly totalLength?: number;
  readonly checksum?: number;
  readonly options?: Uint8Array;
}

export function ipv4(protocol: number, payload: Uint8Array, made: MadeIp = {}): Uint8Array {
  const options = made.options ?? new Uint8Array(0);
  const length = 20 + options.length;
  const header = bytesOf(
    0x40 + length / 4,
    made.tos ?? 0,
    number(made.totalLength ?? length + payload.length, 2),
    number(0x4d2, 2),
    number(made.fragment ?? 0x4000, 2),
    made.ttl ?? 64,
    protocol,
    number(0, 2),
    addressBytes(made.source ?? SOURCE[4]),
    addressBytes(made.destination ?? DESTINATION[4]),
    options,
  );
  return bytesOf(withChecksum(header, 10, 0, made.checksum), payload);
}

export function ipv6(nextHeader: number, payload: Uint8Array, made: MadeIp = {}): Uint8Array {
  return bytesOf(
    number(0x60000000 + (made.tos ?? 0) * 0x100000, 4),
    number(made.totalLength ?? payload.length, 2),
    nextHeader,
    made.ttl ?? 64,
    addressBytes(made.source ?? SOURCE[6]),
    addressBytes(made.destination ?? DESTINATION[6]),
    payload,
  );
}

/** `checksum`: 'partial' leaves it to the device, a number stands in its place. */
export interface MadeTransport {
  readonly family?: 4 | 6;
  readonly ports?: readonly [number, number];
  readonly checksum?: 'partial' | number;
}

export function udp(payload: Uint8Array, made: MadeTransport & { readonly length?: number } = {}): Uint8Array {
  const [source, destination] = made.ports ?? [40077, 8077];
  const length = 8 + payload.length;
  const message = bytesOf(
    number(source, 2),
    number(destination, 2),
    number(made.length ?? length, 2),
    number(0, 2),
    payload,
  );
  return withTransportChecksum(message, 6, 17, made);
}

export function tcp(
  payload: Uint8Array,
  made: MadeTransport & { readonly options?: Uint8Array; readonly flags?: number } = {},
): Uint8Array {
  const [source, destination] = made.ports ?? [40077, 8077];
  const options = made.options ?? new Uint8Array(0);
  const message = bytesOf(
    number(source, 2),
    number(destination, 2),
    number(0xfffffffe, 4),
    number(7, 4),
    number(((20 + options.length) / 4) * 0x1000 + (made.flags ?? 0x10), 2),
    number(501, 2),
    number(0, 4),
    options,
    payload,
  );
  return withTransportChecksum(message, 16, 6, made);
}

export function icmpEcho(id: number, sequence: number): Uint8Array {
  return withChecksum(bytesOf(8, 0, number(0, 2), number(id, 2), number(sequence, 2), hex('706f64')), 2, 0);
}

function withTransportChecksum(message: Uint8Array, at: number, protocol: number, made: MadeTransport): Uint8Array {
  const family = made.family ?? 4;
  const pseudo = bytesOf(
    addressBytes(SOURCE[family]),
    addressBytes(DESTINATION[family]),
    number(protocol, 4),
    number(message.length, 4),
  );
  if (made.checksum === 'partial') return withChecksum(message, at, 0, wordsOf(pseudo) % 0xffff);
  return withChecksum(message, at, wordsOf(pseudo), made.checksum);
}

export function withChecksum(message: Uint8Array, at: number, more: number, instead?: number): Uint8Array {
  const checksum = instead ?? 0xffff - ((wordsOf(message) + more) % 0xffff);
  return bytesOf(message.subarray(0, at), number(checksum, 2), message.subarray(at + 2));
}

/** By remainders, as RFC 1071 says one may, and not as the decoder does it. */
function wordsOf(bytes: Uint8Array): number {
  return bytes.reduce((sum, byte, index) => sum + (index % 2 === 0 ? byte * 256 : byte), 0);
}

export function addressBytes(address: string): Uint8Array {
  const digits = familyOf(address) === 4 ? 8 : 32;
  return hex(addressToBits(address).toString(16).padStart(digits, '0'));
}
