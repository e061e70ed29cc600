import { asNumber, asRecord } from '../parse/nft-node.ts';
import { jenkinsHash } from './jenkins-hash.ts';
import { type NftAlternative, type NftDatum, notKnown, numberOf, only } from './nftables-datum.ts';
import { widthOf } from './nftables-literal.ts';
import { chanceOf, UNDECIDED } from './truth.ts';

/** Values that a lot or a hash is unfolded into; beyond that it is undecided. */
const VALUES_MAX = 4096;

/**
 * `numgen` (net/netfilter/nft_numgen.c): each packet draws (`random`) or takes the next (`inc`). `symhash` (nft_hash.c)
 * and `jhash` of what is not known: one value, not known which.
 */
export function drawn(body: unknown, fork: 'random' | 'undecided', what: string): readonly NftAlternative[] {
  const modulus = asNumber(asRecord(body)?.mod) ?? 0;
  const offset = asNumber(asRecord(body)?.offset) ?? 0;
  if (modulus === 1) return only(numberOf('mark', offset));
  if (!Number.isInteger(modulus) || modulus < 1) return only(notKnown(what));
  const to = BigInt(offset) + BigInt(modulus) - 1n;
  if (modulus > VALUES_MAX) return only({ kind: 'span', type: 'mark', from: BigInt(offset), to, what });
  const chance = fork === 'random' ? chanceOf(1 / modulus) : UNDECIDED;
  return Array.from({ length: modulus }, (_, value) => ({ datum: numberOf('mark', offset + value), chance, fork }));
}

/**
 * `jhash EXPR mod M seed S` of known values is computed as the kernel does (jhash of include/linux/jhash.h over the
 * registers, scaled to the modulus), on a little-endian node. Without a seed the kernel has drawn one and does not tell.
 */
export function hashed(body: unknown, datum: NftDatum, what: string): readonly NftAlternative[] {
  const hash = asRecord(body) ?? {};
  const seed = asNumber(hash.seed);
  const modulus = asNumber(hash.mod) ?? 0;
  const bytes = registerBytes(datum);
  if (datum.kind === 'absent') return only(datum);
  if (seed === undefined || bytes === undefined || modulus < 2) return drawn(body, 'undecided', what);
  const words = wordsOf(bytes);
  const value = jenkinsHash(words, (seed + bytes.length - 4 * words.length) >>> 0);
  const scaled = (BigInt(value) * BigInt(modulus)) >> 32n;
  return only(numberOf('mark', scaled + BigInt(asNumber(hash.offset) ?? 0)));
}

/** The value as it lies in the registers: network order (a mark in the processor's own), each part of a concatenation filled up to four bytes. */
function registerBytes(datum: NftDatum): readonly number[] | undefined {
  if (datum.kind === 'concat') {
    const parts = datum.parts.map(registerBytes);
    if (parts.includes(undefined)) return undefined;
    return parts.flatMap((part) => [...part!, ...new Array<number>((4 - (part!.length % 4)) % 4).fill(0)]);
  }
  if (datum.kind !== 'number' || datum.undecided) return undefined;
  const width = widthOf(datum.type);
  if (width === undefined) return undefined;
  const bytes = Array.from({ length: width / 8 }, (_, index) =>
    Number((datum.value >> BigInt(width - 8 * (index + 1))) & 0xffn),
  );
  return datum.type === 'mark' ? bytes.toReversed() : bytes;
}

function wordsOf(bytes: readonly number[]): readonly number[] {
  const words: number[] = [];
  for (let at = 0; at < bytes.length; at += 4) {
    const [a = 0, b = 0, c = 0, d = 0] = bytes.slice(at, at + 4);
    words.push(a | (b << 8) | (c << 16) | (d << 24));
  }
  return words;
}
