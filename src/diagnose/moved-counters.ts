import type { Family } from '../net/address.ts';
import { type Place, placeKey } from '../net/place.ts';
import type { IptablesRuleset } from '../parse/iptables-save.ts';
import type { NftRuleset } from '../parse/nft-json.ts';
import type { FactArgs, FactName, Facts } from '../snapshot/facts.ts';
import type { Seen, Snapshot, Source } from '../snapshot/snapshot.ts';
import { placesOfFlow } from './check.ts';
import type { Flow } from './derived.ts';

/** A counter of loss that rose between the look before the probes and the one after. Others' traffic counts there, too. */
export interface MovedCounter {
  readonly place: Place;
  readonly source: Source;
  /** `UdpInCsumErrors`, `qdisc tbf of veth1: drops`, `iptables-nft filter FORWARD: policy DROP`. */
  readonly counter: string;
  readonly rose: number;
}

/** Rules of one rule set that are compared; of a larger one only the policies are. */
const RULES_MAX = 5_000;

/** Counters that tell of something lost, refused or sent again (Documentation/networking/snmp_counter.rst). */
const OF_LOSS =
  /Error|Discard|NoRoutes|Fails|Drop|Overflow|ReversePathFilter|NoPorts|DestUnreachs|Retrans|Prune|Backlog|TimeExcds|InTooBig|PAWS|OutRsts|FragCreates|ReasmTimeout|SynRetrans|TCPTimeouts|InUnknownProtos/;
const OF_CONNTRACK: ReadonlySet<string> = new Set([
  'invalid',
  'insert_failed',
  'drop',
  'early_drop',
  'error',
  'clashres',
  'clash_resolve',
]);

/** Cheap evidence without any tracing: what moved in the network namespaces of the flows that got no answer. */
export function movedCounters(snapshot: Snapshot, flows: readonly Flow[], family: Family): MovedCounter[] {
  const lost = flows.filter(({ probe }) => probe?.passed === 'no' || probe?.outcome === 'silent');
  const places = [...new Map(lost.flatMap(placesOfFlow).map((place) => [placeKey(place), place])).values()];
  return places.flatMap((place) => movedAt(snapshot, place, family));
}

function movedAt(snapshot: Snapshot, place: Place, family: Family): MovedCounter[] {
  const moved = <K extends FactName>(
    name: K,
    numbersOf: (value: Facts[K]) => Iterable<readonly [string, number | undefined]>,
    args: FactArgs = {},
  ): MovedCounter[] => {
    const [before, after] = [snapshot.fact(name, place, args), snapshot.after(name, place, args)];
    if (before.state === 'unseen' || after.state === 'unseen') return [];
    return risen(numbersOf(before.value), numbersOf(after.value), place, after);
  };
  const tables = snapshot.fact('nft.tables', place);
  return [
    ...moved('counters', (value) => Object.entries(value).filter(([name]) => OF_LOSS.test(name))),
    ...moved('links', (value) => value.flatMap(linkNumbers)),
    ...moved('qdiscs', (value) => value.flatMap(qdiscNumbers)),
    ...(place.namespace === 'host' ? moved('softnet', softnetNumbers) : []),
    ...moved('conntrack.statistics', ({ counters }) =>
      Object.entries(counters)
        .filter(([name]) => OF_CONNTRACK.has(name))
        .map(([name, count]) => [`conntrack ${name}`, count] as const),
    ),
    ...moved('iptables.nft', (value) => iptablesNumbers(value, 'iptables-nft'), { family, table: '' }),
    ...moved('iptables.legacy', (value) => iptablesNumbers(value, 'iptables-legacy'), { family }),
    ...(tables.state === 'seen' ? tables.value : []).flatMap(({ family: of, name }) =>
      moved('nft.table', nftNumbers, { family: of, name }),
    ),
  ];
}

function risen(
  before: Iterable<readonly [string, number | undefined]>,
  after: Iterable<readonly [string, number | undefined]>,
  place: Place,
  { source }: Pick<Seen<unknown>, 'source'>,
): MovedCounter[] {
  const first = new Map(before);
  return [...after].flatMap(([counter, to]) => {
    const from = first.get(counter);
    return from !== undefined && to !== undefined && to > from ? [{ place, source, counter, rose: to - from }] : [];
  });
}

function linkNumbers({ name, statistics }: Facts['links'][number]): (readonly [string, number])[] {
  if (!statistics) return [];
  const { rxErrors, rxDropped, txErrors, txDropped } = statistics;
  return [
    [`${name}: rx errors`, rxErrors],
    [`${name}: rx dropped`, rxDropped],
    [`${name}: tx errors`, txErrors],
    [`${name}: tx dropped`, txDropped],
  ];
}

function qdiscNumbers({
  device,
  kind,
  handle,
  drops,
  overlimits,
}: Facts['qdiscs'][number]): (readonly [string, number])[] {
  const name = `qdisc ${kind}${handle === '0:' || handle === '' ? '' : ` ${handle}`} of ${device}`;
  return [
    [`${name}: drops`, drops],
    [`${name}: overlimits`, overlimits],
  ];
}

/** The whole machine's. */
function softnetNumbers(processors: Facts['softnet']): (readonly [string, number])[] {
  const sum = (of: 'dropped' | 'timeSqueeze'): number => processors.reduce((total, one) => total + one[of], 0);
  return [
    ['softnet of the whole machine: dropped', sum('dropped')],
    ['softnet of the whole machine: time_squeeze', sum('timeSqueeze')],
  ];
}

/** Rules that drop or refuse, and policies that do. */
function* iptablesNumbers(
  { tables }: IptablesRuleset,
  backend: string,
): Generator<readonly [string, number | undefined]> {
  for (const { name: table, chains } of tables) {
    for (const { name, policy, packets } of chains)
      if (policy === 'DROP') yield [`${backend} ${table} ${name}: policy DROP`, packets];
    const rules = chains.reduce((sum, chain) => sum + chain.rules.length, 0);
    if (rules > RULES_MAX) continue;
    for (const chain of chains) {
      for (const { number, target, text, packets } of chain.rules) {
        if (target && /^(DROP|REJECT)$/.test(target.name))
          yield [`${backend} ${table} ${chain.name}#${number}: ${text}`, packets];
      }
    }
  }
}

function* nftNumbers({ tables }: NftRuleset): Generator<readonly [string, number | undefined]> {
  for (const { family, name, chains, hasXt } of tables) {
    // Those are told of as iptables-nft's.
    if (hasXt || chains.reduce((sum, chain) => sum + chain.rules.length, 0) > RULES_MAX) continue;
    for (const chain of chains) {
      for (const { number, text, packets } of chain.rules) {
        if (/\b(drop|reject)\b/.test(text)) yield [`nft ${family} ${name} ${chain.name}#${number}: ${text}`, packets];
      }
    }
  }
}
