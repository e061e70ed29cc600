import { bitsToAddress, parseAddress } from '../net/address.ts';
import { nftNode } from '../parse/nft-node.ts';
import type { NftDatum, NftType } from './nftables-datum.ts';
import { readNumber } from './nftables-literal.ts';

/*
 * A single value as a text by which a set's elements are found: addresses as nft prints them, so that the element's own
 * string serves; other numbers in decimals; names of devices quoted. A concatenation joins its parts.
 */

/** Undefined where the datum is not one certain value. */
export function exactKeyOf(key: NftDatum): string | undefined {
  if (key.kind === 'number') return key.undecided ? undefined : numberKey(key.value, key.type);
  if (key.kind === 'text') return `"${key.text}`;
  if (key.kind !== 'concat') return undefined;
  let joined = '';
  for (const part of key.parts) {
    const one = exactKeyOf(part);
    if (one === undefined) return undefined;
    joined += `${one}|`;
  }
  return joined;
}

function numberKey(value: bigint, type: NftType): string {
  if (type === 'ipv4_addr') return bitsToAddress(value, 4);
  return type === 'ipv6_addr' ? bitsToAddress(value, 6) : String(value);
}

/** Undefined where the literal is not one certain value of this type. */
export function exactKeyOfLiteral(literal: unknown, types: readonly NftType[], concat: boolean): string | undefined {
  if (!concat) return keyOfOne(literal, types[0]!);
  const node = nftNode(literal);
  if (node?.kind !== 'concat' || !Array.isArray(node.body) || node.body.length !== types.length) return undefined;
  let joined = '';
  for (let index = 0; index < types.length; index++) {
    const one = keyOfOne(node.body[index], types[index]!);
    if (one === undefined) return undefined;
    joined += `${one}|`;
  }
  return joined;
}

function keyOfOne(literal: unknown, type: NftType): string | undefined {
  switch (type) {
    case 'ipv4_addr':
      return typeof literal === 'string' && /^[0-9.]+$/.test(literal) ? literal : undefined;
    case 'ipv6_addr':
      return typeof literal === 'string' ? parseAddress(literal) : undefined;
    case 'ifindex':
      return typeof literal === 'string' && !/^\d+$/.test(literal) ? `"${literal}` : undefined;
    case 'ifname':
      return typeof literal === 'string' && !literal.endsWith('*') ? `"${literal}` : undefined;
    default: {
      if (typeof literal === 'number' && Number.isSafeInteger(literal)) return String(literal);
      const value = readNumber(literal, type);
      return value === undefined ? undefined : String(value);
    }
  }
}
