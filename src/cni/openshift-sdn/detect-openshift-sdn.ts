import type { ClusterLook } from '../cluster-look.ts';
import type { CniFinding } from '../cni-finding.ts';
import { detectByAgent } from '../detect-by-agent.ts';

/** OpenShift SDN: pods on the OVS bridge br0, the nodes joined by vxlan_sys_4789. Source: openshift/sdn. */
export function detectOpenshiftSdn(look: ClusterLook): CniFinding | undefined {
  return detectByAgent(look, {
    by: 'openshift-sdn',
    containers: ['sdn'],
    image: /^(openshift-sdn|ose-sdn).*$/,
    pluginTypes: ['openshift-sdn'],
    devices: ['vxlan_sys_4789'],
    mode: 'ovs',
    modelled: false,
    roles: ['pod-network', 'policy'],
    podAddressesRoutable: 'no',
    datapath: 'pod traffic goes through Open vSwitch, which is not walked',
  });
}
