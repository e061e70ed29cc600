import type { IptablesChain, IptablesRuleset, IptablesTable } from '../parse/iptables-save.ts';
import { ScannedTable } from '../parse/iptables-save-chains.ts';
import type { Seen } from '../snapshot/snapshot.ts';
import type { Unread } from './chainwise.ts';
import { type CompiledRule, compileRule } from './iptables-compile-rule.ts';
import { indexChain, type RuleIndex, ruleAt, ruleCountOf } from './iptables-rule-index.ts';
import type { TargetEvaluator } from './iptables-target.ts';

export interface CompiledTable {
  readonly name: string;
  /** Made ready at first touch: a big rule set is mostly passed by. */
  readonly chain: (name: string) => CompiledChain | undefined;
}

export interface CompiledChain {
  readonly name: string;
  readonly policy?: IptablesChain['policy'];
  readonly packets?: number;
  readonly ruleCount: number;
  readonly rule: (index: number) => CompiledRule;
  /** Of a long chain: which rules can match a packet. */
  readonly index: RuleIndex | undefined;
  /** The reply that shows this chain alone, where they are read one by one. */
  readonly observed?: Seen<IptablesRuleset>;
  /** It is there, but its rules are not at hand. */
  readonly unread?: Unread;
}

const compiled = new WeakMap<IptablesRuleset, readonly CompiledTable[]>();
/** A what-if's overlay has most of its tables in common with what it lies over. */
const tables = new WeakMap<IptablesTable, CompiledTable>();

export function compileRuleset(ruleset: IptablesRuleset): readonly CompiledTable[] {
  const known = compiled.get(ruleset) ?? ruleset.tables.map(compileTable);
  compiled.set(ruleset, known);
  return known;
}

function compileTable(table: IptablesTable): CompiledTable {
  const known = tables.get(table);
  if (known) return known;
  const named = chainsByName(table);
  const isChain = (name: string): boolean => named(name) !== undefined;
  const chains = new Map<string, CompiledChain>();
  const targets = new Map<string, TargetEvaluator>();
  const made: CompiledTable = {
    name: table.name,
    chain: (name) => {
      const former = chains.get(name);
      if (former) return former;
      const chain = named(name);
      if (!chain) return undefined;
      const fresh = compileChain(chain, isChain, targets);
      chains.set(name, fresh);
      return fresh;
    },
  };
  tables.set(table, made);
  return made;
}

function chainsByName(table: IptablesTable): (name: string) => IptablesChain | undefined {
  if (table instanceof ScannedTable) return (name) => table.chainNamed(name);
  const byName = new Map(table.chains.map((chain) => [chain.name, chain]));
  return (name) => byName.get(name);
}

export function compileChain(
  chain: IptablesChain,
  isChain: (name: string) => boolean,
  targets: Map<string, TargetEvaluator>,
): CompiledChain {
  const rules: CompiledRule[] = [];
  return {
    name: chain.name,
    ...(chain.policy === undefined ? {} : { policy: chain.policy }),
    ...(chain.packets === undefined ? {} : { packets: chain.packets }),
    ruleCount: ruleCountOf(chain),
    rule: (index) => {
      rules[index] ??= compileRule(ruleAt(chain, index), isChain, targets);
      return rules[index];
    },
    index: indexChain(chain),
  };
}
