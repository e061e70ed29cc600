/** Test helper: an iptables-save read line by line, as it is defined; the scan has to come to the same. */
import type { IptablesChain, IptablesRule, IptablesRuleset } from '../iptables-save.ts';
import { CHAIN_LINE, countersOf, RULE_LINE } from '../iptables-save-chains.ts';
import { parseRuleBody } from '../iptables-save-rule.ts';
import type { Parsed, UnparsedLine } from '../parsed.ts';

interface OpenTable {
  readonly name: string;
  readonly line: number;
  readonly chains: Map<string, IptablesChain & { readonly rules: IptablesRule[] }>;
}

export function parseByLines(text: string): Parsed<IptablesRuleset> {
  const tables: OpenTable[] = [];
  const unparsed: UnparsedLine[] = [];
  let table: OpenTable | undefined;
  for (const [index, raw] of text.split('\n').entries()) {
    const line = index + 1;
    const content = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
    const isRemark = content.startsWith('#') && !/ (is|contains) incompatible/.test(content);
    if (content.trim() === '' || isRemark) continue;
    if (content === 'COMMIT' && table) table = undefined;
    else if (/^\*[\w-]+$/.test(content)) {
      if (table) unparsed.push({ line: table.line, text: `*${table.name} without COMMIT` });
      table = { name: content.slice(1), line, chains: new Map() };
      tables.push(table);
    } else if (!table || !readLine(table, content, line)) unparsed.push({ line, text: content });
  }
  if (table) unparsed.push({ line: table.line, text: `*${table.name} without COMMIT` });
  return { value: { tables: tables.map(({ name, chains }) => ({ name, chains: [...chains.values()] })) }, unparsed };
}

function readLine(table: OpenTable, content: string, line: number): boolean {
  const chain = CHAIN_LINE.exec(content)?.groups;
  if (chain) {
    const name = chain['name']!;
    if (table.chains.has(name)) return false;
    const policy = chain['policy'] === '-' ? {} : { policy: chain['policy'] as 'ACCEPT' | 'DROP' | 'QUEUE' };
    table.chains.set(name, { name, ...policy, ...countersOf(chain), rules: [] });
    return true;
  }
  const rule = RULE_LINE.exec(content)?.groups;
  const rules = table.chains.get(rule?.['chain'] ?? '')?.rules;
  const body = rule && parseRuleBody(rule['rest'] ?? '');
  if (!rule || !rules || !body) return false;
  rules.push({ number: rules.length + 1, line, text: rule['text']!, ...countersOf(rule), ...body });
  return true;
}
