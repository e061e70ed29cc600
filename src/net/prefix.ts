import {
  type Address,
  addressToBits,
  bitsToAddress,
  type Family,
  familyOf,
  parseAddress,
  parseIpv4,
} from './address.ts';

/** An IP prefix (RFC 4632, RFC 4291 §2.3). `address` may have host bits set, as in an interface's address. */
export interface Prefix {
  readonly address: Address;
  readonly length: number;
}

/** `10.0.0.0/8`, or a bare address as a host prefix; undefined where it is neither. */
export function parsePrefix(text: string): Prefix | undefined {
  const slash = text.indexOf('/');
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (!address) return undefined;
  const longest = familyOf(address) === 4 ? 32 : 128;
  if (slash < 0) return { address, length: longest };
  const length = Number(text.slice(slash + 1));
  if (!/^\d{1,3}$/.test(text.slice(slash + 1)) || length > longest) return undefined;
  return { address, length };
}

export function formatPrefix(prefix: Prefix): string {
  return `${prefix.address}/${prefix.length}`;
}

export function prefixFamily(prefix: Prefix): Family {
  return familyOf(prefix.address);
}

export function prefixContains(prefix: Prefix, address: Address): boolean {
  const family = familyOf(prefix.address);
  if (familyOf(address) !== family) return false;
  if (family === 4) {
    const step = 2 ** (32 - prefix.length);
    return Math.floor(ipv4Of(prefix.address) / step) === Math.floor(ipv4Of(address) / step);
  }
  const shift = BigInt(128 - prefix.length);
  return addressToBits(prefix.address) >> shift === addressToBits(address) >> shift;
}

/** The same as a test that is made ready once, for rules that thousands of packets are held against. */
export function prefixMatcher(prefix: Prefix): (address: Address) => boolean {
  const family = familyOf(prefix.address);
  if (prefix.length === (family === 4 ? 32 : 128)) return (address) => address === prefix.address;
  if (family === 6) return (address) => prefixContains(prefix, address);
  const step = 2 ** (32 - prefix.length);
  const network = Math.floor(ipv4Of(prefix.address) / step);
  return (address) => {
    const value = parseIpv4(address);
    return value !== undefined && Math.floor(value / step) === network;
  };
}

function ipv4Of(address: Address): number {
  const value = parseIpv4(address);
  if (value === undefined) throw new RangeError(`not an address: ${address}`);
  return value;
}

/** The prefix with its host bits cleared. */
export function networkOf(prefix: Prefix): Prefix {
  const family = familyOf(prefix.address);
  const shift = BigInt((family === 4 ? 32 : 128) - prefix.length);
  return { address: bitsToAddress((addressToBits(prefix.address) >> shift) << shift, family), length: prefix.length };
}

export function prefixesOverlap(a: Prefix, b: Prefix): boolean {
  return a.length <= b.length ? prefixContains(a, b.address) : prefixContains(b, a.address);
}
