import type { IptablesMatch } from '../parse/iptables-save.ts';
import type { HookInput } from './hook.ts';
import { type Evaluator, type ModuleTable, optionNamed } from './iptables-match-types.ts';
import { protocolNumber } from './iptables-protocols.ts';
import type { Truth } from './trace.ts';
import { and, truth } from './truth.ts';

/**
 * IPv6's extension headers (net/ipv6/netfilter/ip6t_*.c). The walk's packets bear none but that of a fragment: a module
 * about any other matches nothing, negated or not, since the header is sought first.
 */
export const IPV6_MODULES: ModuleTable = {
  ipv6header: compileIpv6Header,
  frag: compileFrag,
  rt: known(['rt-type', 'rt-segsleft', 'rt-len', 'rt-0-res', 'rt-0-addrs', 'rt-0-not-strict'], hasProtocol(43)),
  dst: known(['dst-len', 'dst-opts'], hasProtocol(60)),
  hbh: known(['hbh-len', 'hbh-opts'], hasProtocol(0)),
  mh: known(['mh-type'], hasProtocol(135)),
  srh: (match) =>
    match.options.every((option) => option.name.startsWith('srh-')) ? unknownWith(hasProtocol(43)) : undefined,
};

function hasProtocol(number: number): (input: HookInput) => boolean {
  return ({ packet }) => protocolNumber(packet.l4.protocol) === number;
}

/** No without the header; with it what is in it is not known. */
function unknownWith(hasHeader: (input: HookInput) => boolean): Evaluator {
  return (input) => (hasHeader(input) ? 'unknown' : 'no');
}

function known(options: readonly string[], hasHeader: (input: HookInput) => boolean): ModuleTable[string] {
  const names = new Set(options);
  return (match) => (match.options.every((option) => names.has(option.name)) ? unknownWith(hasHeader) : undefined);
}

/** frag_mt6: the id is not known, of the flags a first fragment's; the kernel sends no reserved bits. */
function compileFrag(match: IptablesMatch): Evaluator | undefined {
  const tests = match.options.map(fragTest);
  if (!tests.every((test) => test !== undefined)) return undefined;
  return ({ packet: { ip } }) => {
    if (ip.fragmentOffset === undefined) return 'no';
    const isFirst = ip.fragmentOffset === 0;
    return and('yes', ...tests.map((test) => test(isFirst)));
  };
}

function fragTest(option: IptablesMatch['options'][number]): ((isFirst: boolean) => Truth) | undefined {
  switch (option.name) {
    case 'fragid':
      return () => (option.values[0] === '0:4294967295' ? truth(!option.negated) : 'unknown');
    case 'fragres':
      return () => 'yes';
    case 'fragfirst':
      return truth;
    case 'fragmore':
      return (isFirst) => (isFirst ? 'yes' : 'unknown');
    case 'fraglast':
      return (isFirst) => (isFirst ? 'no' : 'unknown');
    case 'fraglen':
      return () => 'unknown';
    default:
      return undefined;
  }
}

/** MASK_* of ip6t_ipv6header.h, by the names that iptables prints and takes. */
const HEADER_BITS: Readonly<Record<string, number>> = {
  'hop-by-hop': 128, hop: 128, 'ipv6-opts': 64, dst: 64, 'ipv6-route': 32, route: 32, 'ipv6-frag': 16, frag: 16, ah: 8,
  auth: 8, esp: 4, 'ipv6-nonxt': 2, none: 2, protocol: 1, proto: 1, prot: 1,
}; // biome-ignore format: a table

const BIT_BY_PROTOCOL: Readonly<Record<number, number>> = { 0: 128, 43: 32, 44: 16, 50: 4, 51: 8, 59: 2, 60: 64 };

/** Exactly these headers, or with --soft at least these. A walk's packet ends at what its protocol says. */
function compileIpv6Header(match: IptablesMatch): Evaluator | undefined {
  const header = optionNamed(match, 'header');
  const isSoft = match.options.some((option) => option.name === 'soft');
  const bits = (header?.values[0] ?? '').split(',').map((name) => HEADER_BITS[name]);
  if (!header || !bits.every((bit) => bit !== undefined)) return undefined;
  const wanted = bits.reduce((all, bit) => all | bit, 0);
  return (input) => {
    const shown = headersOf(input);
    if (shown === undefined) return 'unknown';
    if (!isSoft) return truth((shown === wanted) !== header.negated);
    const inverted = header.negated ? 0xff : 0;
    return truth(((shown ^ wanted ^ inverted) & wanted) === 0);
  };
}

/** Behind an authentication header or options something follows that the walk does not know. */
function headersOf({ packet }: HookInput): number | undefined {
  const fragment = packet.ip.fragmentOffset === undefined ? 0 : 16;
  const bit = BIT_BY_PROTOCOL[protocolNumber(packet.l4.protocol) ?? -1];
  if (bit === undefined) return fragment | 1;
  return bit === 4 || bit === 2 ? fragment | bit : undefined;
}
