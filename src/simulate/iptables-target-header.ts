import type { L4, Packet } from '../net/packet.ts';
import type { HookInput } from './hook.ts';
import { maskedValue, numberOf } from './iptables-match-types.ts';
import { compilePrefixTranslation } from './iptables-target-npt.ts';
import {
  CONTINUE,
  constant,
  DROP,
  masked,
  numberOption,
  type TargetEffect,
  type TargetEvaluator,
  type TargetOptions,
  type TargetTable,
} from './iptables-target-types.ts';
import { SYMBOLS } from './nftables-symbols.ts';
import { pathMtu } from './path-mtu.ts';

/** Targets that change the packet's headers (iptables-extensions(8): TTL, HL, TOS, DSCP, ECN, TCPMSS, TCPOPTSTRIP, SNPT, DNPT). */
export const HEADER_TARGETS: TargetTable = {
  TTL: (options) => compileHops('ttl', options),
  HL: (options) => compileHops('hl', options),
  TOS: compileTos,
  DSCP: compileDscp,
  ECN: compileEcn,
  TCPMSS: compileTcpMss,
  TCPOPTSTRIP: compileTcpOptionStrip,
  SNPT: (options) => compilePrefixTranslation('source', options),
  DNPT: (options) => compilePrefixTranslation('destination', options),
};

function compileHops(name: 'ttl' | 'hl', options: TargetOptions): TargetEvaluator | undefined {
  const [option, values] = [...options][0] ?? [];
  const amount = numberOf(values?.[0]);
  if (amount === undefined || options.size !== 1) return undefined;
  const change = {
    [`${name}-set`]: () => amount,
    [`${name}-inc`]: (ttl: number) => Math.min(255, ttl + amount),
    [`${name}-dec`]: (ttl: number) => Math.max(0, ttl - amount),
  }[option ?? ''];
  return (
    change &&
    (({ packet }) => ({ kind: 'continue', packet: { ...packet, ip: { ...packet.ip, ttl: change(packet.ip.ttl) } } }))
  );
}

/** xt_DSCP.c, tos_tg. iptables-save prints every form as --set-tos with its mask. */
function compileTos(options: TargetOptions): TargetEvaluator | undefined {
  const [name, values] = [...options][0] ?? [];
  const wanted = maskedValue(values?.[0]);
  if (!wanted || options.size !== 1) return undefined;
  const { value } = wanted;
  const change = {
    'set-tos': { value, mask: wanted.mask & 0xff },
    'and-tos': { value: 0, mask: ~value & 0xff },
    'or-tos': { value, mask: value },
    'xor-tos': { value, mask: 0 },
  }[name ?? ''];
  return change && (({ packet }) => withTos(packet, masked(packet.ip.tos, change) & 0xff));
}

function compileDscp(options: TargetOptions): TargetEvaluator | undefined {
  const named = SYMBOLS.dscp?.[(options.get('set-dscp-class')?.[0] ?? '').toLowerCase()];
  const wanted = numberOption(options, 'set-dscp') ?? named;
  if (wanted === undefined) return undefined;
  return ({ packet }) => withTos(packet, (wanted << 2) | (packet.ip.tos & 3));
}

/** ipt_ECN.c: the IP bits, or TCP's ECE and CWR. */
function compileEcn(options: TargetOptions): TargetEvaluator | undefined {
  const ect = numberOption(options, 'ecn-ip-ect');
  if (ect !== undefined) return ({ packet }) => withTos(packet, (packet.ip.tos & 0xfc) | (ect & 3));
  const cleared = ['ece', 'cwr'].filter((flag) => options.has('ecn-tcp-remove') || options.has(`ecn-tcp-${flag}`));
  if (cleared.length === 0) return undefined;
  return ({ packet }) => {
    const { l4 } = packet;
    const flags = 'sourcePort' in l4 ? l4.flags : undefined;
    if (!flags?.some((flag) => cleared.includes(flag))) return CONTINUE;
    return withL4(packet, { ...l4, flags: flags.filter((flag) => !cleared.includes(flag)) } as L4);
  };
}

function withTos(packet: Packet, tos: number): TargetEffect {
  return packet.ip.tos === tos ? CONTINUE : { kind: 'continue', packet: { ...packet, ip: { ...packet.ip, tos } } };
}

function withL4(packet: Packet, l4: L4): TargetEffect {
  return { kind: 'continue', packet: { ...packet, l4 } };
}

/** What a host without the option is taken to accept (RFC 9293 §3.7.1): the most that the target then writes. */
const MSS_WITHOUT_OPTION = { 4: 536, 6: 1220 } as const;
/** IP's and TCP's headers without options. */
const HEADERS_BYTES = { 4: 40, 6: 60 } as const;
const MSS_OPTION_BYTES = 4;

/** xt_TCPMSS.c: never raises the value; clamps to the smaller MTU of the way on and the way back. */
function compileTcpMss(options: TargetOptions): TargetEvaluator | undefined {
  const wanted = numberOption(options, 'set-mss');
  if (wanted === undefined && !options.has('clamp-mss-to-pmtu')) return undefined;
  return (input) => {
    const { l4, ip } = input.packet;
    if (l4.protocol !== 'tcp' || !('sourcePort' in l4) || (ip.fragmentOffset ?? 0) > 0) return CONTINUE;
    if (wanted !== undefined) return withMss(input, wanted);
    const mtu = pathMtu(input);
    if (mtu === undefined) return withUnknownMss(input.packet);
    const headers = HEADERS_BYTES[input.family];
    return mtu <= headers ? DROP : withMss(input, mtu - headers);
  };
}

function withMss({ packet, family }: HookInput, wanted: number): TargetEffect {
  const { l4 } = packet;
  if (!('sourcePort' in l4)) return CONTINUE;
  if (l4.mss !== undefined) return l4.mss <= wanted ? CONTINUE : withL4(packet, { ...l4, mss: wanted });
  // A bare header without options gets the option; whether there are others the walk does not know.
  if (packet.lengthBytes !== HEADERS_BYTES[family]) return CONTINUE;
  const mss = Math.min(wanted, MSS_WITHOUT_OPTION[family]);
  return {
    kind: 'continue',
    packet: { ...packet, lengthBytes: packet.lengthBytes + MSS_OPTION_BYTES, l4: { ...l4, mss } },
  };
}

function withUnknownMss(packet: Packet): TargetEffect {
  if (!('sourcePort' in packet.l4) || packet.l4.mss === undefined) return CONTINUE;
  const { mss: _clamped, ...rest } = packet.l4;
  return withL4(packet, rest);
}

/** xt_TCPOPTSTRIP.c: the option is overwritten; of the options the walk knows the segment size alone. */
function compileTcpOptionStrip(options: TargetOptions): TargetEvaluator | undefined {
  const names = options.get('strip-options')?.[0]?.split(',');
  if (!names) return undefined;
  if (!names.includes('mss') && !names.includes('2')) return constant(CONTINUE);
  return ({ packet }) => ((packet.ip.fragmentOffset ?? 0) > 0 ? CONTINUE : withUnknownMss(packet));
}
