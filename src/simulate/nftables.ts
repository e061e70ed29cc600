import type { Request } from '../host/host.ts';
import type { Family } from '../net/address.ts';
import { formatPlace, type Place } from '../net/place.ts';
import type { NftChain, NftTable } from '../parse/nft-json.ts';
import { isComplete, type Seen, type Snapshot, type Source } from '../snapshot/snapshot.ts';
import type { HookEntry, HookInput, HookName, HookOutcome } from './hook.ts';
import { walkBaseChain } from './nftables-chain.ts';
import { CERTAIN } from './truth.ts';

export type NftHookEntry = HookEntry & { readonly hook: HookName; readonly family: 4 | 6 | 'inet' };

export interface NftHookEntries {
  readonly entries: readonly NftHookEntry[];
  /** What has to be collected before the entries are all there. */
  readonly wants: readonly Request[];
  /** Why the entries may not be all there, or not be right; empty where they are. */
  readonly incomplete: readonly string[];
}

type TableName = { readonly family: string; readonly name: string };

const HOOKS: readonly HookName[] = ['prerouting', 'input', 'forward', 'output', 'postrouting'];
const IPTABLES_TABLES = new Set(['filter', 'nat', 'mangle', 'raw', 'security']);

/**
 * The base chains of this namespace's nftables tables, without those of iptables-nft, which simulate/iptables.ts walks from
 * iptables-nft-save. Reads `nft.tables` and then, for each table, `nft.table`. With a family, tables of the other one are
 * neither read nor asked for: no packet of this family meets them.
 */
export function nftHookEntries(snapshot: Snapshot, place: Place, packets?: Family): NftHookEntries {
  const listed = snapshot.fact('nft.tables', place);
  if (listed.state === 'unseen') {
    return { entries: [], wants: [listed.want], incomplete: [`nftables of ${formatPlace(place)}: ${listed.detail}`] };
  }
  const all: { entries: NftHookEntry[]; wants: Request[]; incomplete: string[] } = {
    entries: [],
    wants: [],
    incomplete: [],
  };
  if (!isComplete(listed)) all.incomplete.push(`the list of nftables tables of ${formatPlace(place)} is not complete`);
  for (const table of listed.value) {
    if (packets !== undefined && table.family === (packets === 4 ? 'ip6' : 'ip')) continue;
    const found = entriesOfTable(table, snapshot, place);
    all.entries.push(...found.entries);
    all.wants.push(...found.wants);
    all.incomplete.push(...found.incomplete);
  }
  return all;
}

const NOTHING: NftHookEntries = { entries: [], wants: [], incomplete: [] };

function entriesOfTable(name: TableName, snapshot: Snapshot, place: Place): NftHookEntries {
  const owner = iptablesOwner(name, snapshot, place);
  if (owner.listed) return NOTHING;
  const title = `table ${name.family} ${name.name} of ${formatPlace(place)}`;
  const observed = snapshot.fact('nft.table', place, { family: name.family, name: name.name });
  if (observed.state === 'unseen') {
    const wants = owner.want ? [observed.want, owner.want] : [observed.want];
    return { entries: [], wants, incomplete: [`${title}: ${observed.detail}`] };
  }
  const incomplete = isComplete(observed) ? [] : [`${title} was not read whole`];
  const table = observed.value.tables.find((known) => known.family === name.family && known.name === name.name);
  if (!table) return { entries: [], wants: [], incomplete: [...incomplete, `${title} is gone or was not read`] };
  if (owner.want && (table.hasXt || hasRules(table))) {
    return {
      entries: [],
      wants: [owner.want],
      incomplete: [`${title} may be iptables-nft's, whose rules were not read`],
    };
  }
  return read(table, observed, title, incomplete);
}

/**
 * Does iptables-nft-save show this table? Then it is counted there. Not asked yet: it must be asked. Where it cannot be asked,
 * or calls the table incompatible, the table is read here, with what nft does not show of it undecided.
 */
function iptablesOwner(name: TableName, snapshot: Snapshot, place: Place): { listed: boolean; want?: Request } {
  if ((name.family !== 'ip' && name.family !== 'ip6') || !IPTABLES_TABLES.has(name.name)) return { listed: false };
  const family = name.family === 'ip' ? 4 : 6;
  for (const table of ['', name.name]) {
    const observed = snapshot.fact('iptables.nft', place, { family, table });
    if (observed.state === 'seen' && observed.value.tables.some((known) => known.name === name.name))
      return { listed: true };
    if (table === '' && observed.state === 'unseen' && observed.gap === 'not-asked') {
      const one = snapshot.fact('iptables.nft', place, { family, table: name.name });
      if (one.state === 'unseen' && one.gap === 'not-asked') return { listed: false, want: observed.want };
    }
  }
  return { listed: false };
}

function hasRules(table: NftTable): boolean {
  return table.chains.some((chain) => chain.rules.length > 0 || chain.base?.policy === 'drop');
}

function read(table: NftTable, observed: Seen<unknown>, title: string, incomplete: readonly string[]): NftHookEntries {
  if (table.flags.includes('dormant')) return { entries: [], wants: [], incomplete };
  const entries: NftHookEntry[] = [];
  const notModelled: string[] = [];
  const terse = table.sets.filter((set) => set.terse).map((set) => set.name);
  for (const chain of table.chains) {
    if (!chain.base) continue;
    const entry = entryOf(table, chain, observed.source);
    if (entry) entries.push(entry);
    else if (isEffective(chain)) {
      notModelled.push(
        `${title}: chain ${chain.name} at hook ${chain.base.hook} of family ${table.family} is not modelled`,
      );
    }
  }
  if (terse.length > 0) notModelled.push(`${title}: elements not listed of ${terse.join(', ')}`);
  return { entries, wants: [], incomplete: [...incomplete, ...notModelled] };
}

function isEffective(chain: NftChain): boolean {
  return chain.rules.length > 0 || chain.base?.policy === 'drop';
}

const FAMILIES = { ip: 4, ip6: 6, inet: 'inet' } as const;

/** Undefined where the walk has no such hook: ingress and egress, and the families bridge, arp and netdev. */
function entryOf(table: NftTable, chain: NftChain, source: Source): NftHookEntry | undefined {
  const hook = HOOKS.find((known) => known === chain.base?.hook);
  const family = table.family in FAMILIES ? FAMILIES[table.family as keyof typeof FAMILIES] : undefined;
  if (!chain.base || hook === undefined || family === undefined) return undefined;
  return {
    name: `nft ${table.family} ${table.name} ${chain.name}`,
    priority: chain.base.priority,
    nat: chain.base.type === 'nat',
    hook,
    family,
    evaluate: (input) => evaluate(table, chain, source, family, input),
  };
}

function evaluate(
  table: NftTable,
  base: NftChain,
  source: Source,
  family: 4 | 6 | 'inet',
  input: HookInput,
): readonly HookOutcome[] {
  const { packet, meta } = input;
  if (family !== 'inet' && family !== input.family) {
    return [{ chance: CERTAIN, verdict: { kind: 'accept' }, packet, meta, steps: [] }];
  }
  const place = { scope: { input, table }, base, source };
  return walkBaseChain(place, { packet, meta, doubtfulMarks: [], touched: [] });
}
