import type { ClusterLook } from '../cluster-look.ts';
import type { CniFinding } from '../cni-finding.ts';
import { detectByAgent } from '../detect-by-agent.ts';

/** Azure's network policy manager: iptables and ipsets. Source: Azure/azure-container-networking, npm/. */
export function detectAzureNpm(look: ClusterLook): CniFinding | undefined {
  return detectByAgent(look, {
    by: 'azure-npm',
    containers: ['azure-npm'],
    image: /^azure-npm$/,
    pluginTypes: [],
    devices: [],
    mode: 'iptables',
    modelled: true,
    roles: ['policy'],
    podAddressesRoutable: 'unknown',
    datapath: 'it enforces NetworkPolicies by iptables and ipsets',
  });
}
