import { asNumber, asRecord, asStrings, asText, nftNode } from './nft-node.ts';
import { renderNftRule } from './nft-rule-text.ts';
import type { Parsed, UnparsedLine } from './parsed.ts';

/**
 * `nft -j list ruleset` / `nft -j list table FAMILY NAME` / `nft -j list tables` (libnftables-json(5)).
 * Statements and expressions stay in libnftables' own JSON shape; simulate/nftables.ts models them.
 * Seen: nft 1.0.6 (whose JSON leaves out a set's `dynamic` flag). Not kept: named counters, quotas and limits, helpers,
 * flowtables; statements that use them say so themselves. An item of a kind not known here is unparsed.
 */
export interface NftRuleset {
  readonly tables: readonly NftTable[];
}

export interface NftTable {
  readonly family: 'ip' | 'ip6' | 'inet' | 'arp' | 'bridge' | 'netdev';
  readonly name: string;
  readonly handle?: number;
  /** `dormant` tables are not evaluated. */
  readonly flags: readonly string[];
  readonly chains: readonly NftChain[];
  readonly sets: readonly NftSet[];
  /** Carries xt expressions, so it was written by iptables-nft: simulated from iptables-nft-save, not from here. */
  readonly hasXt: boolean;
}

export interface NftChain {
  readonly name: string;
  readonly handle?: number;
  readonly base?: {
    readonly type: 'filter' | 'nat' | 'route';
    readonly hook: 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting' | 'ingress' | 'egress';
    readonly priority: number;
    readonly policy: 'accept' | 'drop';
    readonly device?: readonly string[];
  };
  readonly rules: readonly NftRule[];
}

export interface NftRule {
  readonly handle: number;
  /** 1-based position in its chain. */
  readonly number: number;
  readonly comment?: string;
  readonly statements: readonly unknown[];
  readonly packets?: number;
  /** The rule rendered in nft's own syntax as near as we can, for reports. */
  readonly text: string;
}

export interface NftSet {
  readonly name: string;
  readonly kind: 'set' | 'map';
  readonly type: unknown;
  readonly map?: unknown;
  readonly flags: readonly string[];
  readonly elements: readonly unknown[];
  /** Elements were not listed (terse): absence must not be claimed. */
  readonly terse: boolean;
}

export type NftFamily = NftTable['family'];

const FAMILIES: readonly NftFamily[] = ['ip', 'ip6', 'inet', 'arp', 'bridge', 'netdev'];
const HOOKS = ['prerouting', 'input', 'forward', 'output', 'postrouting', 'ingress', 'egress'] as const;
const TYPES = ['filter', 'nat', 'route'] as const;

/** Items that carry nothing which the ruleset keeps. */
const PASSED_OVER: ReadonlySet<string> = new Set([
  'metainfo',
  'counter',
  'quota',
  'limit',
  'ct helper',
  'ct timeout',
  'ct expectation',
  'secmark',
  'synproxy',
  'flowtable',
  'tunnel',
]);

/** NF_IP_PRI_* by nft's names, nft(8) "Standard priority names"; the bridge family has numbers of its own. */
const PRIORITIES: Readonly<Record<string, number>> = {
  raw: -300,
  mangle: -150,
  dstnat: -100,
  filter: 0,
  security: 50,
  srcnat: 100,
};
const BRIDGE_PRIORITIES: Readonly<Record<string, number>> = { dstnat: -300, filter: -200, out: 100, srcnat: 300 };

interface Listing {
  readonly items: readonly unknown[];
  readonly unparsed: UnparsedLine[];
}

interface ChainDraft extends Omit<NftChain, 'rules'> {
  readonly rules: NftRule[];
}

interface TableDraft {
  readonly family: NftFamily;
  readonly name: string;
  handle?: number;
  flags: readonly string[];
  readonly chains: Map<string, ChainDraft>;
  readonly sets: Map<string, NftSet & { readonly elements: unknown[] }>;
  hasXt: boolean;
}

