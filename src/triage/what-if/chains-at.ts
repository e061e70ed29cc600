import type { Family } from '../../net/address.ts';
import type { Place } from '../../net/place.ts';
import type { NftTable } from '../../parse/nft-json.ts';
import type { Snapshot, SnapshotChange } from '../../snapshot/snapshot.ts';

/** One chain of one backend in one network namespace, with the words that may name it. */
export interface ChainAt {
  readonly place: Place;
  readonly backend: Extract<SnapshotChange, { readonly op: 'rule' }>['backend'];
  readonly family: Family;
  /** As a SnapshotChange names it: `filter`, of nftables `inet fw`. */
  readonly table: string;
  readonly chain: string;
  /** Of a base chain: ACCEPT, DROP. */
  readonly policy?: string;
  /** Words that may stand beside the chain's name: its table, backend, family, hook. */
  readonly words: ReadonlySet<string>;
  /** How a trace names it: `filter FORWARD`, `legacy filter FORWARD`, `nft inet fw forward`. */
  readonly name: string;
  /** A name that no chain of another backend has. */
  readonly fullName: string;
  readonly rules: () => readonly RuleAt[];
}

export interface RuleAt {
  readonly number: number;
  /** nftables' handle. */
  readonly handle?: number;
  readonly text: string;
}

const ANYWHERE = [
  'rule',
  'table',
  'chain',
  'prerouting',
  'input',
  'forward',
  'output',
  'postrouting',
  'ingress',
  'egress',
];
const IPTABLES_TABLES: ReadonlySet<string> = new Set(['filter', 'nat', 'mangle', 'raw', 'security']);

/** The chains of every rule set of this namespace that the packets of this family can meet, as far as they were read. */
export function chainsAt(snapshot: Snapshot, place: Place, family: Family): readonly ChainAt[] {
  return [
    ...iptablesChains(snapshot, place, family, 'iptables.nft'),
    ...iptablesChains(snapshot, place, family, 'iptables.legacy'),
    ...nftChains(snapshot, place, family),
  ];
}

function iptablesChains(
  snapshot: Snapshot,
  place: Place,
  family: Family,
  backend: 'iptables.nft' | 'iptables.legacy',
): readonly ChainAt[] {
  const observed = snapshot.fact(backend, place, backend === 'iptables.nft' ? { family, table: '' } : { family });
  if (observed.state === 'unseen') return [];
  const isLegacy = backend === 'iptables.legacy';
  const names = isLegacy ? ['iptables', 'iptables-legacy', 'legacy'] : ['iptables', 'iptables-nft', 'nft'];
  return observed.value.tables.flatMap((table) => {
    // One for all chains of the table: a big rule set has tens of thousands.
    const words = new Set([...ANYWHERE, ...names, table.name, `ipv${family}`]);
    return table.chains.map(
      (chain): ChainAt => ({
        place,
        backend,
        family,
        table: table.name,
        chain: chain.name,
        ...(chain.policy !== undefined && { policy: chain.policy }),
        words,
        name: `${isLegacy ? 'legacy ' : ''}${table.name} ${chain.name}`,
        fullName: `iptables-${isLegacy ? 'legacy' : 'nft'} ${table.name} ${chain.name}`,
        rules: () => chain.rules,
      }),
    );
  });
}

function nftChains(snapshot: Snapshot, place: Place, family: Family): readonly ChainAt[] {
  const listed = snapshot.fact('nft.tables', place);
  if (listed.state === 'unseen') return [];
  return listed.value.flatMap(({ family: kind, name }) => {
    if (kind === (family === 4 ? 'ip6' : 'ip') || isOfIptables(snapshot, place, kind, name)) return [];
    const observed = snapshot.fact('nft.table', place, { family: kind, name });
    if (observed.state === 'unseen') return [];
    return observed.value.tables
      .filter((table) => table.family === kind && table.name === name)
      .flatMap((table) => chainsOfTable(table, place, family));
  });
}

function chainsOfTable(table: NftTable, place: Place, family: Family): readonly ChainAt[] {
  const words = new Set([...ANYWHERE, 'nft', table.family, table.name]);
  return table.chains.map((chain) => ({
    place,
    backend: 'nft',
    family,
    table: `${table.family} ${table.name}`,
    chain: chain.name,
    ...(chain.base && { policy: chain.base.policy.toUpperCase() }),
    words,
    name: `nft ${table.family} ${table.name} ${chain.name}`,
    fullName: `nft ${table.family} ${table.name} ${chain.name}`,
    rules: () => chain.rules,
  }));
}

/** What iptables-nft keeps is changed as iptables' rules are. */
function isOfIptables(snapshot: Snapshot, place: Place, kind: string, name: string): boolean {
  if ((kind !== 'ip' && kind !== 'ip6') || !IPTABLES_TABLES.has(name)) return false;
  const observed = snapshot.fact('iptables.nft', place, { family: kind === 'ip' ? 4 : 6, table: '' });
  return observed.state === 'seen' && observed.value.tables.some((table) => table.name === name);
}
