import { flagOf } from '../agents.ts';
import type { ClusterLook } from '../cluster-look.ts';
import { type CniFinding, makePart } from '../cni-finding.ts';
import { isK3s, k3sArguments } from './is-k3s.ts';

/**
 * What k3s has within its own process beside kube-proxy and flannel: kube-router's network policy controller.
 * Source: k3s-io/k3s, pkg/agent/netpol; docs.k3s.io "Networking Services".
 */
export function detectK3s(look: ClusterLook): CniFinding | undefined {
  const node = look.nodes.find(isK3s);
  if (node === undefined) return undefined;
  const disabled = flagOf(k3sArguments(node) ?? [], 'disable-network-policy');
  if (disabled !== undefined && disabled !== 'false') return undefined;
  const policy = makePart({
    role: 'policy',
    by: 'k3s',
    mode: 'iptables',
    modelled: true,
    statement: 'k3s enforces NetworkPolicies by its built-in controller (kube-router’s), by iptables and ipsets',
    sources: look.nodesSource ? [{ ...look.nodesSource, text: node.metadata.name }] : [],
  });
  return { by: 'k3s', parts: [policy], podAddressesRoutable: 'unknown', seenBy: 'agent' };
}
