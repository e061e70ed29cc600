import type { CaseItem, KernelCase } from './case.ts';
import { placeOf } from './collect-case.ts';
import type { RealRun } from './run-case.ts';
import type { StateChange } from './shown-change.ts';

/* Rules of nft as nft itself shows them, without their condition or with it turned round. Their handles stay. */

type Statement = Readonly<Record<string, unknown>>;

const NFT_RULE = /^add rule (?<family>\S+) (?<table>\S+) (?<chain>\S+) /;

interface FoundRule {
  readonly handle: number;
  readonly statements: readonly Statement[];
  readonly change: (expression: readonly Statement[] | undefined) => StateChange;
}

/** The rule that an item has made. */
export function nftRuleOf(one: KernelCase, run: RealRun, item: CaseItem): FoundRule | undefined {
  const at = item.kind === 'nft' ? NFT_RULE.exec(item.line)?.groups : undefined;
  if (!at) return undefined;
  const head = `add rule ${at.family} ${at.table} ${at.chain} `;
  const mates = one.items.filter(
    (other) => other.kind === 'nft' && other.ns === item.ns && other.line.startsWith(head),
  );
  const place = placeOf(one.namespaces.find(({ name }) => name === item.ns)!);
  const args = { family: at.family!, name: at.table! };
  const seen = run.before.fact('nft.table', place, args);
  const chain = seen.state === 'seen' && seen.value.tables[0]?.chains.find(({ name }) => name === at.chain);
  const rule = chain ? [...chain.rules][mates.indexOf(item)] : undefined;
  if (!rule || typeof rule.handle !== 'number') return undefined;
  const { handle } = rule;
  return {
    handle,
    statements: rule.statements as readonly Statement[],
    change: (expression) => ({
      op: 'shown',
      place,
      action: 'nft.table',
      args,
      where: { 'rule.handle': handle, 'rule.chain': at.chain },
      ...(expression && { set: { 'rule.expr': expression } }),
    }),
  };
}

/** What stands last before the counter: what the feature says, behind what aims the rule at a packet. */
function conditionAt(statements: readonly Statement[]): number {
  return statements.findIndex((one) => 'counter' in one) - 1;
}

export function withoutCondition(statements: readonly Statement[]): readonly Statement[] | undefined {
  const at = conditionAt(statements);
  return at < 0 ? undefined : statements.toSpliced(at, 1);
}

/** The rule that counts and does nothing more; undefined where it does nothing more anyway. */
export function withoutEffect(statements: readonly Statement[]): readonly Statement[] | undefined {
  const counter = statements.findIndex((one) => 'counter' in one);
  return counter < 0 || counter === statements.length - 1 ? undefined : statements.slice(0, counter + 1);
}

const TURNED: Readonly<Record<string, string>> = {
  '==': '!=',
  in: '!=',
  '!=': '==',
  '<': '>=',
  '>=': '<',
  '>': '<=',
  '<=': '>',
};

export function withConditionTurned(statements: readonly Statement[]): readonly Statement[] | undefined {
  const at = conditionAt(statements);
  const { match } = (statements[at] ?? {}) as { readonly match?: { readonly op: string; readonly right: unknown } };
  if (!match) return undefined;
  // `exists` and `missing` are shown as values.
  const turned =
    typeof match.right === 'boolean' ? { ...match, right: !match.right } : { ...match, op: TURNED[match.op] };
  return turned.op === undefined ? undefined : statements.with(at, { match: turned });
}
