import type { Truth } from '../../simulate/trace.ts';
import { truth } from '../../simulate/truth.ts';
import type { Node } from '../../snapshot/objects.ts';
import { type Agent, agentsNamed, containerNamed, flagOf, NO_IMAGE } from '../agents.ts';
import { type ClusterLook, nodesCalling } from '../cluster-look.ts';
import { type CniFinding, makePart, runsAs, sourcesOf } from '../cni-finding.ts';
import { isK3s, k3sArguments } from '../k3s/is-k3s.ts';
import { type FlannelNetwork, flannelNetwork, flannelNode } from './flannel-network.ts';

/** Back ends whose way between nodes is devices, routes, neighbours and FDB of the kernel, all of them walked. */
const WALKED = new Set(['vxlan', 'host-gw', 'alloc']);

/**
 * flannel, as its own DaemonSet, within Canal, or built into k3s (then its annotations and devices are all there is).
 * Annotations stay behind when a cluster changes its CNI, so by themselves they count as `state`.
 */
export function detectFlannel(look: ClusterLook): CniFinding | undefined {
  const agents = flannelAgents(look);
  const calls = nodesCalling(look, ['flannel']);
  const annotated = look.nodes.map(flannelNode).filter((one) => one !== undefined);
  const builtIn = agents.length === 0 && annotated.length > 0 && look.nodes.some(runsFlannelItself);
  if (agents.length === 0 && calls.length === 0 && annotated.length === 0) return undefined;
  const network = flannelNetwork(look, flannelNamespaces(agents));
  const backend = annotated.find((one) => one.backend !== undefined)?.backend ?? network?.backend;
  const told = backend === undefined ? 'its back end is not known' : `back end ${backend}`;
  const where = whereOf(agents, builtIn, annotated.length);
  const part = makePart({
    role: 'pod-network',
    by: 'flannel',
    mode: backend,
    modelled: backend === undefined || WALKED.has(backend),
    statement: `flannel ${where}, ${told}${network?.directRouting ? ' with direct routing' : ''}`,
    sources: [
      ...sourcesOf(agents),
      ...calls.map((one) => one.source),
      ...(network ? [network.source] : []),
      ...(annotated.length > 0 && look.nodesSource ? [look.nodesSource] : []),
    ],
  });
  const seenBy = agents.length > 0 || calls.length > 0 || builtIn ? 'agent' : 'state';
  return {
    by: 'flannel',
    parts: [part],
    podAddressesRoutable: routable(backend, directRoutingOf(look, network, builtIn), agents.some(masquerades)),
    seenBy,
    configIn: agents.map((one) => one.namespace),
  };
}

/** k3s keeps flannel's annotations on its nodes even with `--flannel-backend=none` (k3s-io/k3s issue 3932): its arguments decide. */
function runsFlannelItself(node: Node): boolean {
  const args = isK3s(node) ? k3sArguments(node) : undefined;
  return args !== undefined && flagOf(args, 'flannel-backend') !== 'none';
}

export function flannelAgents(look: ClusterLook): readonly Agent[] {
  return agentsNamed(
    look.agents,
    ['kube-flannel', 'flanneld'],
    /^(mirrored-flannel-|mirrored-flannelcni-|hardened-)?flannel$/,
  );
}

export function flannelNamespaces(agents: readonly Agent[]): readonly string[] {
  return [...new Set([...agents.map((one) => one.namespace), 'kube-flannel', 'kube-system'])];
}

function whereOf(agents: readonly Agent[], builtIn: boolean, annotated: number): string {
  if (agents.length > 0) return runsAs(agents);
  if (builtIn) return 'is built into k3s';
  return annotated > 0 ? `wrote annotations on ${annotated} nodes` : 'is called by the CNI configuration';
}

/**
 * An encapsulating back end is there because the network is not expected to know pod addresses. With direct routing the
 * own segment sees them bare, and nothing tells whether a router beyond it knows them.
 */
/**
 * host-gw needs the nodes to be neighbours: each is the other's next hop, and no router between or outside is told of
 * pods (flannel's Documentation/backends.md). Where flannel does not masquerade, somebody else has to know them.
 */
function routable(backend: string | undefined, directRouting: Truth, masquerading: boolean): Truth {
  if (backend === undefined || backend === 'extension') return 'unknown';
  if (backend === 'alloc') return 'yes';
  if (backend === 'host-gw') return masquerading ? 'no' : 'unknown';
  return directRouting === 'no' ? 'no' : 'unknown';
}

function masquerades(agent: Agent): boolean {
  const container = containerNamed(agent, ['kube-flannel', 'flanneld'], NO_IMAGE);
  const flag = container && flagOf(container.words, 'ip-masq');
  return flag !== undefined && flag !== 'false';
}

/** k3s writes flannel's configuration itself, without direct routing, unless it is given a file. */
function directRoutingOf(look: ClusterLook, network: FlannelNetwork | undefined, builtIn: boolean): Truth {
  if (network !== undefined) return truth(network.directRouting);
  if (!builtIn) return 'unknown';
  const args = look.nodes.flatMap((node) => k3sArguments(node) ?? ['--flannel-conf']);
  return flagOf(args, 'flannel-conf') === undefined ? 'no' : 'unknown';
}
