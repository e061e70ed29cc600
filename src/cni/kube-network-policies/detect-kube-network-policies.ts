import type { ClusterLook } from '../cluster-look.ts';
import type { CniFinding } from '../cni-finding.ts';
import { detectByAgent } from '../detect-by-agent.ts';

/**
 * kube-network-policies: a DaemonSet that decides first packets in its own process by NFQUEUE, whichever CNI there is.
 * Its rules show on the node; the verdict does not, and the walk says so where a packet is queued.
 * Source: kubernetes-sigs/kube-network-policies.
 */
export function detectKubeNetworkPolicies(look: ClusterLook): CniFinding | undefined {
  return detectByAgent(look, {
    by: 'kube-network-policies',
    containers: ['kube-network-policies'],
    image: /^kube-network-policies$/,
    pluginTypes: [],
    devices: [],
    mode: 'nfqueue',
    modelled: true,
    roles: ['policy'],
    podAddressesRoutable: 'unknown',
    datapath: 'it decides first packets of connections by NFQUEUE in its own process',
  });
}
