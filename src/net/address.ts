/**
 * IP addresses as canonical strings, so that `===` is equality: dotted quad for IPv4 (RFC 791), RFC 5952 for IPv6.
 * An IPv4-mapped IPv6 address stays IPv6 (`::ffff:192.0.2.1`).
 */
export type Address = string & { readonly brand?: 'address' };
export type Family = 4 | 6;

/** Canonical form of `text`, or undefined where it is no address. A zone (`%eth0`) is not accepted. */
export function parseAddress(text: string): Address | undefined {
  if (text.includes(':')) return formatIpv6(parseIpv6Groups(text));
  const value = parseIpv4(text);
  return value === undefined ? undefined : formatIpv4(value);
}

export function familyOf(address: Address): Family {
  return address.includes(':') ? 6 : 4;
}

/** The address as an unsigned number of 32 (IPv4) or 128 (IPv6) bits. Throws RangeError on text that is no address. */
export function addressToBits(address: Address): bigint {
  if (!address.includes(':')) {
    const value = parseIpv4(address);
    if (value === undefined) throw new RangeError(`not an address: ${address}`);
    return BigInt(value);
  }
  const former = ipv6Bits.get(address);
  if (former !== undefined) return former;
  const groups = parseIpv6Groups(address);
  if (!groups) throw new RangeError(`not an address: ${address}`);
  const bits = groups.reduce((all, group) => (all << 16n) | BigInt(group), 0n);
  if (ipv6Bits.size >= IPV6_BITS_MAX) ipv6Bits.clear();
  ipv6Bits.set(address, bits);
  return bits;
}

/** A walk asks for the same few addresses over and over. */
const ipv6Bits = new Map<Address, bigint>();
const IPV6_BITS_MAX = 4096;

export function bitsToAddress(bits: bigint, family: Family): Address {
  if (family === 4) return formatIpv4(Number(bits & 0xffff_ffffn));
  const groups: number[] = [];
  for (let shift = 112n; shift >= 0n; shift -= 16n) groups.push(Number((bits >> shift) & 0xffffn));
  return formatIpv6(groups)!;
}

const DOT = 46;
const ZERO = 48;

/** Four decimal octets without leading zeros, as an unsigned number of 32 bits. A walk does this some hundred times. */
export function parseIpv4(text: string): number | undefined {
  let value = 0;
  let octet = 0;
  let digits = 0;
  let dots = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === DOT) {
      if (digits === 0 || ++dots > 3) return undefined;
      value = value * 256 + octet;
      octet = 0;
      digits = 0;
      continue;
    }
    if (code < ZERO || code > ZERO + 9 || (digits > 0 && octet === 0)) return undefined;
    octet = octet * 10 + (code - ZERO);
    digits++;
    if (octet > 255) return undefined;
  }
  return dots === 3 && digits > 0 ? value * 256 + octet : undefined;
}

function formatIpv4(value: number): Address {
  return `${(value >>> 24) & 255}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
}

function parseIpv6Groups(text: string): number[] | undefined {
  let rest = text;
  const tail: number[] = [];
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (dotted) {
    const value = parseIpv4(dotted[2]!);
    if (value === undefined) return undefined;
    tail.push((value >>> 16) & 0xffff, value & 0xffff);
    rest = dotted[1]!.endsWith('::') ? dotted[1]! : dotted[1]!.slice(0, -1);
  }
  const halves = rest.split('::');
  if (halves.length > 2) return undefined;
  const head = groupsOf(halves[0]!);
  const back = halves.length === 2 ? groupsOf(halves[1]!) : [];
  if (!head || !back) return undefined;
  const known = head.length + back.length + tail.length;
  if (halves.length === 1) return known === 8 ? [...head, ...back, ...tail] : undefined;
  if (known > 7) return undefined;
  return [...head, ...new Array<number>(8 - known).fill(0), ...back, ...tail];
}

function groupsOf(text: string): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  for (const part of text.split(':')) {
    if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined;
    groups.push(Number.parseInt(part, 16));
  }
  return groups;
}

function formatIpv6(groups: number[] | undefined): Address | undefined {
  if (!groups) return undefined;
  if (groups.slice(0, 5).every((g) => g === 0) && groups[5] === 0xffff) {
    return `::ffff:${formatIpv4(((groups[6]! << 16) | groups[7]!) >>> 0)}`;
  }
  let bestStart = -1;
  let bestLength = 1;
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === 0) length++;
    if (length > bestLength) {
      bestStart = start;
      bestLength = length;
    }
  }
  const hex = groups.map((g) => g.toString(16));
  if (bestStart < 0) return hex.join(':');
  return `${hex.slice(0, bestStart).join(':')}::${hex.slice(bestStart + bestLength).join(':')}`;
}
