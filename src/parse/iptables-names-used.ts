import type { IptablesChain, IptablesTable } from './iptables-save.ts';
import { ScannedChain, ScannedTable } from './iptables-save-chains.ts';
import type { RuleBody } from './iptables-save-rule.ts';

export interface NamesUsed {
  /** Of match modules: `conntrack`, `set`; `ip` for the built-in selectors. */
  readonly modules: ReadonlySet<string>;
  /** Of targets, among them perhaps names of chains. */
  readonly targets: ReadonlySet<string>;
}

const known = new WeakMap<IptablesTable, NamesUsed>();

/** Which modules and targets occur in some rule of a table. It costs a look at each shape, not at each rule. */
export function namesUsed(table: IptablesTable): NamesUsed {
  const former = known.get(table);
  if (former) return former;
  const bodies = table instanceof ScannedTable ? table.shapes : table.chains.flatMap(bodiesOf);
  const used: NamesUsed = {
    modules: new Set(bodies.flatMap((body) => body.matches.map((match) => match.module))),
    targets: new Set(bodies.flatMap((body) => body.target?.name ?? [])),
  };
  known.set(table, used);
  return used;
}

function bodiesOf(chain: IptablesChain): readonly RuleBody[] {
  return chain instanceof ScannedChain ? chain.shapes : chain.rules;
}
