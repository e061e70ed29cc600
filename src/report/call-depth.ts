import type { Step } from '../simulate/trace.ts';

/** How many chains deep each rule was called: a chain that is met for the first time since its table began was called by the one before. */
export function callDepths(steps: readonly Step[]): readonly number[] {
  let table = '';
  let stack: string[] = [];
  return steps.map(({ kind, values }) => {
    if (kind !== 'rule' && kind !== 'policy') return 0;
    const own = [values['hook'], values['backend'], values['family'], values['table'], values['baseChain']].join(' ');
    const chain = String(values['chain']);
    if (own !== table) {
      table = own;
      stack = [];
    }
    const at = stack.indexOf(chain);
    stack = at >= 0 ? stack.slice(0, at + 1) : [...stack, chain];
    return stack.length - 1;
  });
}

/** Calls of chains in which no rule matched. */
export function idleCalls(steps: readonly Step[]): ReadonlySet<Step> {
  const idle = new Set<Step>();
  steps.forEach((step, at) => {
    const { target, hook, backend, table } = step.values;
    if (step.kind !== 'rule' || step.matched !== 'yes' || target === undefined || !calls(step)) return;
    const isIn = ({ kind, matched, values }: Step): boolean =>
      kind === 'rule' &&
      matched !== 'no' &&
      values['chain'] === target &&
      values['hook'] === hook &&
      values['backend'] === backend &&
      values['table'] === table;
    if (!steps.slice(at + 1).some(isIn)) idle.add(step);
  });
  return idle;
}

/** A rule that ends in no verdict, and whose target is a chain and no extension (those are written in capitals alone). */
function calls({ values, text }: Step): boolean {
  return values['verdict'] === undefined && /^(calls|goes to|jump|goto) /.test(text);
}
