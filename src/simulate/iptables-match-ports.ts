import type { Packet, Port } from '../net/packet.ts';
import type { IptablesOption } from '../parse/iptables-save.ts';
import {
  firstValue,
  type ModuleTable,
  numberOf,
  perOption,
  rangeOf,
  type TruthEvaluator,
} from './iptables-match-types.ts';
import type { Truth } from './trace.ts';
import { or, truth } from './truth.ts';

type Range = { readonly from: number; readonly to: number };

/** Modules that look at ports, flags and ICMP types (iptables-extensions(8): tcp, udp, sctp, multiport, icmp, icmp6). */
export const PORT_MODULES: ModuleTable = {
  tcp: perOption({
    sport: (option) => portTest(option, 'tcp', 'source'),
    dport: (option) => portTest(option, 'tcp', 'destination'),
    'tcp-flags': (option) => flagsTest(option.values[0], option.values[1]),
    syn: () => flagsTest('FIN,SYN,RST,ACK', 'SYN'),
  }),
  udp: perOption({
    sport: (option) => portTest(option, 'udp', 'source'),
    dport: (option) => portTest(option, 'udp', 'destination'),
  }),
  sctp: perOption({
    sport: (option) => portTest(option, 'sctp', 'source'),
    dport: (option) => portTest(option, 'sctp', 'destination'),
  }),
  multiport: perOption({
    sports: (option) => portsTest(option, ['source']),
    dports: (option) => portsTest(option, ['destination']),
    ports: (option) => portsTest(option, ['source', 'destination']),
  }),
  icmp: perOption({ 'icmp-type': (option) => icmpTest(option, 'icmp') }),
  icmp6: perOption({ 'icmpv6-type': (option) => icmpTest(option, 'icmpv6') }),
};

/** ip_local_port_range as it is by default (ip-sysctl.rst). */
const CHOSEN = { from: 32768, to: 60999 };
/** A share of the ports that is taken for none, or with all others but that, for all. */
const NEGLIGIBLE = 0.01;

/**
 * A port that the kernel will choose is one of ip_local_port_range: a range that holds next to all of these is a yes, one
 * that holds next to none a no (else every rule about one port would cast doubt on every answer), between them it is
 * undecided. A masquerade with --random-fully may choose from 1024 up; it is treated alike.
 */
export function portInRange(port: Port, range: Range): Truth {
  if (port !== 'ephemeral') return truth(port >= range.from && port <= range.to);
  const common = Math.min(range.to, CHOSEN.to) - Math.max(range.from, CHOSEN.from) + 1;
  const share = Math.max(0, common) / (CHOSEN.to - CHOSEN.from + 1);
  if (share >= 1 - NEGLIGIBLE) return 'yes';
  return share <= NEGLIGIBLE ? 'no' : 'unknown';
}

function portOf(packet: Packet, end: 'source' | 'destination'): Port | undefined {
  if (!('sourcePort' in packet.l4) || (packet.ip.fragmentOffset ?? 0) > 0) return undefined;
  return end === 'source' ? packet.l4.sourcePort : packet.l4.destinationPort;
}

function portTest(option: IptablesOption, protocol: string, end: 'source' | 'destination'): TruthEvaluator | undefined {
  const range = rangeOf(firstValue(option), ':', 65535);
  if (!range) return undefined;
  return ({ packet }) => {
    const port = packet.l4.protocol === protocol ? portOf(packet, end) : undefined;
    return port === undefined ? 'no' : portInRange(port, range);
  };
}

function portsTest(option: IptablesOption, ends: readonly ('source' | 'destination')[]): TruthEvaluator | undefined {
  const ranges = (firstValue(option) ?? '').split(',').map((text) => rangeOf(text, ':', 65535));
  if (!ranges.every((range) => range !== undefined)) return undefined;
  return ({ packet }) => {
    const ports = ends.map((end) => portOf(packet, end));
    return or(
      'no',
      ...ports.flatMap((port) => (port === undefined ? [] : ranges.map((range) => portInRange(port, range)))),
    );
  };
}

const FLAGS = ['fin', 'syn', 'rst', 'psh', 'ack', 'urg'];

function flagsTest(maskText: string | undefined, wantedText: string | undefined): TruthEvaluator | undefined {
  const mask = flagSet(maskText);
  const wanted = flagSet(wantedText);
  if (!mask || !wanted) return undefined;
  return ({ packet }) => {
    if (packet.l4.protocol !== 'tcp' || !('sourcePort' in packet.l4)) return 'no';
    const flags = packet.l4.flags;
    if (!flags) return 'unknown';
    return truth(mask.every((flag) => flags.includes(flag) === wanted.includes(flag)));
  };
}

function flagSet(text: string | undefined): readonly string[] | undefined {
  if (text === 'ALL') return FLAGS;
  if (text === 'NONE') return [];
  const flags = (text ?? '').toLowerCase().split(',');
  return flags.every((flag) => FLAGS.includes(flag)) ? flags : undefined;
}

function icmpTest(option: IptablesOption, protocol: 'icmp' | 'icmpv6'): TruthEvaluator | undefined {
  const text = firstValue(option) ?? '';
  const [typeText, codeText] = text.split('/');
  const any = text === 'any' || text === '255/0-255';
  const type = numberOf(typeText);
  const code = codeText === undefined ? undefined : numberOf(codeText);
  if (!any && (type === undefined || (codeText !== undefined && code === undefined))) return undefined;
  return ({ packet: { l4 } }) => {
    if (l4.protocol !== protocol || !('type' in l4)) return 'no';
    return truth(any || (l4.type === type && (code === undefined || l4.code === code)));
  };
}
