import { type Address, addressToBits, familyOf } from '../net/address.ts';
import type { Packet } from '../net/packet.ts';
import { numberOf } from './iptables-match-types.ts';
import { protocolNumber } from './iptables-protocols.ts';
import {
  numberOption,
  onlyOptions,
  type TargetEvaluator,
  type TargetOptions,
  UNMODELLED,
} from './iptables-target-types.ts';
import { jenkinsHash } from './jenkins-hash.ts';

interface Hmark {
  readonly sourceLength: number;
  readonly destinationLength: number;
  readonly sourcePort: { readonly mask: number; readonly set: number };
  readonly destinationPort: { readonly mask: number; readonly set: number };
  readonly protocolMask: number;
  readonly seed: number;
  readonly modulus: number;
  readonly offset: number;
}

/**
 * A mark that is a hash of the packet's ends, the same for both directions (net/netfilter/xt_HMARK.c). Of a connection's
 * ends (`--hmark-tuple ct`), of IPsec's SPI, and of a port that is not chosen yet it is not modelled.
 */
export function compileHmark(options: TargetOptions): TargetEvaluator | undefined {
  const hmark = hmarkOf(options);
  if (!hmark) return undefined;
  return ({ packet, meta }) => {
    const mark = markOf(quotedOr(packet), hmark);
    return mark === undefined ? UNMODELLED : { kind: 'continue', meta: { ...meta, mark } };
  };
}

function hmarkOf(options: TargetOptions): Hmark | undefined {
  const lengths = ['hmark-src-prefix', 'hmark-dst-prefix'] as const;
  const ports = ['hmark-sport-mask', 'hmark-dport-mask', 'hmark-sport', 'hmark-dport'] as const;
  const rest = ['hmark-proto-mask', 'hmark-rnd', 'hmark-mod', 'hmark-offset'] as const;
  if (!onlyOptions(options, ...lengths, ...ports, ...rest)) return undefined;
  const modulus = numberOption(options, 'hmark-mod');
  if (modulus === undefined || [...options.values()].some((values) => numberOf(values[0]) === undefined))
    return undefined;
  const number = (name: string): number => numberOption(options, name) ?? 0;
  return {
    sourceLength: number('hmark-src-prefix'),
    destinationLength: number('hmark-dst-prefix'),
    sourcePort: { mask: number('hmark-sport-mask'), set: number('hmark-sport') },
    destinationPort: { mask: number('hmark-dport-mask'), set: number('hmark-dport') },
    protocolMask: number('hmark-proto-mask'),
    seed: number('hmark-rnd'),
    modulus,
    offset: number('hmark-offset'),
  };
}

/** An ICMP error is hashed as what it quotes. */
function quotedOr(packet: Packet): Packet {
  return ('about' in packet.l4 && packet.l4.about) || packet;
}

function markOf(packet: Packet, hmark: Hmark): number | undefined {
  const ends = [
    addressWord(packet.ip.source, hmark.sourceLength),
    addressWord(packet.ip.destination, hmark.destinationLength),
  ].toSorted((a, b) => a - b);
  const ports = portsWord(packet, hmark);
  if (ports === undefined) return undefined;
  const protocol = (protocolNumber(packet.l4.protocol) ?? 0) & hmark.protocolMask;
  const hash = (jenkinsHash([...ends, ports], hmark.seed) ^ protocol) >>> 0;
  return (Number((BigInt(hash) * BigInt(hmark.modulus)) >> 32n) + hmark.offset) >>> 0;
}

/** The masked address; IPv6's four words are put together by exclusive or. */
function addressWord(address: Address, length: number): number {
  const width = familyOf(address) === 4 ? 32 : 128;
  const host = (1n << BigInt(width - Math.min(length, width))) - 1n;
  let bits = addressToBits(address) & ~host;
  let word = 0n;
  for (; bits > 0n; bits >>= 32n) word ^= bits & 0xffff_ffffn;
  return Number(word);
}

/** The larger port in the upper half. Neither ICMP nor a fragment has ports; undefined: not known. */
function portsWord({ l4, ip }: Packet, { sourcePort, destinationPort }: Hmark): number | undefined {
  if ('type' in l4 || ip.fragmentOffset !== undefined) return 0;
  if (!('sourcePort' in l4)) return WITH_PORTS.has(l4.protocol) ? undefined : 0;
  const ends = [
    [l4.sourcePort, sourcePort],
    [l4.destinationPort, destinationPort],
  ] as const;
  const [a, b] = ends.map(([port, { mask, set }]) => {
    if (port === 'ephemeral') return mask === 0 ? set : undefined;
    return (port & mask) | set;
  });
  if (a === undefined || b === undefined) return undefined;
  return ((Math.max(a, b) << 16) | Math.min(a, b)) >>> 0;
}

/** Protocols with ports, or an SPI in their place, that the walk knows by their number alone (proto_ports_offset). */
const WITH_PORTS = new Set<number>([33, 50, 51, 136]);
