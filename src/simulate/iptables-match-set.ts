import type { IptablesMatch } from '../parse/iptables-save.ts';
import { isComplete } from '../snapshot/snapshot.ts';
import type { HookInput } from './hook.ts';
import { ipsetContains } from './ipset.ts';
import type { Evaluator, ModuleTable, TruthEvaluator } from './iptables-match-types.ts';
import type { Truth } from './trace.ts';
import { not } from './truth.ts';

type Dimension = 'src' | 'dst';

/** `-m set` (ipset(8), iptables-extensions(8)). A set that was not seen leaves the rule undecided. */
export const SET_MODULES: ModuleTable = { set: compileSet };

/** Options that only touch the set's counters change no match of ours; tests of the counters are undecided. */
const HARMLESS = new Set(['return-nomatch', 'update-counters', 'update-subcounters']);

function compileSet(match: IptablesMatch): Evaluator | undefined {
  const option = match.options.find((one) => one.name === 'match-set');
  const [name, flags] = option?.values ?? [];
  const dimensions = (flags ?? '').split(',');
  if (!option || name === undefined || !dimensions.every(isDimension)) return undefined;
  const others = match.options.filter((one) => one !== option);
  // `--return-nomatch` turns the meaning of nomatch entries, the counters' tests need counters: undecided.
  if (others.some((one) => !HARMLESS.has(one.name) || one.name === 'return-nomatch')) return undefined;
  const test: TruthEvaluator = (input) => contains(name, dimensions, input);
  return option.negated ? (input) => not(test(input)) : test;
}

function isDimension(text: string): text is Dimension {
  return text === 'src' || text === 'dst';
}

function contains(name: string, dimensions: readonly Dimension[], input: HookInput): Truth {
  const sets = input.snapshot.fact('ipsets', input.place);
  if (sets.state !== 'seen') return 'unknown';
  const set = sets.value.find((one) => one.name === name);
  if (!set) return 'unknown';
  const found = ipsetContains(set, { dimensions, input }, (member) => sets.value.find((one) => one.name === member));
  return found === 'no' && !isComplete(sets) ? 'unknown' : found;
}
