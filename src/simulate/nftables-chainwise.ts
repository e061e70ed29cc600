import type { Request } from '../host/host.ts';
import type { Place } from '../net/place.ts';
import type { NftChain, NftRule, NftTable, NftTableName } from '../parse/nft-json.ts';
import { chainsOf } from '../parse/nft-json-table.ts';
import { asRecord, asText, nftNode } from '../parse/nft-node.ts';
import { isComplete, type Observed, type Snapshot, type Source } from '../snapshot/snapshot.ts';
import { CHAINS_AHEAD, SHORT_CHAIN_RULES, type Unread, unreadBecause } from './chainwise.ts';
import { perPlace } from './per-place.ts';

export interface ChainwiseTable {
  /** Undefined where the list of its chains is not at hand. */
  readonly table?: NftTable;
  readonly wants: readonly Request[];
  readonly incomplete: readonly string[];
}

const knownAt = perPlace(() => new Map<string, ChainwiseTable>());

/** A table of nftables, read chain by chain (chainwise.ts): its chains and sets are listed, and rules asked for as they are met. */
export function chainwiseTable(snapshot: Snapshot, place: Place, name: NftTableName): ChainwiseTable {
  const known = knownAt(snapshot, place);
  const key = `${name.family} ${name.name}`;
  const table = known.get(key) ?? readTable(snapshot, place, name);
  known.set(key, table);
  return table;
}

function readTable(snapshot: Snapshot, place: Place, { family, name, flags = [] }: NftTableName): ChainwiseTable {
  const chains = snapshot.fact('nft.chains', place);
  const sets = snapshot.fact('nft.sets', place, { family, kind: 'sets' });
  const maps = snapshot.fact('nft.sets', place, { family, kind: 'maps' });
  const unread = [chains, sets, maps].flatMap((observed) =>
    isComplete(observed)
      ? []
      : [unreadBecause(`${observed.state === 'unseen' ? observed.want.action : 'a list'}`, observed)],
  );
  if (!isComplete(chains) || !isComplete(sets) || !isComplete(maps)) {
    return { wants: unread.flatMap(({ wants }) => wants), incomplete: unread.map(({ because }) => because) };
  }
  const isIt = (one: NftTable): boolean => one.family === family && one.name === name;
  const listed = chains.value.tables.find(isIt);
  if (!listed) return { wants: [], incomplete: [] };
  const read = (chain: string) => snapshot.fact('nft.chain', place, { family, name, chain });
  const table: NftTable = {
    family: listed.family,
    name,
    flags,
    chains: listed.chains.map((chain) => new ChainwiseChain(chain, () => read(chain.name))),
    sets: [sets, maps].flatMap((observed) => observed.value.tables.find(isIt)?.sets ?? []),
    objects: [],
    flowtables: [],
    hasXt: false,
  };
  const bases = table.chains.filter((chain) => chain.base);
  return {
    table,
    wants: wantsAhead(table, bases),
    incomplete: bases.flatMap((chain) => unreadOf(chain)?.because ?? []),
  };
}

type Read = () => Observed<{ readonly tables: readonly NftTable[] }>;

interface Found {
  readonly chain?: NftChain;
  readonly source?: Source;
  readonly unread?: Unread;
}

/** A chain whose rules are asked for when somebody looks at them. */
class ChainwiseChain implements NftChain {
  readonly name: string;
  readonly handle?: number;
  readonly base?: NonNullable<NftChain['base']>;
  readonly #read: Read;
  #found: Found | undefined;

  constructor({ name, handle, base }: NftChain, read: Read) {
    this.name = name;
    if (handle !== undefined) this.handle = handle;
    if (base) this.base = base;
    this.#read = read;
  }

  /** None where they are not at hand. */
  get rules(): readonly NftRule[] {
    return this.#look().chain?.rules ?? [];
  }

  get unread(): Unread | undefined {
    return this.#look().unread;
  }

  get source(): Source | undefined {
    return this.#look().source;
  }

  #look(): Found {
    this.#found ??= this.#find();
    return this.#found;
  }

  #find(): Found {
    const observed = this.#read();
    const chain = isComplete(observed)
      ? observed.value.tables[0]?.chains.find((one) => one.name === this.name)
      : undefined;
    if (chain && observed.state === 'seen') return { chain, source: observed.source };
    return { unread: unreadBecause(`chain ${this.name}`, observed) };
  }
}

/** Why the rules of a chain are not at hand; undefined where they are. */
export function unreadOf(chain: NftChain): Unread | undefined {
  return chain instanceof ChainwiseChain ? chain.unread : undefined;
}

/** The reply that shows this chain alone. */
export function sourceOfChain(chain: NftChain): Source | undefined {
  return chain instanceof ChainwiseChain ? chain.source : undefined;
}

/** What base chains call, as far as short chains lead; a map of 10,000 Services is looked up for the packet alone. */
function wantsAhead(table: NftTable, bases: readonly NftChain[]): readonly Request[] {
  const byName = chainsOf(table);
  const met = new Set(bases);
  for (const chain of met) {
    if (met.size >= CHAINS_AHEAD) break;
    if (chain.rules.length > SHORT_CHAIN_RULES) continue;
    for (const target of chain.rules.flatMap((rule) => targetsOf(rule.statements))) {
      const callee = byName.get(target);
      if (callee) met.add(callee);
    }
  }
  return [...met].flatMap((chain) => unreadOf(chain)?.wants ?? []);
}

/** The chains that a statement names, also within an anonymous map. */
function targetsOf(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(targetsOf);
  const record = asRecord(value);
  if (!record) return [];
  const node = nftNode(value);
  const target = node?.kind === 'jump' || node?.kind === 'goto' ? asText(asRecord(node.body)?.target) : undefined;
  return target === undefined ? Object.values(record).flatMap(targetsOf) : [target];
}
