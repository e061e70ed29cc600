import { addressToBits, type Family, familyOf, parseAddress } from '../net/address.ts';
import { asRecord, nftNode } from '../parse/nft-node.ts';
import { portInRange } from './ephemeral-port.ts';
import type { NftDatum, NftType } from './nftables-datum.ts';
import { SYMBOLS } from './nftables-symbols.ts';
import type { Truth } from './trace.ts';
import { and, truth } from './truth.ts';

/** What a rule or a set compares with: a literal of nft's JSON, read as its left side's type. */
export type NftPattern =
  | { readonly kind: 'span'; readonly from: bigint; readonly to: bigint }
  /** `prefix`: the literal ended in `*`. */
  | { readonly kind: 'text'; readonly text: string; readonly prefix: boolean }
  /** A device by its number, as nft prints one that is gone. */
  | { readonly kind: 'index'; readonly index: number }
  /** A part that is not understood is undefined; the others can still say no. */
  | { readonly kind: 'concat'; readonly parts: readonly (NftPattern | undefined)[] };

/** Undefined where the literal is not understood. */
export function readLiteral(literal: unknown, type: NftType): NftPattern | undefined {
  if (type === 'ifname' || type === 'ifindex') return readName(literal, type);
  const single = readNumber(literal, type);
  if (single !== undefined) return { kind: 'span', from: single, to: single };
  const node = nftNode(literal);
  if (node?.kind === 'range') return readRange(node.body, type);
  if (node?.kind === 'prefix') return readPrefix(node.body, type);
  return undefined;
}

/** A concatenation's literal beside the types of its key's parts. */
export function readConcatLiteral(literal: unknown, types: readonly NftType[]): NftPattern | undefined {
  const node = nftNode(literal);
  if (node?.kind !== 'concat' || !Array.isArray(node.body) || node.body.length !== types.length) return undefined;
  const parts = node.body as readonly unknown[];
  return { kind: 'concat', parts: types.map((type, index) => readLiteral(parts[index], type)) };
}

/** A single value as a number: address, symbol, number, or bits joined by `|` or in a list. */
export function readNumber(literal: unknown, type: NftType): bigint | undefined {
  if (typeof literal === 'number') return Number.isInteger(literal) ? BigInt(literal) : undefined;
  if (typeof literal === 'string') return readSymbol(literal, type);
  if (typeof literal === 'boolean') return literal ? 1n : 0n;
  if (Array.isArray(literal)) return readBits(literal, type);
  const node = nftNode(literal);
  if (node?.kind === '|' && Array.isArray(node.body)) return readBits(node.body, type);
  return undefined;
}

function readBits(items: readonly unknown[], type: NftType): bigint | undefined {
  let bits = 0n;
  for (const item of items) {
    const value = readNumber(item, type);
    if (value === undefined) return undefined;
    bits |= value;
  }
  return items.length === 0 ? undefined : bits;
}

function readSymbol(text: string, type: NftType): bigint | undefined {
  if (type === 'ipv4_addr') return readAddress(text, 4);
  if (type === 'ipv6_addr') return readAddress(text, 6);
  if (type === 'ether_addr') return readMac(text);
  const symbol = SYMBOLS[type]?.[text];
  if (symbol !== undefined) return BigInt(symbol);
  // nft 1.0.6 prints so what its own table of types lacks (`ct original proto-dst { 53, 80 }`).
  const number = text.endsWith(' [invalid type]') ? text.slice(0, -' [invalid type]'.length) : text;
  return /^(\d+|0x[0-9a-f]+)$/i.test(number) ? BigInt(number) : undefined;
}

function readAddress(text: string, family: Family): bigint | undefined {
  const address = parseAddress(text);
  return address !== undefined && familyOf(address) === family ? addressToBits(address) : undefined;
}

function readMac(text: string): bigint | undefined {
  return /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text) ? BigInt(`0x${text.replaceAll(':', '')}`) : undefined;
}