/**
 * `terse`: the text is of `nft -t`, whose sets and maps have no elements. The JSON itself does not tell: there an empty
 * set and an unlisted one look alike.
 */
export function parseNftJson(text: string, options: { readonly terse?: boolean } = {}): Parsed<NftRuleset> {
  const { items, unparsed } = listingOf(text);
  const tables = new Map<string, TableDraft>();
  for (const item of items) {
    if (!readItem(item, tables, options.terse === true)) unparsed.push(notUnderstood(item));
  }
  return { value: { tables: [...tables.values()].map(finished) }, unparsed };
}

/** Names of the tables, from `nft -j list tables` or any longer listing. */
export function parseNftTables(text: string): Parsed<readonly { readonly family: string; readonly name: string }[]> {
  const { items, unparsed } = listingOf(text);
  const value: { family: string; name: string }[] = [];
  for (const item of items) {
    const node = nftNode(item);
    if (!node) unparsed.push(notUnderstood(item));
    if (node?.kind !== 'table') continue;
    const table = asRecord(node.body);
    const family = asText(table?.family);
    const name = asText(table?.name);
    if (family === undefined || name === undefined) unparsed.push(notUnderstood(item));
    else value.push({ family, name });
  }
  return { value, unparsed };
}

/** An empty reply is an empty ruleset: the collector asks only where nf_tables is in use. */
function listingOf(text: string): Listing {
  if (text.trim() === '') return { items: [], unparsed: [] };
  try {
    const items = asRecord(JSON.parse(text))?.nftables;
    if (Array.isArray(items)) return { items, unparsed: [] };
  } catch {
    // A truncated or foreign text: told below.
  }
  return { items: [], unparsed: [{ line: 0, text: text.slice(0, 200) }] };
}

function notUnderstood(item: unknown): UnparsedLine {
  return { line: 0, text: JSON.stringify(item).slice(0, 1000) };
}

function readItem(item: unknown, tables: Map<string, TableDraft>, terse: boolean): boolean {
  const node = nftNode(item);
  if (!node) return false;
  if (PASSED_OVER.has(node.kind)) return true;
  const body = asRecord(node.body);
  if (!body) return false;
  switch (node.kind) {
    case 'table':
      return readTable(body, tables);
    case 'chain':
      return readChain(body, tables);
    case 'rule':
      return readRule(body, tables);
    case 'set':
    case 'map':
      return readSet(node.kind, body, tables, terse);
    case 'element':
      return readElements(body, tables);
    default:
      return false;
  }
}

function readTable(body: Readonly<Record<string, unknown>>, tables: Map<string, TableDraft>): boolean {
  const table = tableOf(body, 'name', tables);
  if (!table) return false;
  const handle = asNumber(body.handle);
  if (handle !== undefined) table.handle = handle;
  table.flags = asStrings(body.flags);
  return true;
}

/** `nft list chain` and `list map` print no table object, so a table is also made by what it contains. */
function tableOf(
  body: Readonly<Record<string, unknown>>,
  nameKey: 'name' | 'table',
  tables: Map<string, TableDraft>,
): TableDraft | undefined {
  const family = FAMILIES.find((known) => known === body.family);
  const name = asText(body[nameKey]);
  if (family === undefined || name === undefined) return undefined;
  const key = `${family} ${name}`;
  const known = tables.get(key);
  if (known) return known;
  const table: TableDraft = { family, name, flags: [], chains: new Map(), sets: new Map(), hasXt: false };
  tables.set(key, table);
  return table;
}

function readChain(body: Readonly<Record<string, unknown>>, tables: Map<string, TableDraft>): boolean {
  const table = tableOf(body, 'table', tables);
  const name = asText(body.name);
  if (!table || name === undefined) return false;
  const base = body.hook === undefined ? undefined : baseOf(body, table.family);
  if (body.hook !== undefined && !base) return false;
  const handle = asNumber(body.handle);
  table.chains.set(name, {
    name,
    ...(handle === undefined ? {} : { handle }),
    ...(base ? { base } : {}),
    rules: [],
  });
  return true;
}

