import type { ClusterLook } from '../cluster-look.ts';
import type { CniFinding } from '../cni-finding.ts';
import { detectByAgent } from '../detect-by-agent.ts';

/** Kube-OVN: pods on the OVS bridge br-int, the node itself behind ovn0. Sources: kubeovn/kube-ovn, dist/images/install.sh. */
export function detectKubeOvn(look: ClusterLook): CniFinding | undefined {
  return detectByAgent(look, {
    by: 'kube-ovn',
    containers: ['cni-server', 'kube-ovn-cni'],
    image: /^(kube-ovn|vpc-nat-gateway)$/,
    pluginTypes: ['kube-ovn'],
    devices: ['ovn0'],
    mode: 'ovs',
    modelled: false,
    roles: ['pod-network', 'policy', 'services'],
    podAddressesRoutable: 'unknown',
    datapath: 'pod traffic, policies and Services (OVN load balancers) go through Open vSwitch, which is not walked',
  });
}
