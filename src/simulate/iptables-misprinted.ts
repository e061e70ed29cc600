import type { Request } from '../host/host.ts';
import type { NftRule, NftTable } from '../parse/nft-json.ts';
import { asRecord, nftNode } from '../parse/nft-node.ts';
import type { HookInput, HookOutcome } from './hook.ts';
import type { CompiledTable } from './iptables-compile.ts';
import type { Step } from './trace.ts';

/*
 * A rule that nft itself has put into a chain of iptables' with a set, a map or a range of addresses is printed by
 * iptables-nft-save (1.8.9, tried) without that condition, or as one address: `ip saddr @bad drop` becomes `-j DROP`.
 */

/** All that such a rule can look like. */
const BARE =
  /^-A \S+(?: (?:! )?-p \S+)?(?: -m (?:tcp|udp|icmp|icmp6|sctp))?(?: -[sd] \S+\/(?:32|128))?(?: -j (?:ACCEPT|DROP|RETURN))?$/;

/** The targets of such; most steps are told by theirs to be no such rule. */
const BARE_TARGETS: ReadonlySet<unknown> = new Set(['', 'ACCEPT', 'DROP', 'RETURN']);

/** Outcomes of a table of iptables-nft; where a bare rule had a part in one, nft is asked for the chain that it stands in. */
export function checkedByNft(
  outcomes: readonly HookOutcome[],
  table: CompiledTable,
  input: HookInput,
): readonly HookOutcome[] {
  return outcomes.some(({ steps }) => steps.some((step) => isSuspect(step, table)))
    ? outcomes.map((outcome) => checkedOutcome(outcome, table, input))
    : outcomes;
}

function checkedOutcome(outcome: HookOutcome, table: CompiledTable, input: HookInput): HookOutcome {
  const wants: Request[] = [];
  for (const step of outcome.steps.filter((one) => isSuspect(one, table))) {
    const chain = String(step.values.chain);
    const family = input.family === 4 ? 'ip' : 'ip6';
    const observed = input.snapshot.fact('nft.chain', input.place, { family, name: table.name, chain });
    if (observed.state === 'unseen') {
      if (observed.gap === 'not-asked') wants.push(observed.want);
      continue;
    }
    const rule = ruleIn(observed.value.tables, chain, Number(step.values.ruleNumber));
    if (!rule?.statements.some(isMisprinted)) continue;
    const because = `iptables-nft-save prints the rule “${rule.text}” as “${step.values.ruleText}”`;
    return { ...outcome, verdict: { kind: 'unknown', because } };
  }
  return wants.length > 0 ? { ...outcome, wants } : outcome;
}

/** A match but those of the headers tells it at once. */
function isBare(ruleText: string): boolean {
  return !ruleText.includes(' --') && BARE.test(ruleText);
}

/** A chain that ends with a bare RETURN, as Docker's do, does the same without. */
function isSuspect({ kind, matched, values }: Step, table: CompiledTable): boolean {
  if (kind !== 'rule' || matched === 'no' || !BARE_TARGETS.has(values.target)) return false;
  if (!isBare(String(values.ruleText))) return false;
  return values.target !== 'RETURN' || values.ruleNumber !== table.chain(String(values.chain))?.ruleCount;
}

function ruleIn(tables: readonly NftTable[], chain: string, number: number): NftRule | undefined {
  return tables.flatMap(({ chains }) => chains).find(({ name }) => name === chain)?.rules[number - 1];
}

/** A condition that iptables-nft-save leaves out or cuts short. */
export function isMisprinted(statement: unknown): boolean {
  const node = nftNode(statement);
  if (node?.kind === 'vmap') return true;
  if (node?.kind !== 'match') return false;
  const { left, right } = asRecord(node.body) ?? {};
  if (nftNode(right)?.kind === 'set' || (typeof right === 'string' && right.startsWith('@'))) return true;
  return nftNode(right)?.kind === 'range' && isAddress(left);
}

function isAddress(expression: unknown): boolean {
  const payload = asRecord(asRecord(expression)?.payload);
  return payload?.field === 'saddr' || payload?.field === 'daddr';
}
