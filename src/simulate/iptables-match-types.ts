import type { IptablesMatch, IptablesOption } from '../parse/iptables-save.ts';
import type { HookInput } from './hook.ts';
import type { Truth } from './trace.ts';
import { not } from './truth.ts';

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
    if (tests.length === 1) return tests[0];
    return (input) => {
      let all: Truth = 'yes';
      for (const test of tests) {
        const result = test(input);
        if (result === 'no') return 'no';
        if (result === 'unknown') all = result;
      }
      return all;
    };
  };
}

/**
 * A module that looks for something first: without it no option matches, negated or not (a match function that returns
 * false before it looks at its invert flags).
 */
export function guarded(applies: TruthEvaluator, compile: ModuleCompiler): ModuleCompiler {
  return (match) => {
    const test = compile(match);
    if (!test) return undefined;
    return (input) => {
      const does = applies(input);
      if (does === 'no') return 'no';
      const result = test(input);
      return does === 'yes' || result === 'no' ? result : 'unknown';
    };
  };
}

/** A module whose options are known but whose answer is no part of the state: limits, clocks, contents of the packet. */
export function undecidable(...options: readonly string[]): ModuleCompiler {
  const names = new Set(options);
  return (match) => (match.options.every((option) => names.has(option.name)) ? () => 'unknown' : undefined);
}

export const ALWAYS: ModuleCompiler = () => () => 'yes';

export function hasConnection({ meta }: HookInput): boolean {
  return meta.conntrack === 'new' || meta.conntrack === 'established' || meta.conntrack === 'related';
}

export function optionNamed(match: IptablesMatch, name: string): IptablesOption | undefined {
  return match.options.find((option) => option.name === name);
}

/** `0x10`, `16`, `020`: as iptables reads numbers (strtoul with base 0). Undefined where it is none. */
export function numberOf(text: string | undefined): number | undefined {
  if (text === undefined || !/^(0x[0-9a-fA-F]+|\d+)$/.test(text)) return undefined;
  return /^0[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number(text);
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
  return number === undefined || bits === undefined ? undefined : { value: number >>> 0, mask: bits >>> 0 };
}

export function firstValue(option: IptablesOption): string | undefined {
  return option.values.length === 1 ? option.values[0] : undefined;
}
