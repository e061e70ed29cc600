import type { Chance } from './trace.ts';
import { CERTAIN } from './truth.ts';

/** nft's data types as far as literals of them are read here (nft(8) "Data types"). */
export type NftType =
  | 'ipv4_addr'
  | 'ipv6_addr'
  | 'ether_addr'
  | 'inet_proto'
  | 'inet_service'
  | 'ifname'
  | 'ifindex'
  | 'mark'
  | 'ct_state'
  | 'ct_status'
  | 'ct_dir'
  | 'fib_addrtype'
  | 'tcp_flag'
  | 'icmp_type'
  | 'icmp_code'
  | 'icmpv6_type'
  | 'icmpv6_code'
  | 'nf_proto'
  | 'ether_type'
  | 'pkt_type'
  | 'dscp'
  | 'ecn'
  | 'arphrd'
  | 'devgroup'
  | 'arp_op'
  | 'uid'
  | 'integer';

/** What an expression of a rule gives for this packet. */
export type NftDatum =
  /** `undecided`: bits of the value that are not known. */
  | { readonly kind: 'number'; readonly type: NftType; readonly value: bigint; readonly undecided?: bigint }
  /** One value, not known which, from `from` to `to` inclusive. */
  | { readonly kind: 'span'; readonly type: NftType; readonly from: bigint; readonly to: bigint; readonly what: string }
  /** A name, of a device with its index where that is known. */
  | { readonly kind: 'text'; readonly type: 'ifname' | 'ifindex'; readonly text: string; readonly index?: number }
  | { readonly kind: 'concat'; readonly parts: readonly NftDatum[] }
  /** A map's right side, still in libnftables' JSON: its type is known only to whoever uses it. */
  | { readonly kind: 'literal'; readonly literal: unknown }
  /** The packet has no such thing, so the kernel leaves the rule (NFT_BREAK), whatever the operator. */
  | { readonly kind: 'absent' }
  | { readonly kind: 'unknown'; readonly what: string };

/** One value that an expression can have, and how likely. Several where it draws lots or hashes. */
export interface NftAlternative {
  readonly datum: NftDatum;
  readonly chance: Chance;
  readonly fork?: 'random' | 'undecided';
}

export const ABSENT: NftDatum = { kind: 'absent' };

export function numberOf(type: NftType, value: bigint | number): NftDatum {
  return { kind: 'number', type, value: BigInt(value) };
}

export function nameOf(device: string): NftDatum {
  return { kind: 'text', type: 'ifname', text: device };
}

/** A device by its index; '' is index 0, no device. */
export function indexOf(device: string, index: number | undefined): NftDatum {
  return { kind: 'text', type: 'ifindex', text: device, ...(index === undefined ? {} : { index }) };
}

export function notKnown(what: string): NftDatum {
  return { kind: 'unknown', what };
}

export function only(datum: NftDatum): readonly NftAlternative[] {
  return [{ datum, chance: CERTAIN }];
}

/** Of ways that exclude each other, the chance that one of them is taken; thirty times 0.01 is 0.3. */
export function together(chances: readonly Chance[]): Chance {
  if (chances.length === 1) return chances[0]!;
  const sum = (side: 'min' | 'max'): number => {
    const total = chances.reduce((all, chance) => all + chance[side], 0);
    return Math.min(1, Math.round(total * 1e12) / 1e12);
  };
  return { min: sum('min'), max: sum('max') };
}

/** What keeps the datum from being known, in words; empty where it is known. */
export function doubtsOf(datum: NftDatum): readonly string[] {
  switch (datum.kind) {
    case 'unknown':
    case 'span':
      return [datum.what];
    case 'number':
      return datum.undecided ? [datum.type] : [];
    case 'concat':
      return datum.parts.flatMap(doubtsOf);
    default:
      return [];
  }
}
