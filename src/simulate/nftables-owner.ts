import type { Request } from '../host/host.ts';
import type { Family } from '../net/address.ts';
import type { Place } from '../net/place.ts';
import type { NftChain, NftTable, NftTableName } from '../parse/nft-json.ts';
import { chainsOf } from '../parse/nft-json-table.ts';
import { asRecord, asText, nftNode } from '../parse/nft-node.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { isTooMuch } from './chainwise.ts';
import { isMisprinted } from './iptables-misprinted.ts';
import { nftTableNames } from './nftables-tables.ts';
import type { Truth } from './trace.ts';

/** Whether it may be a table of iptables-nft's, by its name. */
export function isIptablesTable({ family, name }: NftTableName): boolean {
  return (family === 'ip' || family === 'ip6') && Object.hasOwn(BUILTIN, name);
}

export interface IptablesOwner {
  /**
   * 'whole': iptables-nft-save shows the table, so it is counted there. 'partly': it shows only those of its base chains
   * that are iptables' own.
   */
  readonly listed: 'whole' | 'partly' | 'no';
  /** Not asked yet, and must be. */
  readonly want?: Request;
}

/** iptables-nft's base chains by table (xtables_ipv4 of iptables/nft.c): type, priority, and the hooks, whose upper-case names are the chains'. */
const BUILTIN: Readonly<Record<string, Readonly<Record<string, readonly [type: string, priority: number]>>>> = {
  raw: { prerouting: ['filter', -300], output: ['filter', -300] },
  mangle: {
    prerouting: ['filter', -150],
    input: ['filter', -150],
    forward: ['filter', -150],
    output: ['route', -150],
    postrouting: ['filter', -150],
  },
  filter: { input: ['filter', 0], forward: ['filter', 0], output: ['filter', 0] },
  security: { input: ['filter', 50], forward: ['filter', 50], output: ['filter', 50] },
  nat: { prerouting: ['nat', -100], input: ['nat', 100], output: ['nat', -100], postrouting: ['nat', 100] },
};

/**
 * Does iptables-nft-save show this table? Where it cannot be asked, or calls the table incompatible as a whole, the table is
 * read here, with what nft does not show of it undecided. Where it says that the table "contains incompatible base-chains",
 * it leaves those out (and prints its own ones even if they are not there).
 */
export function iptablesOwner(name: NftTableName, snapshot: Snapshot, place: Place): IptablesOwner {
  if (!isIptablesTable(name)) return { listed: 'no' };
  const family = name.family === 'ip' ? 4 : 6;
  for (const table of ['', name.name]) {
    const observed = snapshot.fact('iptables.nft', place, { family, table });
    // Then its chains are read one by one (iptables-chainwise.ts).
    if (table === '' && isTooMuch(observed)) return { listed: 'whole' };
    if (observed.state === 'seen' && observed.value.tables.some((known) => known.name === name.name)) {
      const remark = `Table \`${name.name}' contains incompatible base-chains`;
      return { listed: observed.unparsed.some(({ text }) => text?.includes(remark)) ? 'partly' : 'whole' };
    }
    if (table === '' && observed.state === 'unseen' && observed.gap === 'not-asked') {
      const one = snapshot.fact('iptables.nft', place, { family, table: name.name });
      if (one.state === 'unseen' && one.gap === 'not-asked') return { listed: 'no', want: observed.want };
    }
  }
  return { listed: 'no' };
}

/** Is the base chain one of iptables' own, which iptables-nft-save shows (nft_is_chain_compatible of iptables/nft.c)? */
export function isIptablesChain(table: NftTable, { name, base }: NftChain): boolean {
  if (!base || name !== base.hook.toUpperCase()) return false;
  const builtin = BUILTIN[table.name]?.[base.hook];
  return builtin !== undefined && builtin[0] === base.type && builtin[1] === base.priority;
}

const TABLE_FLAGS: ReadonlySet<string> = new Set(['dormant', 'owner', 'persist']);

/**
 * A dormant table's chains are not registered. nft 1.0.6 prints a table's single flag in JSON as other text of its memory:
 * then it may be any of them.
 */
export function dormancyOf({ flags }: { readonly flags?: readonly string[] }): Truth {
  if (!flags || flags.length === 0) return 'no';
  if (flags.includes('dormant')) return 'yes';
  return flags.every((flag) => TABLE_FLAGS.has(flag)) ? 'no' : 'unknown';
}

/** Whether the table that iptables-nft-save prints is dormant; that tool does not tell, `nft list tables` does. */
export function iptablesDormancy(snapshot: Snapshot, place: Place, family: Family, table: string): Truth {
  const listed = nftTableNames(snapshot, place);
  if (listed.state === 'unseen') return 'no';
  const found = listed.value.find((one) => one.family === (family === 4 ? 'ip' : 'ip6') && one.name === table);
  const dormant = found ? dormancyOf(found) : 'no';
  if (dormant !== 'unknown' || !found) return dormant;
  const outline = snapshot.fact('nft.outline', place, { family: found.family, name: table });
  return outline.state === 'seen' && outline.unparsed.length === 0 ? dormancyOf(outline.value) : dormant;
}

const natives = new WeakMap<NftTable, boolean>();

/**
 * Whether iptables' own chains, or chains that they call, hold rules that iptables-nft-save does not print as they are.
 */
export function holdsNativeRules(table: NftTable): boolean {
  const known = natives.get(table);
  if (known !== undefined) return known;
  const own = calledChains(table);
  const holds = own.some((chain) => chain.rules.some((rule) => rule.statements.some(isMisprinted)));
  natives.set(table, holds);
  return holds;
}

/** From iptables' base chains on. */
function calledChains(table: NftTable): readonly NftChain[] {
  const found = new Set(table.chains.filter((chain) => isIptablesChain(table, chain)));
  const byName = chainsOf(table);
  for (const chain of found) {
    for (const statement of chain.rules.flatMap((rule) => rule.statements)) {
      const node = nftNode(statement);
      const target = node?.kind === 'jump' || node?.kind === 'goto' ? asText(asRecord(node.body)?.target) : undefined;
      const called = target === undefined ? undefined : byName.get(target);
      if (called) found.add(called);
    }
  }
  return [...found];
}
