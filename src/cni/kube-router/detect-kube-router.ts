import type { DatapathPart } from '../../simulate/datapath.ts';
import type { Truth } from '../../simulate/trace.ts';
import { type Agent, agentsNamed, containerNamed, flagOf } from '../agents.ts';
import { type ClusterLook, hostsWithLink } from '../cluster-look.ts';
import { type CniFinding, makePart, runsAs, sourcesOf } from '../cni-finding.ts';

const CONTAINERS = ['kube-router'];
const IMAGE = /^kube-router$/;

/**
 * kube-router: each of its three jobs can be switched off (`--run-router`, `--run-firewall`, `--run-service-proxy`; all
 * on by default). Its service proxy is ipvs. Source: cloudnativelabs/kube-router, docs/user-guide.md.
 */
export function detectKubeRouter(look: ClusterLook): CniFinding | undefined {
  const agents = agentsNamed(look.agents, CONTAINERS, IMAGE);
  const bridges = hostsWithLink(look, 'kube-bridge');
  if (agents.length === 0 && bridges.length === 0) return undefined;
  const base = { by: 'kube-router', sources: [...sourcesOf(agents), ...bridges.map((one) => one.source)] };
  const where = agents.length > 0 ? runsAs(agents) : `left kube-bridge on ${bridges.map((one) => one.node).join(', ')}`;
  const parts: DatapathPart[] = [];
  const routes = does(agents, 'run-router') || bridges.length > 0;
  const tunnels = hostsWithLink(look, 'tun-*');
  if (routes) {
    const over = tunnels.length > 0 ? ', with tunnels between subnets' : '';
    parts.push(
      makePart({
        ...base,
        role: 'pod-network',
        mode: tunnels.length > 0 ? 'bgp and ipip' : 'bgp',
        modelled: true,
        statement: `kube-router ${where}: pods on kube-bridge, routes to other nodes by BGP${over}`,
      }),
    );
  }
  if (does(agents, 'run-firewall')) {
    const statement = `kube-router ${where} and enforces NetworkPolicies by iptables and ipsets`;
    parts.push(makePart({ ...base, role: 'policy', mode: 'iptables', modelled: true, statement }));
  }
  if (does(agents, 'run-service-proxy')) {
    const statement = `kube-router ${where} as the service proxy, by ipvs`;
    parts.push(makePart({ ...base, role: 'services', mode: 'ipvs', modelled: true, statement }));
  }
  return {
    by: 'kube-router',
    parts,
    podAddressesRoutable: routes ? routable(look, agents) : 'unknown',
    seenBy: agents.length > 0 ? 'agent' : 'state',
  };
}

/**
 * Nodes tell their pods' networks to one another (iBGP), each with itself as the next hop. Routers know them only as peers of
 * theirs; without any, what leaves the cluster has to be masqueraded (--enable-pod-egress, on by default; docs/bgp.md).
 */
function routable({ nodes }: ClusterLook, agents: readonly Agent[]): Truth {
  const words = agents.flatMap((agent) => containerNamed(agent, CONTAINERS, IMAGE)?.words ?? []);
  const hasPeers =
    flagOf(words, 'peer-router-ips') !== undefined ||
    nodes.some((node) => node.metadata.annotations?.['kube-router.io/peer.ips'] !== undefined);
  return agents.length === 0 || hasPeers || !does(agents, 'enable-pod-egress') ? 'unknown' : 'no';
}

function does(agents: readonly Agent[], flag: string): boolean {
  return agents.some((agent) => flagOf(containerNamed(agent, CONTAINERS, IMAGE)?.words ?? [], flag) !== 'false');
}