function baseOf(body: Readonly<Record<string, unknown>>, family: NftFamily): NftChain['base'] | undefined {
  const hook = HOOKS.find((known) => known === body.hook);
  const type = TYPES.find((known) => known === body.type);
  const priority = priorityOf(body.prio, family);
  if (hook === undefined || type === undefined || priority === undefined) return undefined;
  const policy = body.policy === undefined ? 'accept' : body.policy;
  if (policy !== 'accept' && policy !== 'drop') return undefined;
  const device = asStrings(body.dev ?? body.devices);
  return { type, hook, priority, policy, ...(device.length > 0 ? { device } : {}) };
}

/** A number, a standard name, or a name with an offset (`dstnat - 10`). */
function priorityOf(value: unknown, family: NftFamily): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string') return undefined;
  const match = /^(?<name>[a-z]+)?\s*(?<offset>[+-]?\s*\d+)?$/.exec(value.trim());
  const { name, offset } = match?.groups ?? {};
  if (name === undefined && offset === undefined) return undefined;
  const base = name === undefined ? 0 : (family === 'bridge' ? BRIDGE_PRIORITIES : PRIORITIES)[name];
  return base === undefined ? undefined : base + Number((offset ?? '0').replaceAll(/\s/g, ''));
}

function readRule(body: Readonly<Record<string, unknown>>, tables: Map<string, TableDraft>): boolean {
  const table = tableOf(body, 'table', tables);
  const chain = table?.chains.get(asText(body.chain) ?? '');
  const handle = asNumber(body.handle);
  if (!table || !chain || handle === undefined || !Array.isArray(body.expr)) return false;
  const comment = asText(body.comment);
  const packets = packetsOf(body.expr);
  chain.rules.push({
    handle,
    number: chain.rules.length + 1,
    ...(comment === undefined ? {} : { comment }),
    statements: body.expr,
    ...(packets === undefined ? {} : { packets }),
    text: renderNftRule(body.expr, comment),
  });
  if (body.expr.some((statement) => statement === null || nftNode(statement)?.kind === 'xt')) table.hasXt = true;
  return true;
}

function packetsOf(statements: readonly unknown[]): number | undefined {
  for (const statement of statements) {
    const node = nftNode(statement);
    if (node?.kind === 'counter') return asNumber(asRecord(node.body)?.packets);
  }
  return undefined;
}

function readSet(
  kind: 'set' | 'map',
  body: Readonly<Record<string, unknown>>,
  tables: Map<string, TableDraft>,
  terse: boolean,
): boolean {
  const table = tableOf(body, 'table', tables);
  const name = asText(body.name);
  if (!table || name === undefined || body.type === undefined) return false;
  const elements = body.elem === undefined ? [] : body.elem;
  if (!Array.isArray(elements)) return false;
  table.sets.set(name, {
    name,
    kind,
    type: body.type,
    ...(body.map === undefined ? {} : { map: body.map }),
    flags: asStrings(body.flags),
    elements: [...elements],
    terse: terse && body.elem === undefined,
  });
  return true;
}

/** Large sets may be continued in `element` items. */
function readElements(body: Readonly<Record<string, unknown>>, tables: Map<string, TableDraft>): boolean {
  const set = tableOf(body, 'table', tables)?.sets.get(asText(body.name) ?? '');
  if (!set || !Array.isArray(body.elem)) return false;
  set.elements.push(...body.elem);
  return true;
}

function finished(draft: TableDraft): NftTable {
  return {
    family: draft.family,
    name: draft.name,
    ...(draft.handle === undefined ? {} : { handle: draft.handle }),
    flags: draft.flags,
    chains: [...draft.chains.values()],
    sets: [...draft.sets.values()],
    hasXt: draft.hasXt,
  };
}
