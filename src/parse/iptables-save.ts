import {
  CHAIN_LINE,
  type ChainStarts,
  lineAt,
  PLAIN,
  RULE_LINE,
  ScannedTable,
  textOf,
} from './iptables-save-chains.ts';
import { buildColumns, type ColumnsBuilder, type RuleColumns } from './iptables-save-columns.ts';
import { createNameTable, type NameTable } from './iptables-save-names.ts';
import { parseRuleBody, type RuleBody } from './iptables-save-rule.ts';
import { type RuleScanner, ruleScanner } from './iptables-save-scan.ts';
import type { Parsed, UnparsedLine } from './parsed.ts';

/**
 * `iptables-save -c`, `iptables-legacy-save -c`, `iptables-nft-save -c` and their ip6 siblings (iptables-save(8)).
 * A rule is kept as it was printed; its matches are split into modules with their raw arguments and modelled by
 * simulate/iptables.ts. A line that has not the format's shape is unparsed; so is a table without its COMMIT (the
 * output was cut) and one that iptables-nft calls incompatible. Seen: iptables 1.8.4 to 1.8.11, both backends.
 * Not understood: `iptables -S` (iptables-list.ts), and `--bytecode` and `--u32` programs, which stay text.
 *
 * Big rule sets have 170,000 rules, of which a packet meets twenty. So the text is scanned once, into numbers; rules
 * are parsed when they are looked at. What is not a rule is found all the same: rules of the same *shape* (sequence of
 * option names) are parsed alike, and one of each shape is parsed at once.
 */
export interface IptablesRuleset {
  readonly tables: readonly IptablesTable[];
}

export interface IptablesTable {
  readonly name: string; // raw, mangle, nat, filter, security
  readonly chains: readonly IptablesChain[];
}

export interface IptablesChain {
  readonly name: string;
  /** Built-in chains only. */
  readonly policy?: 'ACCEPT' | 'DROP' | 'QUEUE';
  readonly packets?: number;
  readonly bytes?: number;
  readonly rules: readonly IptablesRule[];
}

export interface IptablesRule {
  /** 1-based number within its chain. */
  readonly number: number;
  /** 1-based line in the raw text. */
  readonly line: number;
  /** The rule as printed, without the counters: `-A FORWARD -j DROP`. */
  readonly text: string;
  readonly packets?: number;
  readonly bytes?: number;
  /** What comes before any `-m`: -s -d -i -o -p -f, each perhaps negated, in printed order; and each `-m` module with its options. */
  readonly matches: readonly IptablesMatch[];
  readonly target?: IptablesTarget;
  readonly comment?: string;
}

/** `name` is the option without its dashes; a value that belongs to no option has the name ''. */
export interface IptablesOption {
  readonly name: string;
  readonly negated: boolean;
  readonly values: readonly string[];
}

export interface IptablesMatch {
  /** `ip` for the built-in selectors, else the module's name. */
  readonly module: string;
  readonly options: readonly IptablesOption[];
}

export interface IptablesTarget {
  readonly name: string;
  readonly goto: boolean;
  readonly options: readonly IptablesOption[];
}

export function parseIptablesSave(text: string): Parsed<IptablesRuleset> {
  return parseIptablesSaveBytes(new TextEncoder().encode(text));
}

/** The same from the tool's own bytes, which the result keeps. `linesBefore`: how many of the text are not in them. */
export function parseIptablesSaveBytes(
  raw: Uint8Array,
  { linesBefore = 0 }: { readonly linesBefore?: number } = {},
): Parsed<IptablesRuleset> {
  return scanFile(withoutReturns(raw), linesBefore);
}

const NEWLINE = 10;
const RETURN = 13;
const COLON = 58;
const DASH = 45;
const OPENING = 91;

interface OpenTable extends ChainStarts {
  readonly name: string;
  readonly line: number;
}

interface Scan {
  readonly bytes: Uint8Array;
  /** Of the table in hand. */
  names: NameTable;
  readonly rules: RuleScanner;
  readonly columns: ColumnsBuilder;
  /** By shapeKey: the shape's number, -1 where the parser makes nothing of it. */
  readonly shapeNumbers: Map<number, number>;
  readonly shapes: RuleBody[];
  readonly unparsed: UnparsedLine[];
  chains: number;
}

function scanFile(bytes: Uint8Array, linesBefore: number): Parsed<IptablesRuleset> {
  const scan: Scan = {
    bytes,
    names: createNameTable(),
    rules: ruleScanner(bytes, (name) => scan.names.find(name)),
    columns: buildColumns(bytes),
    shapeNumbers: new Map(),
    shapes: [],
    unparsed: [],
    chains: 0,
  };
  const tables = scanTables(scan, linesBefore);
  const columns: RuleColumns = scan.columns.finish(scan.chains, scan.shapes);
  const value = { tables: tables.map((table) => new ScannedTable(table.name, columns, table)) };
  return { value, unparsed: scan.unparsed };
}

