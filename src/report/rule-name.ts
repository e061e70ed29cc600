import type { Step } from '../simulate/trace.ts';

/**
 * A rule's or a policy's name within its namespace: `filter FORWARD#3`, `legacy nat POSTROUTING#1`, `nft inet fw input#2`.
 * `podtriage simulate --without 'rule …'` understands it.
 */
export function ruleName({ values }: Pick<Step, 'values'>): string {
  const number = values['ruleNumber'] === undefined ? '' : `#${String(values['ruleNumber'])}`;
  const chain = `${String(values['table'])} ${String(values['chain'])}${number}`;
  if (values['backend'] === 'nft') return `nft ${String(values['family'])} ${chain}`;
  return values['backend'] === 'iptables-legacy' ? `legacy ${chain}` : chain;
}
