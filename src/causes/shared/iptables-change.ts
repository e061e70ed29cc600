import type { DeadEnd } from '../../diagnose/evidence-of.ts';
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
  if (step.values['backend'] === 'nft') return name;
  return step.values['backend'] === 'iptables-legacy' ? `${name}-legacy` : `${name}-nft`;
}

/** With nft two families may each have a table of one name. */
function tableOf(step: Step): string {
  const { backend, family, table } = step.values;
  return backend === 'nft' ? `${family} ${table}` : String(table);
}

export function policyChange(step: Step, place: Place, verdict: 'accept' | 'drop', text: string): SnapshotChange {
  return {
    op: 'policy',
    place,
    backend: backendOfStep(step),
    family: familyOfStep(step),
    table: tableOf(step),
    chain: String(step.values['chain']),
    verdict,
    text,
  };
}

/** A rule's or policy's place in words: `iptables-nft filter FORWARD rule 3`, `nft inet fw input policy`. */
export function ruleName(step: Step): string {
  const { backend, family, table, chain, ruleNumber } = step.values;
  const where = `${backend}${backend === 'nft' ? ` ${family}` : ''} ${table} ${chain}`;
  return step.kind === 'policy' ? `${where} policy` : `${where} rule ${ruleNumber}`;
}

/**
 * Why a rule or policy only may have dropped the packet: it, or one before it in the same table, could not be decided.
 * Undefined where the packet certainly, or by a decided choice, came to it.
 */
export function doubtBefore({ leaf, step, hop }: DeadEnd): string | undefined {
  if (!step || leaf.chance.min > 0) return undefined;
  if (step.matched === 'unknown') return `whether it matches could not be decided (${step.values['undecided']})`;
  const before = hop?.steps.slice(0, hop.steps.indexOf(step)) ?? [];
  const doubtful = before.find((one) => one.matched === 'unknown' && one.values['table'] === step.values['table']);
  return doubtful && `unless “${doubtful.source.text ?? doubtful.text}” takes it before, which could not be decided`;
}

/** Takes out the rule at which a packet died. */
export function ruleRemoval(step: Step, place: Place): SnapshotChange {
  const isNft = step.values['backend'] === 'nft';
  return {
    op: 'rule',
    place,
    backend: backendOfStep(step),
    family: familyOfStep(step),
    table: tableOf(step),
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
