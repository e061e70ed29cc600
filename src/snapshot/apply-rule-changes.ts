import { type Place, placeKey } from '../net/place.ts';
import {
  type IptablesChain,
  type IptablesRule,
  type IptablesRuleset,
  type IptablesTable,
  parseIptablesRule,
} from '../parse/iptables-save.ts';
import { isObject } from '../parse/json-items.ts';
import type { NftChain, NftRule, NftRuleset, NftTable } from '../parse/nft-json.ts';
import { renderNftRule } from '../parse/nft-rule-text.ts';
import type { FactArgs } from './facts.ts';
import type { Applied, ChangeOf } from './overlay-snapshot.ts';
import type { SnapshotChange } from './snapshot.ts';

type RuleChange = ChangeOf<'rule'>;
type FilterChange = RuleChange | ChangeOf<'policy'>;

interface Subject<T> {
  readonly value: T;
  readonly place: Place;
  readonly args: FactArgs;
  readonly changes: readonly SnapshotChange[];
}

/** Rules are found by the numbers that they have in the given value; after all changes the chain is numbered anew. */
export function applyIptablesChanges(
  backend: 'iptables.legacy' | 'iptables.nft',
  { value, place, args, changes }: Subject<IptablesRuleset>,
): Applied<IptablesRuleset> {
  const family = args.family === 6 ? 6 : 4;
  const isAsked = (name: 'table' | 'chain', own: string): boolean => (args[name] || own) === own;
  const meant = changes.filter(
    (change): change is FilterChange =>
      isFilterChange(change, place, backend) &&
      change.family === family &&
      isAsked('table', change.table) &&
      isAsked('chain', change.chain),
  );
  let tables = value.tables;
  const failed = new Set<SnapshotChange>();
  for (const group of byChain(meant)) {
    const { table: tableName, chain: chainName } = group[0]!;
    const chain = findChain(tables, tableName, chainName) ?? newBuiltIn(chainName);
    if (!chain) {
      for (const change of group) failed.add(change);
      continue;
    }
    const changed = changedChain(chain, group, failed, (change) => newIptablesRule(change));
    if (changed !== chain) tables = withChain(tables, tableName, changed);
  }
  return { value: { tables }, applied: meant.filter((change) => !failed.has(change)), failed: [...failed] };
}

function isFilterChange(
  change: SnapshotChange,
  place: Place,
  backend: FilterChange['backend'],
): change is FilterChange {
  return (
    (change.op === 'rule' || change.op === 'policy') &&
    change.backend === backend &&
    placeKey(change.place) === placeKey(place)
  );
}

function byChain(changes: readonly FilterChange[]): readonly (readonly FilterChange[])[] {
  return [...Map.groupBy(changes, ({ table, chain }) => `${table} ${chain}`).values()];
}

function findChain(tables: readonly IptablesTable[], table: string, chain: string): IptablesChain | undefined {
  return tables.find(({ name }) => name === table)?.chains.find(({ name }) => name === chain);
}

const BUILT_IN = new Set(['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING']);

/** iptables makes the table and its chains, which accept, when a first rule is put there. */
function newBuiltIn(name: string): IptablesChain | undefined {
  return BUILT_IN.has(name) ? { name, policy: 'ACCEPT', rules: [] } : undefined;
}

function withChain(
  tables: readonly IptablesTable[],
  tableName: string,
  chain: IptablesChain,
): readonly IptablesTable[] {
  const index = tables.findIndex(({ name }) => name === tableName);
  if (index < 0) return [...tables, { name: tableName, chains: [chain] }];
  const table = tables[index]!;
  const at = table.chains.findIndex(({ name }) => name === chain.name);
  return tables.with(index, {
    ...table,
    chains: at < 0 ? [...table.chains, chain] : table.chains.with(at, chain),
  });
}

function newIptablesRule({ rule, number, chain }: RuleChange): IptablesRule | undefined {
  const parsed = rule === undefined ? undefined : parseIptablesRule(rule, number);
  if (!parsed || parsed.chain !== chain) return undefined;
  const { chain: _chain, ...own } = parsed;
  return own;
}

