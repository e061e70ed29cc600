import { ownerOfNftTable, ownerOfRule } from '../../cni/owner.ts';
import type { Step } from '../../simulate/trace.ts';
import { ruleText } from './iptables-change.ts';

/** Whether a rule or a policy belongs to the host (a firewall, Docker, a person), and not to the CNI, the proxy or a policy of the cluster. */
export function isForeign(step: Step): boolean {
  const table = String(step.values['table']);
  const chain = String(step.values['chain']);
  if (step.values['backend'] === 'nft') return !(ownerOfNftTable(table)?.ofCluster ?? false);
  return step.kind === 'policy' || !ownerOfRule({ table, chain, text: ruleText(step) }).ofCluster;
}
