import type { ClusterLook } from '../cluster-look.ts';
import type { CniFinding } from '../cni-finding.ts';
import { detectByAgent } from '../detect-by-agent.ts';

/**
 * kindnet: ptp interfaces, one route per peer node by its own address, no encapsulation. Since 0.24 it enforces
 * NetworkPolicies by sending first packets to its own process (NFQUEUE), which shows in its own rules.
 * Source: kubernetes-sigs/kind, images/kindnetd; kubernetes-sigs/kindnet.
 */
export function detectKindnet(look: ClusterLook): CniFinding | undefined {
  return detectByAgent(look, {
    by: 'kindnet',
    containers: ['kindnet-cni', 'kindnet'],
    image: /^kindnetd?$/,
    pluginTypes: [],
    devices: [],
    mode: 'routes',
    modelled: true,
    roles: ['pod-network'],
    // Every node is the other's next hop, and what leaves the cluster is masqueraded: no router is told of pods.
    podAddressesRoutable: 'no',
    datapath: 'it sets plain routes to the other nodes',
  });
}
