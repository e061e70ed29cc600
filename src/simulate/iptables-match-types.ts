import type { IptablesMatch, IptablesOption } from '../parse/iptables-save.ts';
import type { HookInput } from './hook.ts';
import type { Truth } from './trace.ts';
import { and, not } from './truth.ts';

export type MatchResult = Truth | { readonly probability: number };
export type Evaluator = (input: HookInput) => MatchResult;
export type TruthEvaluator = (input: HookInput) => Truth;

/** Makes the evaluator of one `-m` module's use; undefined where an option or value is not modelled. */
export type ModuleCompiler = (match: IptablesMatch) => Evaluator | undefined;
export type ModuleTable = Readonly<Record<string, ModuleCompiler>>;

/** One option's test, before its `!`. */
export type OptionCompiler = (option: IptablesOption, match: IptablesMatch) => TruthEvaluator | undefined;

/** A module whose options are independent tests: all must hold, each perhaps negated. */
export function perOption(options: Readonly<Record<string, OptionCompiler>>): ModuleCompiler {
  return (match) => {
    const tests: TruthEvaluator[] = [];
    for (const option of match.options) {
      const compile = Object.hasOwn(options, option.name) ? options[option.name] : undefined;
      const test = compile?.(option, match);
      if (!test) return undefined;
      tests.push(option.negated ? (input) => not(test(input)) : test);
    }
    return (input) => {
      let all: Truth = 'yes';
      for (const test of tests) {
        all = and(all, test(input));
        if (all === 'no') return 'no';
      }
      return all;
    };
  };
}

export const ALWAYS: ModuleCompiler = () => () => 'yes';

/** `0x10`, `16`, `020`: as iptables reads numbers. Undefined where it is none. */
export function numberOf(text: string | undefined): number | undefined {
  if (text === undefined || !/^(0x[0-9a-fA-F]+|\d+)$/.test(text)) return undefined;
  return Number(text);
}

/** `a`, `a:b`, `a-b` (by the separator), open ends allowed. */
export function rangeOf(
  text: string | undefined,
  separator: ':' | '-',
  longest: number,
): { readonly from: number; readonly to: number } | undefined {
  if (text === undefined || text === '') return undefined;
  const [first, second, more] = text.split(separator);
  if (more !== undefined) return undefined;
  const from = first === '' ? 0 : numberOf(first);
  const to = second === undefined ? from : second === '' ? longest : numberOf(second);
  return from === undefined || to === undefined ? undefined : { from, to };
}

/** `value[/mask]` */
export function maskedValue(text: string | undefined): { readonly value: number; readonly mask: number } | undefined {
  const [value, mask] = (text ?? '').split('/');
  const number = numberOf(value);
  const bits = mask === undefined ? 0xffff_ffff : numberOf(mask);
  return number === undefined || bits === undefined ? undefined : { value: number, mask: bits };
}

export function firstValue(option: IptablesOption): string | undefined {
  return option.values.length === 1 ? option.values[0] : undefined;
}
