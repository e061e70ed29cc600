import { type IptablesRuleset, parseIptablesSaveBytes } from './iptables-save.ts';
import type { Parsed } from './parsed.ts';

/**
 * `iptables-nft -t TABLE -v -S CHAIN` (iptables(8)): one chain with its counters. The lines are iptables-save's but for
 * two things: the chain is declared by `-P CHAIN POLICY -c P B` or `-N CHAIN`, and a rule's counters stand as `-c P B`
 * before its target. So they are put as iptables-save would print them, and read as such. Seen: iptables 1.8.9.
 */
export function parseIptablesList(text: string, table: string): Parsed<IptablesRuleset> {
  const lines = text.split('\n').map(asSaved);
  const saved = [`*${table}`, ...lines, 'COMMIT', ''].join('\n');
  return parseIptablesSaveBytes(new TextEncoder().encode(saved), { linesBefore: -1 });
}

const POLICY = /^-P (?<chain>\S+) (?<policy>\S+)(?: -c (?<packets>\d+) (?<bytes>\d+))?$/;
const NEW = /^-N (?<chain>\S+)$/;
/** Words, quoted ones whole: a comment may hold what looks like counters. */
const RULE =
  /^(?<before>-A(?: (?:"(?:[^"\\]|\\.)*"|[^"\s]\S*))+?) -c (?<packets>\d+) (?<bytes>\d+)(?<after>(?: -[jg] .*)?)$/;

function asSaved(line: string): string {
  const rule = RULE.exec(line)?.groups;
  if (rule) return `[${rule.packets}:${rule.bytes}] ${rule.before}${rule.after}`;
  const base = POLICY.exec(line)?.groups;
  if (base) return `:${base.chain} ${base.policy} [${base.packets ?? 0}:${base.bytes ?? 0}]`;
  const chain = NEW.exec(line)?.groups?.chain;
  return chain === undefined ? line : `:${chain} - [0:0]`;
}
