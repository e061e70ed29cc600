import type { IptablesMatch, IptablesRule } from '../parse/iptables-save.ts';
import type { CompiledChain } from './iptables-compile.ts';
import { type CompiledMatches, compileMatches } from './iptables-match.ts';
import { compileTarget, type TargetEffect, type TargetEvaluator } from './iptables-target.ts';
import type { Step } from './trace.ts';

/** A rule whose matches and target are made ready at first touch. */
export interface CompiledRule {
  readonly rule: IptablesRule;
  readonly matches: CompiledMatches;
  readonly target: TargetEvaluator;
  /** The chain that it calls, once it was called. */
  callee?: CompiledChain;
  /** What was told of it last (iptables-traverse.ts). */
  told?: ToldStep;
}

export interface ToldStep {
  readonly context: object;
  readonly effect: TargetEffect;
  readonly step: Step;
}

/** Equal matches and targets of different rules are one: kube-proxy writes thousands of them, and memory is slow. */
const SHARED_MAX = 4096;
const sharedMatches = new Map<string, CompiledMatches>();

export function compileRule(
  rule: IptablesRule,
  isChain: (name: string) => boolean,
  sharedTargets: Map<string, TargetEvaluator>,
): CompiledRule {
  const matches = rule.matches.filter((match) => match.module !== 'comment');
  return {
    rule,
    matches: shared(sharedMatches, keyOf(matches), () => compileMatches(matches)),
    target: shared(sharedTargets, JSON.stringify(rule.target), () => compileTarget(rule.target, isChain)),
  };
}

function keyOf(matches: readonly IptablesMatch[]): string {
  return matches.length === 0 ? '' : JSON.stringify(matches);
}

function shared<T>(known: Map<string, T>, key: string | undefined, make: () => T): T {
  const name = key ?? '';
  const former = known.get(name);
  if (former !== undefined) return former;
  if (known.size >= SHARED_MAX) known.clear();
  const fresh = make();
  known.set(name, fresh);
  return fresh;
}
