import { type Address, familyOf, parseAddress } from '../net/address.ts';
import type { Tuple } from './visit.ts';
import type { WatchPlan } from './watch-plan.ts';

/** What one packet of the asked flow looks like somewhere on its way, as the kernel is asked to look for it: by itself, in a tunnel, or quoted by an ICMP error. */
export interface DropTerm {
  /** IANA's number. */
  readonly protocol: number;
  readonly source: Address;
  readonly destination: Address;
  /** 0: not known beforehand. */
  readonly sourcePort: number;
  readonly destinationPort: number;
}

/** Each addressing of a flow: before and after every translation of a few rules. */
export const DROP_TERMS_MAX = 12;
/** UDP ports of VXLAN tunnels on the way. */
export const VXLAN_PORTS_MAX = 4;

const PROTOCOLS: Readonly<Record<string, number>> = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58, sctp: 132 };

export interface DropFilter {
  readonly terms: readonly DropTerm[];
  readonly vxlanPorts: readonly number[];
}

/** All that the packet and its answer are on their way; one term stands for both directions. `left`: terms that were more than are watched. */
export function dropFilter({ points }: Pick<WatchPlan, 'points'>): DropFilter & { readonly left: number } {
  const tuples = points.flatMap((point) => point.tuples);
  const terms = new Map<string, DropTerm>();
  for (const tuple of tuples) {
    const term = termOf(tuple);
    if (!terms.has(wordsOf(turned(term)))) terms.set(wordsOf(term), term);
  }
  const ports = tuples.flatMap(({ outer }) =>
    outer?.tunnel === 'vxlan' && outer.port !== undefined ? outer.port : [],
  );
  return {
    terms: [...terms.values()].slice(0, DROP_TERMS_MAX),
    vxlanPorts: [...new Set(ports)].slice(0, VXLAN_PORTS_MAX),
    left: Math.max(0, terms.size - DROP_TERMS_MAX),
  };
}

function termOf({ protocol, source, destination, sourcePort, destinationPort }: Tuple): DropTerm {
  return {
    protocol: typeof protocol === 'number' ? protocol : PROTOCOLS[protocol]!,
    source,
    destination,
    sourcePort: sourcePort ?? 0,
    destinationPort: destinationPort ?? 0,
  };
}

function turned({ protocol, source, destination, sourcePort, destinationPort }: DropTerm): DropTerm {
  return {
    protocol,
    source: destination,
    destination: source,
    sourcePort: destinationPort,
    destinationPort: sourcePort,
  };
}

function wordsOf({ protocol, source, destination, sourcePort, destinationPort }: DropTerm): string {
  return `${protocol} ${source} ${destination} ${sourcePort} ${destinationPort}`;
}

/** The filter as one argument of a request: `6 10.244.0.3 10.244.1.3 0 8080; … | 8472`. */
export function dropFilterText({ terms, vxlanPorts }: DropFilter): string {
  return `${terms.map(wordsOf).join('; ')} | ${vxlanPorts.join(' ')}`.trim();
}

/** Undefined for what is no such filter. */
export function readDropFilter(text: string): DropFilter | undefined {
  const [list = '', ports = ''] = text.split('|');
  const terms = list.split(';').map((words) => termFrom(words.trim().split(' ')));
  const vxlanPorts = ports
    .trim()
    .split(' ')
    .filter((word) => word !== '')
    .map(portOf);
  if (terms.length > DROP_TERMS_MAX || vxlanPorts.length > VXLAN_PORTS_MAX) return undefined;
  if (terms.some((one) => one === undefined) || vxlanPorts.some((one) => one === undefined)) return undefined;
  return { terms: terms as DropTerm[], vxlanPorts: vxlanPorts as number[] };
}

function termFrom(words: readonly string[]): DropTerm | undefined {
  const [protocol, source, destination, sourcePort, destinationPort] = [
    portOf(words[0]),
    parseAddress(words[1] ?? ''),
    parseAddress(words[2] ?? ''),
    portOf(words[3]),
    portOf(words[4]),
  ];
  if (words.length !== 5 || protocol === undefined || protocol > 255) return undefined;
  if (source === undefined || destination === undefined || familyOf(source) !== familyOf(destination)) return undefined;
  if (sourcePort === undefined || destinationPort === undefined) return undefined;
  return { protocol, source, destination, sourcePort, destinationPort };
}

function portOf(word: string | undefined): number | undefined {
  return word !== undefined && /^\d{1,5}$/.test(word) && Number(word) <= 65_535 ? Number(word) : undefined;
}
