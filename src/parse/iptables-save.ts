import { splitWords, type Word } from './iptables-save-words.ts';
import type { Parsed, UnparsedLine } from './parsed.ts';

/**
 * `iptables-save -c`, `iptables-legacy-save -c`, `iptables-nft-save -c` and their ip6 siblings (iptables-save(8)).
 * A rule is kept as it was printed; its matches are split into modules with their raw arguments and modelled by
 * simulate/iptables.ts. A line that has not the format's shape is unparsed; so is a table without its COMMIT (the
 * output was cut) and one that iptables-nft calls incompatible. Seen: iptables 1.8.4 to 1.8.11, both backends.
 * Not understood: `iptables -S`, and `--bytecode` and `--u32` programs, which stay text.
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

interface OpenTable {
  readonly name: string;
  readonly line: number;
  readonly chains: Map<string, { -readonly [K in keyof IptablesChain]: IptablesChain[K] } & { rules: IptablesRule[] }>;
}

export function parseIptablesSave(text: string): Parsed<IptablesRuleset> {
  const tables: IptablesTable[] = [];
  const unparsed: UnparsedLine[] = [];
  let table: OpenTable | undefined;
  const close = (): void => {
    if (table) tables.push({ name: table.name, chains: [...table.chains.values()] });
    table = undefined;
  };
  for (const [index, raw] of text.split('\n').entries()) {
    const line = index + 1;
    const content = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
    if (content.trim() === '' || isRemark(content)) continue;
    if (content === 'COMMIT' && table) {
      close();
    } else if (/^\*[\w-]+$/.test(content)) {
      if (table) unparsed.push({ line: table.line, text: `*${table.name} without COMMIT` });
      close();
      table = { name: content.slice(1), line, chains: new Map() };
    } else if (!table || !readTableLine(table, content, line)) {
      unparsed.push({ line, text: content });
    }
  }
  if (table) unparsed.push({ line: table.line, text: `*${table.name} without COMMIT` });
  close();
  return { value: { tables }, unparsed };
}

/** A comment, unless it says that a table could not be shown. */
function isRemark(content: string): boolean {
  return content.startsWith('#') && !content.includes('is incompatible');
}

function readTableLine(table: OpenTable, content: string, line: number): boolean {
  const chain = /^:(?<name>\S+) (?<policy>ACCEPT|DROP|QUEUE|-)(?: \[(?<packets>\d+):(?<bytes>\d+)\])?$/.exec(
    content,
  )?.groups;
  if (chain) {
    if (table.chains.has(chain.name!)) return false;
    table.chains.set(chain.name!, {
      name: chain.name!,
      ...(chain.policy === '-' ? {} : { policy: chain.policy as 'ACCEPT' | 'DROP' | 'QUEUE' }),
      ...countersOf(chain),
      rules: [],
    });
    return true;
  }
  const rule = /^(?:\[(?<packets>\d+):(?<bytes>\d+)\] )?(?<text>-A (?<chain>\S+)(?: (?<rest>.*))?)$/.exec(
    content,
  )?.groups;
  if (!rule) return false;
  const rules = table.chains.get(rule.chain!)?.rules;
  const body = parseRuleBody(rule.rest ?? '');
  if (!rules || !body) return false;
  rules.push({ number: rules.length + 1, line, text: rule.text!, ...countersOf(rule), ...body });
  return true;
}

function countersOf(groups: Record<string, string | undefined>): { packets?: number; bytes?: number } {
  if (groups.packets === undefined) return {};
  return { packets: Number(groups.packets), bytes: Number(groups.bytes) };
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

type RuleBody = Pick<IptablesRule, 'matches' | 'target' | 'comment'>;
type OpenOption = { name: string; negated: boolean; values: string[] };
type OpenGroup = { kind: 'match' | 'target'; name: string; goto: boolean; options: OpenOption[] };

/** Options whose one value may begin with a dash, since iptables-save quotes only other characters. */
const TAKES_ANY_WORD = new Set([
  'comment',
  'log-prefix',
  'nflog-prefix',
  'string',
  'hex-string',
  'name',
  'hashlimit-name',
  'match-set',
  'nfacct-name',
  'helper',
  'i',
  'o',
  'in-interface',
  'out-interface',
  'physdev-in',
  'physdev-out',
  'm',
  'j',
  'g',
]);

function parseRuleBody(text: string): RuleBody | undefined {
  const words = splitWords(text);
  if (!words) return undefined;
  const groups = groupOptions(words);
  if (!groups) return undefined;
  const target = groups.find((group) => group.kind === 'target');
  const matches = groups
    .filter((group) => group.kind === 'match' && (group.name !== 'ip' || group.options.length > 0))
    .map((group) => ({ module: group.name, options: group.options }));
  const comment = matches.find((match) => match.module === 'comment')?.options[0]?.values[0];
  return {
    matches,
    ...(target ? { target: { name: target.name, goto: target.goto, options: target.options } } : {}),
    ...(comment === undefined ? {} : { comment }),
  };
}

function groupOptions(words: readonly Word[]): OpenGroup[] | undefined {
  const groups: OpenGroup[] = [{ kind: 'match', name: 'ip', goto: false, options: [] }];
  let negated = false;
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    const group = groups.at(-1)!;
    if (word.text === '!' && !word.quoted) {
      if (negated) return undefined;
      negated = true;
      continue;
    }
    const name = word.quoted ? undefined : optionName(word.text);
    if (name === undefined) {
      if (negated) return undefined;
      addValue(group, word.text);
      continue;
    }
    const next = words[at + 1];
    if (name === 'm' || name === 'j' || name === 'g') {
      if (!next || negated) return undefined;
      groups.push({ kind: name === 'm' ? 'match' : 'target', name: next.text, goto: name === 'g', options: [] });
      at++;
      continue;
    }
    const option: OpenOption = { name, negated, values: [] };
    negated = false;
    group.options.push(option);
    if (TAKES_ANY_WORD.has(name) && next) {
      option.values.push(next.text);
      at++;
    }
  }
  return negated ? undefined : groups;
}

function optionName(word: string): string | undefined {
  return /^--?(?<name>[A-Za-z][\w-]*)$/.exec(word)?.groups?.name;
}

function addValue(group: OpenGroup, value: string): void {
  const last = group.options.at(-1);
  if (last) last.values.push(value);
  else group.options.push({ name: '', negated: false, values: [value] });
}
