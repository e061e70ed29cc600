import type { Packet } from '../net/packet.ts';
import type { IptablesOption } from '../parse/iptables-save.ts';
import {
  ALWAYS,
  firstValue,
  guarded,
  type ModuleTable,
  maskedValue,
  numberOf,
  type OptionCompiler,
  perOption,
  rangeOf,
  type TruthEvaluator,
} from './iptables-match-types.ts';
import { protocolNumber } from './iptables-protocols.ts';
import { SYMBOLS } from './nftables-symbols.ts';
import type { Truth } from './trace.ts';
import { truth } from './truth.ts';

/** Modules that look at other header fields (iptables-extensions(8): ttl, hl, tos, dscp, ecn, length, tcpmss, ah, esp …). */
export const HEADER_MODULES: ModuleTable = {
  ttl: hops('ttl'),
  hl: hops('hl'),
  tos: perOption({
    tos: (option) => {
      const wanted = maskedValue(firstValue(option));
      return wanted && (({ packet }) => truth((packet.ip.tos & wanted.mask & 0xff) === wanted.value));
    },
  }),
  dscp: perOption({
    dscp: (option) => dscpTest(numberOf(firstValue(option))),
    'dscp-class': (option) => dscpTest(SYMBOLS.dscp?.[(firstValue(option) ?? '').toLowerCase()]),
  }),
  ecn: perOption({
    'ecn-ip-ect': (option) => {
      const wanted = numberOf(firstValue(option));
      return wanted === undefined ? undefined : ({ packet }) => truth((packet.ip.tos & 3) === wanted);
    },
    'ecn-tcp-ece': () => ecnFlagTest('ece'),
    'ecn-tcp-cwr': () => ecnFlagTest('cwr'),
  }),
  // The whole packet's length in both families: of IPv6 the payload's and the 40 bytes of the header (xt_length.c).
  length: perOption({
    length: (option) => {
      const range = rangeOf(firstValue(option), ':', 65535);
      return range && (({ packet }) => truth(packet.lengthBytes >= range.from && packet.lengthBytes <= range.to));
    },
  }),
  tcpmss: guarded(
    ({ packet }) => truth(packet.l4.protocol === 'tcp'),
    perOption({ mss: (option) => mssTest(rangeOf(firstValue(option), ':', 65535)) }),
  ),
  ah: securityHeader('ah', { ahspi: spiTest, ahlen: () => () => 'unknown', ahres: () => () => 'unknown' }),
  esp: securityHeader('esp', { espspi: spiTest }),
  ipcomp: securityHeader('ipcomp', { ipcompspi: spiTest, compres: () => () => 'unknown' }),
  comment: ALWAYS,
};

function hops(name: 'ttl' | 'hl'): ModuleTable[string] {
  return perOption({
    [`${name}-eq`]: (option) => hopsTest(firstValue(option), (ttl, wanted) => ttl === wanted),
    [`${name}-lt`]: (option) => hopsTest(firstValue(option), (ttl, wanted) => ttl < wanted),
    [`${name}-gt`]: (option) => hopsTest(firstValue(option), (ttl, wanted) => ttl > wanted),
  });
}

function hopsTest(
  text: string | undefined,
  compare: (ttl: number, wanted: number) => boolean,
): TruthEvaluator | undefined {
  const wanted = numberOf(text);
  return wanted === undefined ? undefined : ({ packet }) => truth(compare(packet.ip.ttl, wanted));
}

function dscpTest(wanted: number | undefined): TruthEvaluator | undefined {
  return wanted === undefined ? undefined : ({ packet }) => truth(packet.ip.tos >> 2 === wanted);
}

/**
 * ECE and CWR. A SYN of a host that asks for ECN bears both, and whether it asks (tcp_ecn) is not part of the packet's
 * description: a flag that is not listed may be there all the same; not on a reset, though.
 */
function ecnFlagTest(flag: 'ece' | 'cwr'): TruthEvaluator {
  return ({ packet: { l4 } }): Truth => {
    if (l4.protocol !== 'tcp' || !('sourcePort' in l4)) return 'no';
    if (!l4.flags) return 'unknown';
    if (l4.flags.includes(flag)) return 'yes';
    return l4.flags.includes('rst') || l4.flags.some((one) => one === 'ece' || one === 'cwr') ? 'no' : 'unknown';
  };
}

/** Only a SYN bears the option; without it nothing matches but the negation (xt_tcpmss.c). */
function mssTest(range: { readonly from: number; readonly to: number } | undefined): TruthEvaluator | undefined {
  if (!range) return undefined;
  return ({ packet: { l4 } }) => {
    if (!('sourcePort' in l4)) return 'no';
    if (l4.mss !== undefined) return truth(l4.mss >= range.from && l4.mss <= range.to);
    return l4.flags && !l4.flags.includes('syn') ? 'no' : 'unknown';
  };
}

/** A packet without that header never matches; what is in the header the walk does not know. */
function securityHeader(
  protocol: 'ah' | 'esp' | 'ipcomp',
  options: Readonly<Record<string, OptionCompiler>>,
): ModuleTable[string] {
  const number = protocolNumber(protocol);
  const applies = ({ packet }: { readonly packet: Packet }): Truth =>
    truth(protocolNumber(packet.l4.protocol) === number && (packet.ip.fragmentOffset ?? 0) === 0);
  return guarded(applies, perOption(options));
}

const SPI_MAX = 0xffff_ffff;

function spiTest(option: IptablesOption): TruthEvaluator | undefined {
  const range = rangeOf(firstValue(option), ':', SPI_MAX);
  return range && (() => (range.from === 0 && range.to === SPI_MAX ? 'yes' : 'unknown'));
}