/** The chain itself where nothing could be changed. */
function changedChain(
  chain: IptablesChain,
  changes: readonly FilterChange[],
  failed: Set<SnapshotChange>,
  make: (change: RuleChange) => IptablesRule | undefined,
): IptablesChain {
  const edited = editRules(chain.rules, (rule) => rule.number, changes, failed, make);
  let policy = chain.policy;
  for (const change of changes) {
    if (change.op !== 'policy') continue;
    if (policy === undefined) failed.add(change);
    else policy = change.verdict === 'accept' ? 'ACCEPT' : 'DROP';
  }
  if (edited === chain.rules && policy === chain.policy) return chain;
  const rules = edited.map((rule, index) => ({ ...rule, number: index + 1 }));
  return { ...chain, ...(policy !== undefined && { policy }), rules };
}

/** Removals by `idOf`; insertions before the rule of that number, or at the end. The same list where nothing changed. */
function editRules<R extends { readonly number: number }>(
  rules: readonly R[],
  idOf: (rule: R) => number,
  changes: readonly FilterChange[],
  failed: Set<SnapshotChange>,
  make: (change: RuleChange) => R | undefined,
): readonly R[] {
  const gone = new Set<number>();
  const before = new Map<number, R[]>();
  for (const change of changes) {
    if (change.op !== 'rule') continue;
    if (change.act === 'remove') {
      if (rules.some((rule) => idOf(rule) === change.number)) gone.add(change.number);
      else failed.add(change);
      continue;
    }
    const rule = make(change);
    if (!rule) failed.add(change);
    else before.set(change.number, [...(before.get(change.number) ?? []), rule]);
  }
  if (gone.size === 0 && before.size === 0) return rules;
  const numbers = new Set(rules.map((rule) => rule.number));
  const first = [...before].filter(([number]) => number < 1).flatMap(([, list]) => list);
  const last = [...before].filter(([number]) => number >= 1 && !numbers.has(number)).flatMap(([, list]) => list);
  const middle = rules.flatMap((rule) => [...(before.get(rule.number) ?? []), ...(gone.has(idOf(rule)) ? [] : [rule])]);
  return [...first, ...middle, ...last];
}

/** Rules of nft are removed by handle and inserted before a position. `table` may be `NAME` or `FAMILY NAME`. */
export function applyNftChanges({ value, place, changes }: Subject<NftRuleset>): Applied<NftRuleset> {
  const meant = changes.filter(
    (change): change is FilterChange =>
      isFilterChange(change, place, 'nft') && value.tables.some((table) => isTableOf(table, change)),
  );
  const failed = new Set<SnapshotChange>();
  const tables = value.tables.map((table) => {
    const own = meant.filter((change) => isTableOf(table, change));
    for (const change of own) {
      if (!table.chains.some((chain) => chain.name === change.chain)) failed.add(change);
    }
    if (own.length === 0) return table;
    const chains = table.chains.map((chain) =>
      changedNftChain(
        chain,
        own.filter((change) => change.chain === chain.name),
        failed,
      ),
    );
    const isSame = chains.every((chain, index) => chain === table.chains[index]);
    return isSame ? table : { ...table, hasXt: table.hasXt, chains };
  });
  return { value: { tables }, applied: meant.filter((change) => !failed.has(change)), failed: [...failed] };
}

function isTableOf(table: NftTable, { family, table: named }: FilterChange): boolean {
  const [first, second] = named.split(' ');
  if (second !== undefined) return table.family === first && table.name === second;
  const families: readonly string[] = ['inet', 'bridge', 'netdev', family === 4 ? 'ip' : 'ip6'];
  return table.name === named && families.includes(table.family);
}

function changedNftChain(chain: NftChain, changes: readonly FilterChange[], failed: Set<SnapshotChange>): NftChain {
  const edited = editRules(chain.rules, (rule) => rule.handle, changes, failed, newNftRule);
  let base = chain.base;
  for (const change of changes) {
    if (change.op !== 'policy') continue;
    if (!base) failed.add(change);
    else base = { ...base, policy: change.verdict };
  }
  if (edited === chain.rules && base === chain.base) return chain;
  return { ...chain, ...(base && { base }), rules: edited.map((rule, index) => ({ ...rule, number: index + 1 })) };
}

/** In nft's JSON: the list of statements, or `{"rule":{"expr":[…]}}`. A handle of 0 is none that the kernel gives. */
function newNftRule({ rule, number }: RuleChange): NftRule | undefined {
  const statements = statementsOf(rule ?? '');
  return statements && { handle: 0, number, statements, text: renderNftRule(statements) };
}

function statementsOf(text: string): readonly unknown[] | undefined {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return undefined;
  }
  const rule = isObject(document) && isObject(document.rule) ? document.rule : document;
  const statements = isObject(rule) ? rule.expr : rule;
  return Array.isArray(statements) ? statements : undefined;
}
