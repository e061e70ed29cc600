import type { NftRule } from '../parse/nft-json.ts';
import { nftNode } from '../parse/nft-node.ts';
import { renderNftStatement } from '../parse/nft-rule-text.ts';
import { groupAlike } from './group-alike.ts';
import { BREAK, NEXT, type NftBranch, one } from './nftables-branch.ts';
import { together } from './nftables-datum.ts';
import { after } from './nftables-expression.ts';
import { type Ready, readyStatements } from './nftables-ready.ts';
import { type NftScope, stateKey } from './nftables-state.ts';
import { runStatement } from './nftables-statement.ts';
import { sameValue } from './same-value.ts';
import { CERTAIN } from './truth.ts';

/**
 * The ways in which a rule can deal with the packet; those that come to the same are one. `ready`: statements that need not be
 * read; with none, the readable evaluator does all.
 */
export function runRule(
  rule: NftRule,
  scope: NftScope,
  ready: readonly (Ready | undefined)[] = readyStatements(rule),
): readonly NftBranch[] {
  let only = one(NEXT, scope.state);
  let here = scope;
  for (let index = 0; index < rule.statements.length; index++) {
    const quick = ready[index]?.(here);
    if (quick === 'next') continue;
    const ways = quick === 'break' ? [one(BREAK, here.state)] : (quick ?? runStatement(rule.statements[index], here));
    const [way] = ways;
    // Mostly a statement goes one way for sure, and says nothing more.
    if (
      ways.length !== 1 ||
      !way ||
      way.chance !== CERTAIN ||
      way.fork ||
      way.doubts.length + way.features.length > 0
    ) {
      const start = ways.map((way) => joined(only, withBreak(rule, index, way)));
      return forkedRule(rule, index + 1, scope, start);
    }
    only = withBreak(rule, index, way);
    if (way.turn.kind !== 'next') return [only];
    if (way.state !== here.state) here = { ...scope, state: way.state };
  }
  return [only];
}

/**
 * A statement that asks for what the packet does not have leaves the rule as a match does that fails (NFT_BREAK), and a
 * counter before it has counted.
 */
function withBreak(rule: NftRule, index: number, way: NftBranch): NftBranch {
  if (way.turn.kind !== 'break' || firstCounter(rule) >= index) return way;
  const statement = rule.statements[index];
  return isMatch(statement) ? way : { ...way, turn: { kind: 'break', behind: renderNftStatement(statement) } };
}

function isMatch(statement: unknown): boolean {
  return nftNode(statement)?.kind === 'match';
}

const counters = new WeakMap<NftRule, number>();

/** Infinity where the rule has none. */
function firstCounter(rule: NftRule): number {
  const known = counters.get(rule);
  if (known !== undefined) return known;
  const index = rule.statements.findIndex((statement) => nftNode(statement)?.kind === 'counter');
  const first = index < 0 ? Number.POSITIVE_INFINITY : index;
  counters.set(rule, first);
  return first;
}

function forkedRule(rule: NftRule, from: number, scope: NftScope, start: readonly NftBranch[]): readonly NftBranch[] {
  let branches = start;
  for (let index = from; index < rule.statements.length; index++) {
    branches = branches.flatMap((branch) => {
      if (branch.turn.kind !== 'next') return [branch];
      const ways = runStatement(rule.statements[index], { ...scope, state: branch.state });
      return ways.map((way) => joined(branch, withBreak(rule, index, way)));
    });
  }
  return branches.length === 1 ? branches : merged(branches);
}

function joined(first: NftBranch, second: NftBranch): NftBranch {
  return {
    turn: second.turn,
    state: second.state,
    ...after(first, second),
    doubts: both(first.doubts, second.doubts),
    features: both(first.features, second.features),
  };
}

function both(first: readonly string[], second: readonly string[]): readonly string[] {
  return first.length === 0 ? second : [...first, ...second];
}

function turnOf({ turn }: NftBranch): NftBranch['turn'] {
  return turn.kind === 'break' ? NEXT : turn;
}

function leadsAlike(a: NftBranch, b: NftBranch): boolean {
  return sameValue(turnOf(a), turnOf(b)) && (a.state === b.state || stateKey(a.state) === stateKey(b.state));
}

/** By chance the rule matched or did not. */
function isDrawn(group: readonly NftBranch[]): boolean {
  const left = group.filter(({ turn }) => turn.kind === 'break');
  return left.length > 0 && left.length < group.length && group.every(({ fork }) => fork === 'random');
}

/** Leaving a rule and coming to its end are the same for the packet, if the rule has changed nothing. */
function merged(branches: readonly NftBranch[]): readonly NftBranch[] {
  const groups = groupAlike(branches, leadsAlike, (one) => `${JSON.stringify(turnOf(one))} ${stateKey(one.state)}`);
  const certain = groups.length === 1;
  return groups.map((group) => {
    const [first] = group;
    if (group.length === 1 || !first) return first!;
    const { fork: _, ...branch } = first;
    return {
      ...branch,
      ...(certain ? {} : { fork: group.some((way) => way.fork === 'undecided') ? 'undecided' : 'random' }),
      chance: certain ? CERTAIN : together(group.map((way) => way.chance)),
      doubts: [...new Set(group.flatMap((way) => (isDrawn(group) ? [...way.doubts, 'a random choice'] : way.doubts)))],
      features: [...new Set(group.flatMap((way) => way.features))],
    };
  });
}
