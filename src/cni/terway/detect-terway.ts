import type { ClusterLook } from '../cluster-look.ts';
import type { CniFinding } from '../cni-finding.ts';
import { detectByAgent } from '../detect-by-agent.ts';

/** Terway of Alibaba Cloud: elastic interfaces, ipvlan and a Cilium-made BPF datapath. Source: AliyunContainerService/terway. */
export function detectTerway(look: ClusterLook): CniFinding | undefined {
  return detectByAgent(look, {
    by: 'terway',
    containers: ['terway', 'terway-daemon'],
    image: /^terway.*$/,
    pluginTypes: ['terway'],
    devices: [],
    mode: 'ebpf',
    modelled: false,
    roles: ['pod-network', 'policy', 'services'],
    podAddressesRoutable: 'yes',
    datapath: 'pods sit on elastic interfaces by ipvlan and BPF, which is not walked',
  });
}
