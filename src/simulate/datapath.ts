import type { Place } from '../net/place.ts';
import type { Source } from '../snapshot/snapshot.ts';
import type { Truth } from './trace.ts';

/**
 * Who implements what here, from evidence (the datapath gate; made by cni/gate.ts before any walk).
 * A hop of an unmodelled datapath is unknown, and every inference from absence is off there.
 */
export interface DatapathGate {
  readonly parts: readonly DatapathPart[];
  /** Does the network between the nodes carry packets with bare pod addresses (host-gw on one segment, a VPC CNI, BGP)? */
  readonly podAddressesRoutable: Truth;
  /** Do hosts beyond the cluster's nodes find the way back to them as well? Undefined: as the network between the nodes. */
  readonly podAddressesRoutableOutside?: Truth;
}

export interface DatapathPart {
  readonly role: 'services' | 'policy' | 'pod-network' | 'mesh' | 'runtime';
  /** kube-proxy, k3s, kube-router, cilium, ovn-kubernetes, antrea, flannel, calico, aws-vpc-cni, istio-sidecar, istio-ambient, linkerd, gvisor, kata … or 'unknown' */
  readonly by: string;
  readonly mode?: string; // iptables, nftables, ipvs, ebpf; vxlan, host-gw …
  /** Whether the simulator models this part wholly. */
  readonly modelled: boolean;
  /** Empty node: every node. `pod`: only this pod (`NS/NAME`). */
  readonly node?: string;
  readonly pod?: string;
  readonly statement: string;
  readonly sources: readonly Source[];
}

/** The unmodelled part that this network namespace's packets meet, if any. */
export function unmodelledAt(gate: DatapathGate, place: Place): DatapathPart | undefined {
  const pod = place.namespace === 'host' ? undefined : place.namespace.slice('pod/'.length);
  return gate.parts.find((part) => {
    if (part.modelled) return false;
    if (part.node !== undefined && part.node !== place.node) return false;
    return part.pod === undefined ? pod === undefined : part.pod === pod;
  });
}
