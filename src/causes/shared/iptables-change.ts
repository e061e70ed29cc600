import type { Family } from '../../net/address.ts';
import type { Place } from '../../net/place.ts';
import type { Step } from '../../simulate/trace.ts';
import type { SnapshotChange } from '../../snapshot/snapshot.ts';

type Backend = 'iptables.legacy' | 'iptables.nft' | 'nft';

/** The snapshot's name of the backend that a rule or policy step speaks of. */
export function backendOfStep(step: Step): Backend {
  if (step.values['backend'] === 'iptables-legacy') return 'iptables.legacy';
  return step.values['backend'] === 'iptables-nft' ? 'iptables.nft' : 'nft';
}

export function familyOfStep(step: Step): Family {
  return step.values['family'] === 6 || step.values['family'] === 'ip6' ? 6 : 4;
}

/** The tool that speaks to the step's backend: `iptables-legacy`, `ip6tables-nft` … */
export function iptablesCommand(step: Step, family: Family): string {
  const name = family === 6 ? 'ip6tables' : 'iptables';
  return step.values['backend'] === 'iptables-legacy' ? `${name}-legacy` : `${name}-nft`;
}

export function policyChange(step: Step, place: Place, verdict: 'accept' | 'drop', text: string): SnapshotChange {
  return {
    op: 'policy',
    place,
    backend: backendOfStep(step),
    family: familyOfStep(step),
    table: String(step.values['table']),
    chain: String(step.values['chain']),
    verdict,
    text,
  };
}

/** Takes out the rule at which a packet died. */
export function ruleRemoval(step: Step, place: Place): SnapshotChange {
  const isNft = step.values['backend'] === 'nft';
  return {
    op: 'rule',
    place,
    backend: backendOfStep(step),
    family: familyOfStep(step),
    table: String(step.values['table']),
    chain: String(step.values['chain']),
    act: 'remove',
    number: Number(isNft ? step.values['handle'] : step.values['ruleNumber']),
    text: `without the rule ${ruleText(step)}`,
  };
}

export function ruleText(step: Step): string {
  return String(step.values['ruleText'] ?? step.text);
}

/** The command that deletes the rule of a step. */
export function deleteCommand(step: Step, family: Family): string {
  const table = String(step.values['table']);
  const chain = String(step.values['chain']);
  if (step.values['backend'] === 'nft')
    return `nft delete rule ${step.values['family'] ?? ''} ${table} ${chain} handle ${step.values['handle']}`;
  const spec = ruleText(step).replace(/^-A /, '-D ');
  return `${iptablesCommand(step, family)} -t ${table} ${spec}`;
}
