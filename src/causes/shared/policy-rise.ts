import type { Ask } from '../../diagnose/cause.ts';
import type { Evidence } from '../../diagnose/evidence.ts';
import type { Family } from '../../net/address.ts';
import type { Place } from '../../net/place.ts';
import type { IptablesRuleset } from '../../parse/iptables-save.ts';
import type { Step } from '../../simulate/trace.ts';
import type { Observed } from '../../snapshot/snapshot.ts';

type Iptables = 'iptables.nft' | 'iptables.legacy';

/** Evidence that the counter of the rule or policy at which a walk ended rose while the probes ran; undefined where it did not, or was not read twice. */
export function policyRise(ask: Ask<Iptables>, place: Place, family: Family, step: Step): Evidence | undefined {
  const isLegacy = step.values['backend'] === 'iptables-legacy';
  if (!isLegacy && step.values['backend'] !== 'iptables-nft') return undefined;
  const before = isLegacy
    ? ask('iptables.legacy', place, { family })
    : ask('iptables.nft', place, { family, table: '' });
  const after = isLegacy
    ? ask.after('iptables.legacy', place, { family })
    : ask.after('iptables.nft', place, { family, table: '' });
  const from = packetsOf(before, step);
  const to = packetsOf(after, step);
  if (from === undefined || to === undefined || to <= from || after.state === 'unseen') return undefined;
  const what =
    step.kind === 'policy'
      ? `the policy of ${step.values['table']} ${step.values['chain']}`
      : `the rule “${step.values['ruleText']}”`;
  return {
    kind: 'rule-counter',
    plane: 'kernel',
    place,
    source: after.source,
    values: { rose: to - from },
    statement: `${what} counted ${to - from} more packets while the probes ran`,
  };
}

function packetsOf(observed: Observed<IptablesRuleset>, step: Step): number | undefined {
  if (observed.state === 'unseen') return undefined;
  const chain = observed.value.tables
    .find((table) => table.name === step.values['table'])
    ?.chains.find((one) => one.name === step.values['chain']);
  if (step.kind === 'policy') return chain?.packets;
  // The rule set may have been rewritten between the looks: the same text at the same number is the same rule.
  const rule = chain?.rules.find((one) => one.number === step.values['ruleNumber']);
  return rule?.text === step.values['ruleText'] ? rule?.packets : undefined;
}
