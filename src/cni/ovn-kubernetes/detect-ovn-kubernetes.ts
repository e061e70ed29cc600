import type { ClusterLook } from '../cluster-look.ts';
import type { CniFinding } from '../cni-finding.ts';
import { detectByAgent } from '../detect-by-agent.ts';

/** OVN-Kubernetes: pods on the OVS bridge br-int, Services as OVN load balancers, nodes joined by GENEVE. Sources: ovn-org/ovn-kubernetes, docs/design and dist/templates (device ovn-k8s-mp0). */
export function detectOvnKubernetes(look: ClusterLook): CniFinding | undefined {
  return detectByAgent(look, {
    by: 'ovn-kubernetes',
    containers: ['ovnkube-node', 'ovnkube-controller', 'ovn-controller'],
    image: /^(ovn-kube.*|ovnkube.*)$/,
    pluginTypes: ['ovn-k8s-cni-overlay'],
    devices: ['ovn-k8s-mp0'],
    mode: 'ovs',
    modelled: false,
    roles: ['pod-network', 'policy', 'services'],
    podAddressesRoutable: 'no',
    datapath: 'pod traffic and Services go through Open vSwitch, which is not walked',
  });
}
