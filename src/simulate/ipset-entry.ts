import { addressToBits, familyOf, parseAddress } from '../net/address.ts';
import { parsePrefix } from '../net/prefix.ts';
import type { Ipset } from '../parse/ipset.ts';
import { IPSET_ICMP, IPSET_ICMPV6 } from './ipset-icmp.ts';
import { PROTOCOLS } from './nftables-symbols.ts';

/** The kinds of dimension that ipset's types are made of: `hash:ip,port,net` is ip, port, net. */
export type IpsetDimension = 'ip' | 'net' | 'port' | 'iface' | 'mark' | 'mac';

/** One part of an entry. */
export type IpsetPart =
  | { readonly kind: 'addresses'; readonly from: bigint; readonly to: bigint; readonly length: number }
  /** `protocol` undefined: any protocol that has ports (bitmap:port). For ICMP, type · 256 + code. */
  | { readonly kind: 'ports'; readonly protocol?: number; readonly from: number; readonly to: number }
  | { readonly kind: 'device'; readonly name: string; readonly bridgePort: boolean; readonly prefix: boolean }
  | { readonly kind: 'mark'; readonly value: number }
  | { readonly kind: 'mac'; readonly mac: string }
  /** bitmap:ip,mac without a MAC: the first packet of that address brings its own. */
  | { readonly kind: 'any' };

export interface IpsetEntry {
  /** A part that is not understood is undefined; the others can still say no. */
  readonly parts: readonly (IpsetPart | undefined)[];
  readonly nomatch: boolean;
  /** Prefix lengths of its networks, for the kernel's order: the narrowest that matches decides. */
  readonly lengths: readonly number[];
}

const KINDS = new Set<string>(['ip', 'net', 'port', 'iface', 'mark', 'mac']);

/** The dimensions of a type's name; undefined where the type is not known (or list:set, which has members instead). */
export function dimensionsOf(type: string): readonly IpsetDimension[] | undefined {
  const [store, kinds] = type.split(':');
  const names = (kinds ?? '').split(',');
  if ((store !== 'hash' && store !== 'bitmap') || !names.every((name) => KINDS.has(name))) return undefined;
  return names as IpsetDimension[];
}

export function readIpsetEntry(
  entry: Ipset['entries'][number],
  dimensions: readonly IpsetDimension[],
  family: 4 | 6,
): IpsetEntry {
  const parts = dimensions.map((dimension, index) => readPart(dimension, entry, index, family));
  const lengths = parts.flatMap((part) => (part?.kind === 'addresses' ? [part.length] : []));
  return { parts, nomatch: entry.nomatch, lengths };
}

function readPart(
  dimension: IpsetDimension,
  entry: Ipset['entries'][number],
  index: number,
  family: 4 | 6,
): IpsetPart | undefined {
  const field = entry.fields[index];
  if (field === undefined) return dimension === 'mac' && index > 0 ? { kind: 'any' } : undefined;
  switch (dimension) {
    case 'ip':
    case 'net':
      return readAddresses(field, family);
    case 'port':
      return readPorts(field);
    case 'iface':
      return readDevice(field, entry.wildcard === true);
    case 'mark':
      return /^(0x[0-9a-f]+|\d+)$/i.test(field) ? { kind: 'mark', value: Number(field) } : undefined;
    case 'mac':
      return { kind: 'mac', mac: field.toLowerCase() };
  }
}

function readAddresses(field: string, family: 4 | 6): IpsetPart | undefined {
  const width = family === 4 ? 32 : 128;
  const [first, last] = field.split('-');
  if (last !== undefined) {
    const [from, to] = [parseAddress(first!), parseAddress(last)];
    if (from === undefined || to === undefined || familyOf(from) !== family || familyOf(to) !== family)
      return undefined;
    return { kind: 'addresses', from: addressToBits(from), to: addressToBits(to), length: width };
  }
  const prefix = parsePrefix(field);
  if (!prefix || familyOf(prefix.address) !== family) return undefined;
  const rest = (1n << BigInt(width - prefix.length)) - 1n;
  const bits = addressToBits(prefix.address);
  return { kind: 'addresses', from: bits & ~rest, to: bits | rest, length: prefix.length };
}

/** `tcp:80`, `80`, `tcp:80-90`, `icmp:echo-request`, `icmp:3/4`, `vrrp:0`. */
function readPorts(field: string): IpsetPart | undefined {
  const [name, rest] = field.includes(':')
    ? [field.slice(0, field.indexOf(':')), field.slice(field.indexOf(':') + 1)]
    : [undefined, field];
  const protocol = name === undefined ? undefined : (PROTOCOLS[name] ?? numberOf(name));
  if (name !== undefined && protocol === undefined) return undefined;
  const range = name === 'icmp' || name === 'icmpv6' || name === 'ipv6-icmp' ? readIcmp(name, rest) : readRange(rest);
  return range && { kind: 'ports', ...(protocol === undefined ? {} : { protocol }), ...range };
}

function readRange(text: string): { from: number; to: number } | undefined {
  const [from, to] = text.split('-').map(numberOf);
  if (from === undefined) return undefined;
  return text.includes('-') ? (to !== undefined ? { from, to } : undefined) : { from, to: from };
}

function readIcmp(protocol: string, text: string): { from: number; to: number } | undefined {
  const named = (protocol === 'icmp' ? IPSET_ICMP : IPSET_ICMPV6)[text];
  const [type, code] = named ?? text.split('/').map(numberOf);
  if (type === undefined || code === undefined) return undefined;
  return { from: type * 256 + code, to: type * 256 + code };
}

function readDevice(field: string, prefix: boolean): IpsetPart {
  const bridgePort = field.startsWith('physdev:');
  return { kind: 'device', name: bridgePort ? field.slice('physdev:'.length) : field, bridgePort, prefix };
}

function numberOf(text: string): number | undefined {
  return /^\d+$/.test(text) ? Number(text) : undefined;
}
