import type { Packet } from '../net/packet.ts';
import type { IptablesOption } from '../parse/iptables-save.ts';
import { chosenFromOf, type PortRange, portInRange, portOf } from './ephemeral-port.ts';
import { ICMP_NAMES, ICMPV6_NAMES } from './iptables-icmp-names.ts';
import {
  firstValue,
  guarded,
  type ModuleTable,
  numberOf,
  type OptionCompiler,
  perOption,
  rangeOf,
  type TruthEvaluator,
} from './iptables-match-types.ts';
import { protocolNumber } from './iptables-protocols.ts';
import type { Truth } from './trace.ts';
import { or, truth } from './truth.ts';

type End = 'source' | 'destination';

/**
 * Modules that look at ports, flags and ICMP types (iptables-extensions(8): tcp, udp, sctp, dccp, multiport, icmp, icmp6).
 * A fragment but the first shows no header: none of them matches it, negated or not (`par->fragoff != 0`).
 */
export const PORT_MODULES: ModuleTable = {
  tcp: guarded(
    showsHeader('tcp'),
    perOption({
      ...portOptions(),
      'tcp-flags': (option) => flagsTest(option.values[0], option.values[1]),
      syn: () => flagsTest('FIN,SYN,RST,ACK', 'SYN'),
      'tcp-option': (option) => tcpOptionTest(numberOf(firstValue(option))),
    }),
  ),
  udp: guarded(showsHeader('udp'), perOption(portOptions())),
  udplite: guarded(showsHeader('udplite'), perOption(portOptions())),
  // Chunks are contents of the packet; the walk's packets have ports alone.
  sctp: guarded(showsHeader('sctp'), perOption({ ...portOptions(), 'chunk-types': () => () => 'unknown' })),
  dccp: guarded(
    showsHeader('dccp'),
    perOption({
      ...portOptions(),
      'dccp-types': () => () => 'unknown',
      'dccp-option': () => () => 'unknown',
    }),
  ),
  multiport: guarded(
    ({ packet }) => truth(!isLaterFragment(packet)),
    perOption({
      sports: (option) => portsTest(option, ['source']),
      dports: (option) => portsTest(option, ['destination']),
      ports: (option) => portsTest(option, ['source', 'destination']),
    }),
  ),
  icmp: guarded(showsHeader('icmp'), perOption({ 'icmp-type': (option) => icmpTest(option, ICMP_NAMES) })),
  icmp6: guarded(showsHeader('icmpv6'), perOption({ 'icmpv6-type': (option) => icmpTest(option, ICMPV6_NAMES) })),
};

function isLaterFragment(packet: Packet): boolean {
  return (packet.ip.fragmentOffset ?? 0) > 0;
}

function showsHeader(protocol: string): TruthEvaluator {
  const number = protocolNumber(protocol);
  return ({ packet }) => truth(protocolNumber(packet.l4.protocol) === number && !isLaterFragment(packet));
}

function portOptions(): Readonly<Record<'sport' | 'dport', OptionCompiler>> {
  return { sport: (option) => portTest(option, 'source'), dport: (option) => portTest(option, 'destination') };
}

/** The ports of a protocol that the walk knows by its number alone (DCCP, UDP-Lite) are not known. */
function packetPort(packet: Packet, end: End, range: PortRange): Truth {
  const port = portOf(packet, end);
  if (port === undefined) return range.from === 0 && range.to === 65535 ? 'yes' : 'unknown';
  return portInRange(port, range, chosenFromOf(packet.l4));
}

function portTest(option: IptablesOption, end: End): TruthEvaluator | undefined {
  const range = rangeOf(firstValue(option), ':', 65535);
  return range && (({ packet }) => packetPort(packet, end, range));
}

function portsTest(option: IptablesOption, ends: readonly End[]): TruthEvaluator | undefined {
  const ranges = (firstValue(option) ?? '').split(',').map((text) => rangeOf(text, ':', 65535));
  if (!ranges.every((range) => range !== undefined)) return undefined;
  return ({ packet }) => or('no', ...ends.flatMap((end) => ranges.map((range) => packetPort(packet, end, range))));
}

const FLAGS = ['fin', 'syn', 'rst', 'psh', 'ack', 'urg'];

function flagsTest(maskText: string | undefined, wantedText: string | undefined): TruthEvaluator | undefined {
  const mask = flagSet(maskText);
  const wanted = flagSet(wantedText);
  if (!mask || !wanted) return undefined;
  const isImpossible = wanted.some((flag) => !mask.includes(flag));
  return ({ packet: { l4 } }) => {
    const flags = 'sourcePort' in l4 ? l4.flags : undefined;
    if (isImpossible) return 'no';
    if (!flags) return mask.length === 0 ? 'yes' : 'unknown';
    return truth(mask.every((flag) => flags.includes(flag) === wanted.includes(flag)));
  };
}

function flagSet(text: string | undefined): readonly string[] | undefined {
  if (text === 'ALL') return FLAGS;
  if (text === 'NONE') return [];
  const flags = (text ?? '').toLowerCase().split(',');
  return flags.every((flag) => FLAGS.includes(flag)) ? flags : undefined;
}

const MSS_OPTION = 2;

/** Of TCP's options the walk knows the maximum segment size; it is sent with a SYN and never else (tcp_output.c). */
function tcpOptionTest(kind: number | undefined): TruthEvaluator | undefined {
  if (kind === undefined) return undefined;
  return ({ packet: { l4 } }) => {
    if (kind !== MSS_OPTION || !('sourcePort' in l4)) return 'unknown';
    if (l4.mss !== undefined) return 'yes';
    return l4.flags && !l4.flags.includes('syn') ? 'no' : 'unknown';
  };
}

/** `8`, `3/4`, a name, `any` (type 255). */
function icmpTest(option: IptablesOption, names: typeof ICMP_NAMES): TruthEvaluator | undefined {
  const text = firstValue(option) ?? '';
  const [type, code] = Object.hasOwn(names, text) ? names[text]! : text.split('/').map(numberOf);
  const any = text === 'any' || type === 255;
  if (!any && (type === undefined || (text.includes('/') && code === undefined))) return undefined;
  return ({ packet: { l4 } }) => {
    if (!('type' in l4)) return any ? 'yes' : 'unknown';
    return truth(any || (l4.type === type && (code === undefined || l4.code === code)));
  };
}
