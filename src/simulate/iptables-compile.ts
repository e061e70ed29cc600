import type { IptablesChain, IptablesRule, IptablesRuleset } from '../parse/iptables-save.ts';
import { type CompiledMatches, compileMatches } from './iptables-match.ts';
import { compileTarget, type TargetEvaluator } from './iptables-target.ts';

export interface CompiledTable {
  readonly name: string;
  readonly chains: ReadonlyMap<string, CompiledChain>;
}

export interface CompiledChain {
  readonly name: string;
  readonly policy?: IptablesChain['policy'];
  readonly packets?: number;
  readonly rules: readonly CompiledRule[];
}

/** A rule whose matches and target are made ready at first touch: a big rule set is mostly passed by. */
export interface CompiledRule {
  readonly rule: IptablesRule;
  readonly matches: () => CompiledMatches;
  readonly target: () => TargetEvaluator;
}

const compiled = new WeakMap<IptablesRuleset, readonly CompiledTable[]>();

export function compileRuleset(ruleset: IptablesRuleset): readonly CompiledTable[] {
  const known = compiled.get(ruleset);
  if (known) return known;
  const tables = ruleset.tables.map((table) => {
    const names = new Set(table.chains.map((chain) => chain.name));
    const chains = table.chains.map((chain): [string, CompiledChain] => [chain.name, compileChain(chain, names)]);
    return { name: table.name, chains: new Map(chains) };
  });
  compiled.set(ruleset, tables);
  return tables;
}

function compileChain(chain: IptablesChain, names: ReadonlySet<string>): CompiledChain {
  return {
    name: chain.name,
    ...(chain.policy === undefined ? {} : { policy: chain.policy }),
    ...(chain.packets === undefined ? {} : { packets: chain.packets }),
    rules: chain.rules.map((rule) => ({
      rule,
      matches: once(() => compileMatches(rule.matches)),
      target: once(() => compileTarget(rule.target, (name) => names.has(name))),
    })),
  };
}

function once<T>(make: () => T): () => T {
  let value: T | undefined;
  return () => {
    value ??= make();
    return value;
  };
}