/** nft prints a device's index as its name, or as a number where no device has it. */
function readName(literal: unknown, type: 'ifname' | 'ifindex'): NftPattern | undefined {
  if (typeof literal === 'number') return { kind: 'index', index: literal };
  if (typeof literal !== 'string') return undefined;
  if (type === 'ifindex') {
    return /^\d+$/.test(literal)
      ? { kind: 'index', index: Number(literal) }
      : { kind: 'text', text: literal, prefix: false };
  }
  if (literal.endsWith('\\*')) return { kind: 'text', text: `${literal.slice(0, -2)}*`, prefix: false };
  if (literal.endsWith('*')) return { kind: 'text', text: literal.slice(0, -1), prefix: true };
  return { kind: 'text', text: literal, prefix: false };
}

function readRange(body: unknown, type: NftType): NftPattern | undefined {
  if (!Array.isArray(body) || body.length !== 2) return undefined;
  const from = readNumber(body[0], type);
  const to = readNumber(body[1], type);
  return from === undefined || to === undefined ? undefined : { kind: 'span', from, to };
}

function readPrefix(body: unknown, type: NftType): NftPattern | undefined {
  const prefix = asRecord(body);
  const address = readNumber(prefix?.addr, type);
  const width = WIDTHS[type];
  const length = prefix?.len;
  if (address === undefined || width === undefined || typeof length !== 'number') return undefined;
  if (!Number.isInteger(length) || length < 0 || length > width) return undefined;
  const rest = (1n << BigInt(width - length)) - 1n;
  return { kind: 'span', from: address & ~rest, to: address | rest };
}

const WIDTHS: Partial<Readonly<Record<NftType, number>>> = {
  ipv4_addr: 32,
  ipv6_addr: 128,
  mark: 32,
  ether_addr: 48,
  inet_service: 16,
  inet_proto: 8,
};

/** Bits of a value of this type; undefined where they are not told here. */
export function widthOf(type: NftType): number | undefined {
  return WIDTHS[type];
}

/** Is the datum what the pattern says? A datum that is absent never gets here: its rule was left. */
export function matchesPattern(datum: NftDatum, pattern: NftPattern | undefined): Truth {
  if (!pattern) return 'unknown';
  if (pattern.kind === 'concat') {
    if (datum.kind !== 'concat') return 'unknown';
    return and(...pattern.parts.map((part, index) => matchesPattern(datum.parts[index]!, part)));
  }
  if (datum.kind === 'text') return matchesText(datum, pattern);
  const limits = limitsOf(datum);
  if (!limits || pattern.kind !== 'span') return 'unknown';
  if (limits.to < pattern.from || limits.from > pattern.to) return 'no';
  if (pattern.from <= limits.from && limits.to <= pattern.to) return 'yes';
  if (datum.kind === 'span' && datum.type === 'inet_service') return chosenPortIn(pattern, limits);
  const sure = datum.kind === 'number' && pattern.from === pattern.to;
  return sure && ((datum.value ^ pattern.from) & ~(datum.undecided ?? 0n)) !== 0n ? 'no' : 'unknown';
}

function matchesText(datum: NftDatum & { kind: 'text' }, pattern: NftPattern): Truth {
  if (pattern.kind === 'text') return matchesName(datum.text, pattern);
  if (pattern.kind !== 'index') return 'unknown';
  const index = datum.text === '' ? 0 : datum.index;
  return index === undefined ? 'unknown' : truth(index === pattern.index);
}

function matchesName(name: string, pattern: NftPattern & { kind: 'text' }): Truth {
  return truth(pattern.prefix ? name.startsWith(pattern.text) : name === pattern.text);
}

/** A port that the kernel chooses. */
function chosenPortIn(pattern: Limits, limits: Limits): Truth {
  const chosenFrom = { from: Number(limits.from), to: Number(limits.to) };
  return portInRange('ephemeral', { from: Number(pattern.from), to: Number(pattern.to) }, chosenFrom);
}

interface Limits {
  readonly from: bigint;
  readonly to: bigint;
}

/** The least and the greatest value that the datum can have. */
export function limitsOf(datum: NftDatum): Limits | undefined {
  if (datum.kind === 'span') return datum;
  if (datum.kind !== 'number') return undefined;
  const undecided = datum.undecided ?? 0n;
  return { from: datum.value & ~undecided, to: datum.value | undecided };
}
