import type { Request, Scalar } from '../host/host.ts';
import { type Address, familyOf } from '../net/address.ts';
import { type Place, placeKey } from '../net/place.ts';
import { type DropFilter, type DropTerm, dropFilter, dropFilterText, readDropFilter } from './drop-term.ts';
import type { WatchPlan } from './watch-plan.ts';

/** `rules.trace.start` answers once packets of the flow are traced in that network namespace; `rules.trace.stop` with what `nft monitor trace` said. */
export const RULE_TRACE_NAMES = ['rules.trace.start', 'rules.trace.stop'] as const;

export interface RuleTraceJob {
  readonly filter: DropFilter;
  readonly seconds: number;
}

/** The node itself ends it then, whoever forgets. */
export const RULE_TRACE_SECONDS_MAX = 30;
/** Some 600 bytes for each packet and hook. */
export const RULE_TRACE_BYTES_MAX = 2 << 20;
/** Network namespaces at once. */
export const RULE_TRACES_MAX = 12;

/** Of the tables that podtriage makes for it. */
export const TRACE_TABLE = /^podtriage_trace_\d+$/;

/** One for each network namespace on the way, with the packets that are expected there. */
export function ruleTraceRequests(
  { points }: Pick<WatchPlan, 'points'>,
  seconds: number,
): { readonly starts: readonly Request[]; readonly stops: readonly Request[] } {
  const byPlace = [...Map.groupBy(points, ({ place }) => placeKey(place)).values()].slice(0, RULE_TRACES_MAX);
  const bounded = Math.min(Math.ceil(seconds), RULE_TRACE_SECONDS_MAX);
  const at = ({ node, namespace }: Place): Place => ({ node, namespace });
  return {
    starts: byPlace.map((own) => {
      const args = { filter: dropFilterText(dropFilter({ points: own })), seconds: bounded };
      return { action: 'rules.trace.start', place: at(own[0]!.place), args, round: 0 };
    }),
    stops: byPlace.map((own) => ({ action: 'rules.trace.stop', place: at(own[0]!.place), args: {}, round: 0 })),
  };
}

/** Throws RangeError on what is no filter or bound. */
export function ruleTraceJobOf({ filter, seconds }: Readonly<Record<string, Scalar>>): RuleTraceJob {
  const read = typeof filter === 'string' ? readDropFilter(filter) : undefined;
  if (!read) throw new RangeError('filter is no filter of packets');
  if (typeof seconds !== 'number' || !Number.isInteger(seconds) || seconds < 1 || seconds > RULE_TRACE_SECONDS_MAX)
    throw new RangeError(`seconds is not a whole number from 1 to ${RULE_TRACE_SECONDS_MAX}: ${seconds}`);
  return { filter: read, seconds };
}

/**
 * What nft(8) is told in one session: a table of its own, which marks the packets of exactly this flow before every other rule sees
 * them, and then to say what becomes of them. *Owner* is what ends it: the kernel itself removes the table with the session that made
 * it, however that ends (NFT_TABLE_F_OWNER, since Linux 5.12: nft_rcv_nl_event in net/netfilter/nf_tables_api.c).
 */
export function ruleTraceScript({ filter }: RuleTraceJob, table: string): string {
  const rules = filter.terms.flatMap((term) => [matchOf(term), matchOf(turned(term))]);
  const chain = (hook: 'prerouting' | 'output'): string[] => [
    `add chain inet ${table} ${hook} { type filter hook ${hook} priority -301; policy accept; }`,
    ...[...new Set(rules)].map((match) => `add rule inet ${table} ${hook} ${match} meta nftrace set 1`),
  ];
  return [
    `add table inet ${table} { flags owner; }`,
    ...chain('prerouting'),
    ...chain('output'),
    `list table inet ${table}`,
    'monitor trace',
    '',
  ].join('\n');
}

const NAMES: Readonly<Record<number, string>> = { 6: 'tcp', 17: 'udp', 132: 'sctp' };

function matchOf({ protocol, source, destination, sourcePort, destinationPort }: DropTerm): string {
  const ip = familyOf(source) === 4 ? 'ip' : 'ip6';
  const name = NAMES[protocol];
  const ports = [
    ...(name !== undefined && sourcePort !== 0 ? [`${name} sport ${sourcePort}`] : []),
    ...(name !== undefined && destinationPort !== 0 ? [`${name} dport ${destinationPort}`] : []),
  ];
  const what = ports.length > 0 ? ports.join(' ') : `meta l4proto ${protocol}`;
  const ends = (from: Address, to: Address): string => `${ip} saddr ${from} ${ip} daddr ${to}`;
  return `${ends(source, destination)} ${what}`;
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
