import { NftTableReader } from './nft-json-table.ts';
import { asRecord, asStrings, asText, nftNode } from './nft-node.ts';
import type { Parsed, UnparsedLine } from './parsed.ts';

/**
 * `nft -j list ruleset` / `nft -j list table FAMILY NAME` / `nft -j list tables` (libnftables-json(5)).
 * Statements, expressions and elements stay in libnftables' own JSON shape, uncopied; simulate/nftables.ts models them.
 * Rules are made into NftRule when their chain is first looked at: of 170,000 a walk meets ten.
 * Seen: nft 1.0.6 (whose JSON leaves out a set's `dynamic` flag, and prints other memory in place of a table's single
 * flag). Not kept: what a named counter counts, tunnels, secmarks. An item of a kind not known here is unparsed.
 */
export interface NftRuleset {
  readonly tables: readonly NftTable[];
}

export interface NftTable {
  readonly family: 'ip' | 'ip6' | 'inet' | 'arp' | 'bridge' | 'netdev';
  readonly name: string;
  readonly handle?: number;
  /** `dormant` tables are not evaluated. A flag that is none of dormant, owner and persist may be any of them (see above). */
  readonly flags: readonly string[];
  readonly chains: readonly NftChain[];
  readonly sets: readonly NftSet[];
  /** Named limits, quotas, helpers …, in the listing's order. */
  readonly objects: readonly NftObject[];
  readonly flowtables: readonly NftFlowtable[];
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
  /** How many elements it takes at most; undefined: not said. */
  readonly size?: number;
  readonly elements: readonly unknown[];
  /** Elements were not listed (terse): absence must not be claimed. */
  readonly terse: boolean;
}

/** A named stateful object; `body` as nft prints it. */
export interface NftObject {
  readonly kind: string; // limit, quota, counter, ct helper, ct timeout, ct expectation, secmark, synproxy, tunnel
  readonly name: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** A fast path at the ingress hook of its devices, for connections that a `flow add` statement put into it. */
export interface NftFlowtable {
  readonly name: string;
  readonly priority: number;
  readonly devices: readonly string[];
}

export type NftFamily = NftTable['family'];

interface Listing {
  readonly items: readonly unknown[];
  readonly unparsed: UnparsedLine[];
}

/**
 * `terse`: the text is of `nft -t`, whose sets and maps have no elements. The JSON itself does not tell: there an empty
 * set and an unlisted one look alike.
 */
export function parseNftJson(text: string, options: { readonly terse?: boolean } = {}): Parsed<NftRuleset> {
  const { items, unparsed } = listingOf(text);
  const reader = new NftTableReader(options.terse === true);
  for (const item of items) {
    if (!reader.read(item)) unparsed.push(notUnderstood(item));
  }
  return { value: { tables: reader.tables() }, unparsed };
}

export interface NftTableName {
  readonly family: string;
  readonly name: string;
  /** Absent where the table has none; see NftTable. */
  readonly flags?: readonly string[];
}

/** Names of the tables, from `nft -j list tables` or any longer listing. */
export function parseNftTables(text: string): Parsed<readonly NftTableName[]> {
  const { items, unparsed } = listingOf(text);
  const value: NftTableName[] = [];
  for (const item of items) {
    const node = nftNode(item);
    if (!node) unparsed.push(notUnderstood(item));
    if (node?.kind !== 'table') continue;
    const table = asRecord(node.body);
    const family = asText(table?.family);
    const name = asText(table?.name);
    if (family === undefined || name === undefined) unparsed.push(notUnderstood(item));
    else value.push({ family, name, ...(table?.flags === undefined ? {} : { flags: asStrings(table.flags) }) });
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
