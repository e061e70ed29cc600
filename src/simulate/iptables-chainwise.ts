import type { Request } from '../host/host.ts';
import type { Family } from '../net/address.ts';
import { formatPlace, type Place } from '../net/place.ts';
import type { NftTable } from '../parse/nft-json.ts';
import { chainsOf } from '../parse/nft-json-table.ts';
import { isComplete, type Snapshot } from '../snapshot/snapshot.ts';
import { CHAINS_AHEAD, SHORT_CHAIN_RULES, unreadBecause } from './chainwise.ts';
import { type CompiledChain, type CompiledTable, compileChain } from './iptables-compile.ts';
import type { TargetEvaluator } from './iptables-target.ts';
import { isIptablesChain, isIptablesTable } from './nftables-owner.ts';
import { perPlace } from './per-place.ts';

export interface ChainwiseTables {
  readonly tables: readonly CompiledTable[];
  readonly wants: readonly Request[];
  readonly incomplete: readonly string[];
}

const knownAt = perPlace(() => new Map<Family, ChainwiseTables>());

/**
 * What iptables-nft keeps in one network namespace, read chain by chain (chainwise.ts): nft tells which chains there are,
 * and iptables-nft what is in one.
 */
export function chainwiseTables(snapshot: Snapshot, place: Place, family: Family): ChainwiseTables {
  const known = knownAt(snapshot, place);
  const tables = known.get(family) ?? readTables(snapshot, place, family);
  known.set(family, tables);
  return tables;
}

function readTables(snapshot: Snapshot, place: Place, family: Family): ChainwiseTables {
  const chains = snapshot.fact('nft.chains', place);
  if (!isComplete(chains)) {
    const { because, wants } = unreadBecause(`the list of nftables chains of ${formatPlace(place)}`, chains);
    return { tables: [], wants, incomplete: [because] };
  }
  const of = family === 4 ? 'ip' : 'ip6';
  const own = chains.value.tables.filter((table) => table.family === of && isIptablesTable(table));
  const tables = own.map((table) => chainwiseTable(snapshot, place, family, table));
  const foreign = own.flatMap((table) => table.chains.filter((chain) => chain.base && !isIptablesChain(table, chain)));
  const unread = tables.flatMap(unreadBases);
  return {
    tables,
    wants: tables.flatMap(wantsAhead),
    incomplete: [
      ...unread.map((chain) => chain.unread!.because),
      ...foreign.map((chain) => `base chain ${chain.name} is in a table of iptables, which is read chain by chain`),
    ],
  };
}

const BASES = ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'];

function basesOf(table: CompiledTable): readonly CompiledChain[] {
  return BASES.flatMap((name) => table.chain(name) ?? []);
}

function unreadBases(table: CompiledTable): readonly CompiledChain[] {
  return basesOf(table).filter((chain) => chain.unread);
}

/** What base chains call, as far as short chains lead. */
function wantsAhead(table: CompiledTable): readonly Request[] {
  const met = new Set(basesOf(table));
  for (const chain of met) {
    if (met.size >= CHAINS_AHEAD) break;
    for (const callee of calleesOf(table, chain)) met.add(callee);
  }
  return [...met].flatMap((chain) => chain.unread?.wants ?? []);
}

/** What a chain needs that calls one that was not read: with a short one, all that it calls. */
export function wantsBelow(table: CompiledTable, chain: CompiledChain): readonly Request[] {
  return calleesOf(table, chain).flatMap((callee) => callee.unread?.wants ?? []);
}

function calleesOf(table: CompiledTable, chain: CompiledChain): readonly CompiledChain[] {
  if (chain.ruleCount > SHORT_CHAIN_RULES) return [];
  const callees = new Set<CompiledChain>();
  for (let index = 0; index < chain.ruleCount; index++) {
    const { target } = chain.rule(index).rule;
    const callee = target && table.chain(target.name);
    if (callee) callees.add(callee);
  }
  return [...callees];
}

function chainwiseTable(snapshot: Snapshot, place: Place, family: Family, table: NftTable): CompiledTable {
  const declared = chainsOf(table);
  const isChain = (name: string): boolean => declared.has(name);
  const targets = new Map<string, TargetEvaluator>();
  const chains = new Map<string, CompiledChain>();
  const read = (name: string): CompiledChain => {
    const observed = snapshot.fact('iptables.chain', place, { family, table: table.name, chain: name });
    const chain =
      observed.state === 'seen' && observed.complete
        ? observed.value.tables[0]?.chains.find((one) => one.name === name)
        : undefined;
    if (chain && observed.state === 'seen') return { ...compileChain(chain, isChain, targets), observed };
    return unreadChain(name, unreadBecause(`chain ${name} of iptables' table ${table.name}`, observed));
  };
  return {
    name: table.name,
    chain: (name) => {
      if (!isChain(name)) return undefined;
      const chain = chains.get(name) ?? read(name);
      chains.set(name, chain);
      return chain;
    },
  };
}

function unreadChain(name: string, unread: NonNullable<CompiledChain['unread']>): CompiledChain {
  const rule = (): never => {
    throw new RangeError(`${name} was not read`);
  };
  return { name, ruleCount: 0, rule, index: undefined, unread };
}