function scanTables(scan: Scan, linesBefore: number): OpenTable[] {
  const { bytes, unparsed } = scan;
  const tables: OpenTable[] = [];
  let table: OpenTable | undefined;
  const cut = (open: OpenTable): void => void unparsed.push({ line: open.line, text: `*${open.name} without COMMIT` });
  let line = linesBefore;
  for (let at = 0; at < bytes.length; at++) {
    line++;
    const first = bytes[at]!;
    const ruleEnd = table && (first === OPENING || first === DASH) ? scanRule(scan, at, line) : -1;
    if (ruleEnd >= 0) {
      at = ruleEnd;
      continue;
    }
    const newline = bytes.indexOf(NEWLINE, at);
    const end = newline < 0 ? bytes.length : newline;
    if (!(table && first === COLON && scanChain(scan, table, at, end))) {
      const content = textOf(bytes, at, end);
      if (content === 'COMMIT' && table) table = undefined;
      else if (/^\*[\w-]+$/.test(content)) {
        if (table) cut(table);
        scan.names = createNameTable();
        table = { name: content.slice(1), line, starts: [], names: scan.names };
        tables.push(table);
      } else if (content.trim() !== '' && !isRemark(content)) unparsed.push({ line, text: content });
    }
    at = end;
  }
  if (table) cut(table);
  return tables;
}

/** A comment, unless it says that a table, or base chains of it, could not be shown. */
function isRemark(content: string): boolean {
  return content.startsWith('#') && !/ (is|contains) incompatible/.test(content);
}

/** Whether a chain of a new name is declared there. */
function scanChain(scan: Scan, table: OpenTable, begin: number, end: number): boolean {
  const { rules, names, bytes } = scan;
  const nameEnd = rules.hashWord(begin + 1);
  if (!isPlainChain(bytes, begin + 1, nameEnd, end) && !CHAIN_LINE.test(textOf(bytes, begin, end))) return false;
  if (!names.add(rules.word, scan.chains)) return false;
  table.starts.push({ id: scan.chains++, offset: begin });
  return true;
}

/** `:NAME - [0:0]` in ASCII, as nearly all are. */
function isPlainChain(bytes: Uint8Array, begin: number, nameEnd: number, end: number): boolean {
  if (end - nameEnd !== PLAIN.length || nameEnd === begin) return false;
  for (let at = 0; at < PLAIN.length; at++) if (bytes[nameEnd + at] !== PLAIN.charCodeAt(at)) return false;
  for (let at = begin; at < nameEnd; at++) if (bytes[at]! < 33 || bytes[at]! > 126) return false;
  return true;
}

/** The end of the rule's line; -1 where it has none of a rule's form at all. */
function scanRule(scan: Scan, begin: number, line: number): number {
  const rule = scan.rules.scan(begin);
  if (!rule) return -1;
  const shape = rule.chain < 0 ? NO_SHAPE : shapeOf(scan, rule.shapeKey, begin);
  if (shape === NO_SHAPE) scan.unparsed.push({ line, text: textOf(scan.bytes, begin, rule.end) });
  else scan.columns.add(begin, line, rule.chain, shape, rule.destination, rule.port);
  return rule.end;
}

const NO_SHAPE = -1;

/** What the parser makes of one rule of a shape, it makes of all. */
function shapeOf(scan: Scan, key: number | undefined, begin: number): number {
  if (key === undefined) return NO_SHAPE;
  const known = scan.shapeNumbers.get(key);
  if (known !== undefined) return known;
  const body = parseRuleBody(RULE_LINE.exec(lineAt(scan.bytes, begin))?.groups?.['rest'] ?? '');
  const number = body ? scan.shapes.push(body) - 1 : NO_SHAPE;
  scan.shapeNumbers.set(key, number);
  return number;
}

/** Lines that end in CR LF as if they ended in LF. */
function withoutReturns(raw: Uint8Array): Uint8Array {
  if (!raw.includes(RETURN)) return raw;
  return raw.filter((byte, at) => byte !== RETURN || (at + 1 < raw.length && raw[at + 1] !== NEWLINE));
}

/** One rule in iptables-save's syntax, `-A CHAIN …`, as a change to a snapshot gives it. Undefined where it is none. */
export function parseIptablesRule(
  text: string,
  number: number,
): (IptablesRule & { readonly chain: string }) | undefined {
  const match = /^-A (?<chain>\S+)(?: (?<rest>.*))?$/.exec(text.trim())?.groups;
  const body = match && parseRuleBody(match.rest ?? '');
  return body && { chain: match.chain!, number, line: 0, text: text.trim(), ...body };
}
