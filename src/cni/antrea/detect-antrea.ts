import type { ClusterLook } from '../cluster-look.ts';
import type { CniFinding } from '../cni-finding.ts';
import { detectByAgent } from '../detect-by-agent.ts';

/** Antrea: pods on the OVS bridge br-int behind antrea-gw0. Sources: antrea-io/antrea, docs/design/architecture.md, build/yamls/antrea.yml. */
export function detectAntrea(look: ClusterLook): CniFinding | undefined {
  return detectByAgent(look, {
    by: 'antrea',
    containers: ['antrea-agent', 'antrea-ovs'],
    image: /^antrea-(agent|ubuntu|ubi)$/,
    pluginTypes: ['antrea'],
    devices: ['antrea-gw0'],
    mode: 'ovs',
    modelled: false,
    roles: ['pod-network', 'policy', 'services'],
    podAddressesRoutable: 'unknown',
    datapath:
      'pod traffic, policies and the Services of pods (AntreaProxy) go through Open vSwitch, which is not walked',
  });
}
