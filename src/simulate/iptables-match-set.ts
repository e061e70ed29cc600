import type { IptablesMatch } from '../parse/iptables-save.ts';
import { isComplete } from '../snapshot/snapshot.ts';
import type { HookInput } from './hook.ts';
import { ipsetContains } from './ipset.ts';
import { type Evaluator, type ModuleTable, numberOf, type TruthEvaluator } from './iptables-match-types.ts';
import type { Truth } from './trace.ts';
import { and, not } from './truth.ts';

type Dimension = 'src' | 'dst';

/** `-m set` (ipset(8), iptables-extensions(8)). A set that was not seen leaves the rule undecided. */
export const SET_MODULES: ModuleTable = { set: compileSet };

/** Whether the set's counters are written changes no match. */
const HARMLESS = new Set(['update-counters', 'update-subcounters']);
const COUNTER_TESTS = /^(?:packets|bytes)-(?:eq|lt|gt)$/;

function compileSet(match: IptablesMatch): Evaluator | undefined {
  const option = match.options.find((one) => one.name === 'match-set');
  const [name, flags] = option?.values ?? [];
  const dimensions = (flags ?? '').split(',');
  if (!option || name === undefined || !dimensions.every(isDimension)) return undefined;
  const others = match.options.filter((one) => one !== option && !HARMLESS.has(one.name));
  const counters = others.filter((one) => COUNTER_TESTS.test(one.name) && numberOf(one.values[0]) !== undefined);
  const returnsNomatch = others.some((one) => one.name === 'return-nomatch');
  if (others.some((one) => !counters.includes(one) && one.name !== 'return-nomatch')) return undefined;
  const test: TruthEvaluator = (input) => {
    const found = contains(name, dimensions, input, returnsNomatch);
    // The counters as they were collected are not those that this packet will meet.
    return counters.length > 0 ? and(found, 'unknown') : found;
  };
  return option.negated ? (input) => not(test(input)) : test;
}

function isDimension(text: string): text is Dimension {
  return text === 'src' || text === 'dst';
}

function contains(name: string, dimensions: readonly Dimension[], input: HookInput, returnsNomatch: boolean): Truth {
  const sets = input.snapshot.fact('ipsets', input.place);
  if (sets.state !== 'seen') return 'unknown';
  const set = sets.value.find((one) => one.name === name);
  // A rule of this walk has added the packet's own values to it, or taken them away.
  if (!set || input.touched?.includes(touchedSet(name))) return 'unknown';
  const lookup = { dimensions, input, returnsNomatch };
  const found = ipsetContains(set, lookup, (member) => sets.value.find((one) => one.name === member));
  return found === 'no' && !isComplete(sets) ? 'unknown' : found;
}

/** How HookInput.touched names an ipset. */
export function touchedSet(name: string): string {
  return `ipset ${name}`;
}
