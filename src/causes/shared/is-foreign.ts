import { ownerOfChain, ownerOfNftTable, ownerOfRule } from '../../cni/owner.ts';
import type { Step } from '../../simulate/trace.ts';
import { ruleText } from './iptables-change.ts';

/** Tables that iptables-nft keeps; what its own tool calls incompatible is read by nft (nft(8), iptables-nft(8)). */
const OF_IPTABLES: ReadonlySet<string> = new Set(['raw', 'mangle', 'nat', 'filter', 'security']);

/** Whether a rule or a policy belongs to the host (a firewall, Docker, a person), and not to the CNI, the proxy or a policy of the cluster. */
export function isForeign(step: Step): boolean {
  const table = String(step.values['table']);
  const chain = String(step.values['chain']);
  if (step.kind === 'policy' && isOfIptables(step)) return true;
  if (step.values['backend'] !== 'nft') return !ownerOfRule({ table, chain, text: ruleText(step) }).ofCluster;
  // nft tells the chains of kube-proxy or Calico by their names, and not whether a rule there is their own.
  if (isOfIptables(step) && ownerOfChain(chain)?.ofCluster) return false;
  return !(ownerOfNftTable(table)?.ofCluster ?? false);
}

/** A chain of iptables, by whichever tool it was read. */
export function isOfIptables({ values }: Step): boolean {
  if (values['backend'] !== 'nft') return String(values['backend']).startsWith('iptables');
  return (values['family'] === 'ip' || values['family'] === 'ip6') && OF_IPTABLES.has(String(values['table']));
}

/** The policy of iptables' own filter FORWARD chain. */
export function isForwardPolicy(step: Step): boolean {
  return (
    step.kind === 'policy' &&
    step.values['table'] === 'filter' &&
    step.values['chain'] === 'FORWARD' &&
    isOfIptables(step)
  );
}
