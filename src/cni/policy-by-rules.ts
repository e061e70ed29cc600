import { hostOf } from '../net/place.ts';
import type { DatapathPart } from '../simulate/datapath.ts';
import type { ClusterLook } from './cluster-look.ts';
import { makePart } from './cni-finding.ts';
import { ownerOfChain } from './owner.ts';

/** Chains that hold the policy of single pods; a base chain alone may be left over from an enforcer that is gone. */
const POLICY_CHAINS = /^(KUBE-(POD-FW|NWPLCY)-|cali-(tw|fw|pi|po)-|WEAVE-NPC|AZURE-NPM)/;

/** Who enforces NetworkPolicies by its rules on the nodes, where no agent of the API is known (kube-router as a service of the node). */
export function policyByRules(look: ClusterLook): DatapathPart[] {
  return look.hosts.flatMap((node) => {
    for (const [name, args] of [
      ['iptables.nft', { family: 4, table: '' }],
      ['iptables.nft', { family: 4, table: 'filter' }],
      ['iptables.legacy', { family: 4 }],
    ] as const) {
      const rules = look.snapshot.fact(name, hostOf(node), args);
      if (rules.state === 'unseen') continue;
      const filter = rules.value.tables.find((one) => one.name === 'filter');
      const chain = filter?.chains.find((one) => POLICY_CHAINS.test(one.name));
      const owner = chain && ownerOfChain(chain.name);
      if (!chain || !owner) continue;
      return [
        makePart({
          role: 'policy',
          by: owner.by,
          mode: 'iptables',
          modelled: true,
          node,
          statement: `chain ${chain.name} on ${node} is ${owner.by}’s and ${owner.purpose}`,
          sources: [{ ...rules.source, text: `:${chain.name}` }],
        }),
      ];
    }
    return [];
  });
}
