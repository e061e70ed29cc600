import { type Address, addressToBits, bitsToAddress } from '../net/address.ts';
import type { L4, Packet } from '../net/packet.ts';
import { type Prefix, parsePrefix, prefixContains } from '../net/prefix.ts';
import { DROP, type TargetEvaluator, type TargetOptions } from './iptables-target-types.ts';

/**
 * Prefix translation without state (RFC 6296; net/ipv6/netfilter/ip6t_NPT.c): another prefix, and one word of the rest is
 * changed so that checksums stay right. Also the address that an ICMP error quotes is turned back.
 */
export function compilePrefixTranslation(
  end: 'source' | 'destination',
  options: TargetOptions,
): TargetEvaluator | undefined {
  const from = parsePrefix(options.get('src-pfx')?.[0] ?? '');
  const to = parsePrefix(options.get('dst-pfx')?.[0] ?? '');
  if (!from || !to || options.size !== 2) return undefined;
  return ({ packet }) => {
    const mapped = mapPrefix(packet.ip[end], from, to);
    // The kernel sends a parameter problem besides.
    if (mapped === undefined) return DROP;
    const l4 = withQuoted(packet.l4, end, from, to);
    return { kind: 'continue', packet: { ...packet, ip: { ...packet.ip, [end]: mapped }, l4 } };
  };
}

/** What was sent to (or from) the other side's form of the prefix is quoted in this side's. */
function withQuoted(l4: L4, end: 'source' | 'destination', from: Prefix, to: Prefix): L4 {
  if (!('about' in l4) || !l4.about) return l4;
  const opposite = end === 'source' ? 'destination' : 'source';
  const address = l4.about.ip[opposite];
  const mapped = prefixContains(from, address) ? mapPrefix(address, from, to) : undefined;
  if (mapped === undefined) return l4;
  const about: Packet = { ...l4.about, ip: { ...l4.about.ip, [opposite]: mapped } };
  return { ...l4, about };
}

const WORDS = 8;
const ALL_ONES = 0xffff;
/** Prefixes up to this length have the word behind them changed, longer ones the first of the last four that may be. */
const SHORT_PREFIX = 48;

/** Undefined where no word can take the difference. */
function mapPrefix(address: Address, from: Prefix, to: Prefix): Address | undefined {
  const length = Math.max(from.length, to.length);
  const hostBits = (1n << BigInt(128 - length)) - 1n;
  const prefixBits = addressToBits(to.address) & ~hostBits;
  const words = wordsOf(prefixBits | (addressToBits(address) & hostBits));
  const index = length <= SHORT_PREFIX ? 3 : words.findIndex((word, at) => at >= 4 && word !== ALL_ONES);
  if (index < 0) return undefined;
  const changed = addOnes(words[index]!, adjustment(from, to));
  words[index] = changed === ALL_ONES ? 0 : changed;
  return bitsToAddress(
    words.reduce((bits, word) => (bits << 16n) | BigInt(word), 0n),
    6,
  );
}

/** The difference of both prefixes' sums, in one's complement. */
function adjustment(from: Prefix, to: Prefix): number {
  const sum = (prefix: Prefix): number => wordsOf(addressToBits(prefix.address)).reduce(addOnes, 0);
  return addOnes(sum(from), sum(to) ^ ALL_ONES);
}

function addOnes(a: number, b: number): number {
  const sum = a + b;
  return (sum & ALL_ONES) + (sum >> 16);
}

function wordsOf(bits: bigint): number[] {
  return Array.from({ length: WORDS }, (_, index) => Number((bits >> BigInt(16 * (WORDS - 1 - index))) & 0xffffn));
}
