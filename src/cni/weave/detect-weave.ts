import type { ClusterLook } from '../cluster-look.ts';
import type { CniFinding } from '../cni-finding.ts';
import { detectByAgent } from '../detect-by-agent.ts';

/** Weave Net: pods on the bridge weave, nodes joined by the kernel's OVS datapath (vxlan-6784) or in user space. Source: weaveworks/weave, prog/weave-kube. */
export function detectWeave(look: ClusterLook): CniFinding | undefined {
  return detectByAgent(look, {
    by: 'weave',
    containers: ['weave', 'weave-npc'],
    image: /^weave-kube$/,
    pluginTypes: ['weave-net'],
    devices: ['vxlan-6784'],
    mode: 'ovs',
    modelled: false,
    roles: ['pod-network', 'policy'],
    podAddressesRoutable: 'no',
    datapath: 'traffic between nodes goes through its Open vSwitch datapath or its own process, which is not walked',
  });
}
