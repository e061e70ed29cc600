import type { IptablesChain, IptablesRule, IptablesTable } from './iptables-save.ts';
import { NO_KEY, type RuleColumns } from './iptables-save-columns.ts';
import { hashOf, type NameTable } from './iptables-save-names.ts';
import { parseRuleBody, type RuleBody } from './iptables-save-rule.ts';

/** `:NAME POLICY [packets:bytes]` */
export const CHAIN_LINE = /^:(?<name>\S+) (?<policy>ACCEPT|DROP|QUEUE|-)(?: \[(?<packets>\d+):(?<bytes>\d+)\])?$/;
/** `[packets:bytes] -A CHAIN …`, the counters only with `-c` */
export const RULE_LINE = /^(?:\[(?<packets>\d+):(?<bytes>\d+)\] )?(?<text>-A (?<chain>\S+)(?: (?<rest>.*))?)$/s;

/** How nearly all chains are declared. */
export const PLAIN = ' - [0:0]';

const NEWLINE = 10;

/** Where a chain was declared, and its place among the chains of the whole file. */
export interface ChainStart {
  readonly id: number;
  readonly offset: number;
}

/** The chains of one table in their order, and where each is among them. */
export interface ChainStarts {
  readonly starts: ChainStart[];
  readonly names: NameTable;
}

/** The line that begins there, as a string of its own: a slice of the whole text would keep all of it in memory. */
export function lineAt(bytes: Uint8Array, offset: number): string {
  const end = bytes.indexOf(NEWLINE, offset);
  return textOf(bytes, offset, end < 0 ? bytes.length : end);
}

export function textOf(bytes: Uint8Array, begin: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + begin, end - begin).toString('utf8');
}

/** A table of a scanned file; its chains are made at the first look at them. */
export class ScannedTable implements IptablesTable {
  readonly name: string;
  readonly #columns: RuleColumns;
  readonly #starts: readonly ChainStart[];
  readonly #names: NameTable;
  readonly #known: ScannedChain[] = [];
  #chains: readonly ScannedChain[] | undefined;

  constructor(name: string, columns: RuleColumns, { starts, names }: ChainStarts) {
    this.name = name;
    this.#columns = columns;
    this.#starts = starts;
    this.#names = names;
  }

  /** All of them; whoever wants one asks for it by its name. */
  get chains(): readonly ScannedChain[] {
    this.#chains ??= this.#starts.map((_, index) => this.#chainAt(index));
    return this.#chains;
  }

  chainNamed(name: string): ScannedChain | undefined {
    const id = this.#names.find(hashOf(Buffer.from(name, 'utf8')));
    const chain = id < 0 ? undefined : this.#chainAt(id - this.#starts[0]!.id);
    return chain?.name === name ? chain : undefined;
  }

  /** One rule of each shape that the table's rules have. */
  get shapes(): readonly RuleBody[] {
    const [first, last] = [this.#starts[0], this.#starts.at(-1)];
    if (!first || !last) return [];
    return shapesBetween(this.#columns, this.#columns.starts[first.id]!, this.#columns.starts[last.id + 1]!);
  }

  #chainAt(index: number): ScannedChain {
    this.#known[index] ??= new ScannedChain(this.#columns, this.#starts[index]!);
    return this.#known[index];
  }
}

/** A chain of a scanned file. `rules` parses all of them; `ruleAt` and the keys look at one. */
export class ScannedChain implements IptablesChain {
  readonly name: string;
  readonly policy?: 'ACCEPT' | 'DROP' | 'QUEUE';
  readonly packets?: number;
  readonly bytes?: number;
  readonly #columns: RuleColumns;
  readonly #first: number;
  readonly #count: number;
  #known: IptablesRule[] | undefined;
  #rules: readonly IptablesRule[] | undefined;

  constructor(columns: RuleColumns, { id, offset }: ChainStart) {
    const line = lineAt(columns.bytes, offset);
    if (line.endsWith(PLAIN)) {
      this.name = line.slice(1, -PLAIN.length);
      this.packets = 0;
      this.bytes = 0;
    } else {
      const groups = CHAIN_LINE.exec(line)!.groups!;
      this.name = groups['name']!;
      if (groups['policy'] !== '-') this.policy = groups['policy'] as 'ACCEPT' | 'DROP' | 'QUEUE';
      Object.assign(this, countersOf(groups));
    }
    this.#columns = columns;
    this.#first = columns.starts[id]!;
    this.#count = columns.starts[id + 1]! - this.#first;
  }

  get rules(): readonly IptablesRule[] {
    this.#rules ??= Array.from({ length: this.#count }, (_, index) => this.ruleAt(index));
    return this.#rules;
  }

  get ruleCount(): number {
    return this.#count;
  }

  /** The rule of that index (its number less one), parsed at first touch. */
  ruleAt(index: number): IptablesRule {
    this.#known ??= [];
    const rule = this.#known[index] ?? readRule(this.#columns, this.#columns.ofChain[this.#first + index]!, index + 1);
    this.#known[index] = rule;
    return rule;
  }

  /** One rule of each shape that the chain's rules have. */
  get shapes(): readonly RuleBody[] {
    return shapesBetween(this.#columns, this.#first, this.#first + this.#count);
  }

  /** The key of the one address that the rule is about (addressKey); undefined where it may be about several. */
  destinationKey(index: number): number | undefined {
    return keyAt(this.#columns.destination, this.#columns.ofChain[this.#first + index]!);
  }

  /** The key of the one port that it is about (portKey). */
  portKey(index: number): number | undefined {
    return keyAt(this.#columns.port, this.#columns.ofChain[this.#first + index]!);
  }
}

function shapesBetween({ shape, shapes, ofChain }: RuleColumns, first: number, end: number): readonly RuleBody[] {
  const seen = new Set<number>();
  for (let at = first; at < end; at++) seen.add(shape[ofChain[at]!]!);
  return [...seen].map((one) => shapes[one]!);
}

function keyAt(column: Float64Array, rule: number): number | undefined {
  const key = column[rule]!;
  return key === NO_KEY ? undefined : key;
}

function readRule(columns: RuleColumns, row: number, number: number): IptablesRule {
  const [, packets, bytes, text, , rest = ''] = RULE_LINE.exec(lineAt(columns.bytes, columns.offset[row]!))!;
  // The scan let no line through of whose shape the parser makes nothing.
  const body: RuleBody = parseRuleBody(rest)!;
  const counters = packets === undefined ? {} : { packets: Number(packets), bytes: Number(bytes) };
  return { number, line: columns.line[row]!, text: text!, ...counters, ...body };
}

export function countersOf(groups: Record<string, string | undefined>): { packets?: number; bytes?: number } {
  if (groups['packets'] === undefined) return {};
  return { packets: Number(groups['packets']), bytes: Number(groups['bytes']) };
}
