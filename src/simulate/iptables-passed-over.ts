import type { IptablesMatch, IptablesOption, IptablesRule } from '../parse/iptables-save.ts';
import type { HookInput } from './hook.ts';
import type { CompiledChain } from './iptables-compile.ts';
import { compileOne } from './iptables-match.ts';
import { sourceOf, tableValues } from './iptables-steps.ts';
import type { TableContext } from './iptables-traverse.ts';
import type { Step } from './trace.ts';

/** A rule that does not match on this way, with the first of its tests that failed, or by which lots were drawn (World.record). */
export function passedOverStep(
  context: TableContext,
  chain: CompiledChain,
  rule: IptablesRule,
  input: HookInput,
): Step {
  const failed = failedTest(rule.matches, input) ?? 'its matches';
  return {
    kind: 'rule',
    at: `${input.hook} ${context.table.name} ${chain.name}#${rule.number}`,
    matched: 'no',
    source: sourceOf(context, chain, rule.line, rule.text),
    values: {
      ...tableValues(context, chain, input),
      ruleNumber: rule.number,
      ruleText: rule.text,
      target: rule.target?.name ?? '',
      failed,
      ...(rule.packets === undefined ? {} : { packets: rule.packets }),
      ...(rule.bytes === undefined ? {} : { bytes: rule.bytes }),
    },
    text: `passed over: fails at ${failed}`,
    changes: [],
    features: [],
  };
}

/** The first match that says no, as iptables-save prints it; of one with several options the option that says no by itself. */
function failedTest(matches: readonly IptablesMatch[], input: HookInput): string | undefined {
  const match = matches.find((one) => isNo(one, input)) ?? matches.find((one) => isDrawn(one, input));
  if (!match) return undefined;
  const option = match.options.find((one) => isNo({ ...match, options: [one] }, input));
  const shown = option ? [option] : match.options;
  const words = shown.map(optionText).join(' ');
  return match.module === 'ip' ? words : `-m ${match.module} ${words}`;
}

function isNo(match: IptablesMatch, input: HookInput): boolean {
  return match.options.length > 0 && compileOne(match)?.(input) === 'no';
}

function isDrawn(match: IptablesMatch, input: HookInput): boolean {
  return typeof compileOne(match)?.(input) === 'object';
}

function optionText({ name, negated, values }: IptablesOption): string {
  const dashes = name === '' ? '' : name.length === 1 ? '-' : '--';
  return [...(negated ? ['!'] : []), `${dashes}${name}`, ...values].filter((word) => word !== '').join(' ');
}
