import { hostOf } from '../../net/place.ts';
import type { DatapathPart } from '../../simulate/datapath.ts';
import type { Node } from '../../snapshot/objects.ts';
import type { Source } from '../../snapshot/snapshot.ts';
import { flagOf } from '../agents.ts';
import type { ClusterLook } from '../cluster-look.ts';
import { makePart, runsAs, sourcesOf } from '../cni-finding.ts';
import { isK3s, k3sArguments } from '../k3s/is-k3s.ts';
import { kubeProxyAgents, kubeProxyConfig } from './kube-proxy-config.ts';
import { programmedModes } from './programmed-mode.ts';

const WALKED = new Set(['iptables', 'nftables', 'ipvs']);

/** Who translates Service addresses where no CNI does: kube-proxy, k3s's or MicroK8s's built-in one; else nobody that is known. */
export function detectServices(look: ClusterLook): DatapathPart[] {
  if (look.hosts.length === 0) return [servicesOf(look, undefined)];
  return look.hosts.map((node) => servicesOf(look, node));
}

interface Implementer {
  readonly by: string;
  readonly mode?: string;
  readonly statement: string;
  readonly sources: readonly Source[];
}

function servicesOf(look: ClusterLook, node: string | undefined): DatapathPart {
  const found = builtIn(look, node) ?? kubeProxy(look) ?? (node === undefined ? undefined : byProcess(look, node));
  const here = node === undefined ? [] : programmedModes(look.snapshot, node);
  const modes = [...new Set(here.map((one) => one.mode))];
  const seen = here.map((one) => one.because).join('; ');
  const by = found?.by ?? 'unknown';
  const mode = modes.length === 1 ? modes[0] : modes.length > 1 ? modes.join(' and ') : found?.mode;
  const statement = [
    found?.statement ?? 'who implements Services was not found',
    seen === '' ? undefined : `on ${node}: ${seen}`,
  ]
    .filter((one) => one !== undefined)
    .join('; ');
  return makePart({
    role: 'services',
    by,
    mode,
    // Rules and ipvs's tables are walked as they are, whoever wrote them; what is not even seen as such is not.
    modelled:
      modes.length > 0 ? modes.every((one) => WALKED.has(one)) : found?.mode === undefined || WALKED.has(found.mode),
    node,
    statement,
    sources: [...(found?.sources ?? []), ...here.map((one) => one.source)],
  });
}

function kubeProxy(look: ClusterLook): Implementer | undefined {
  const agents = kubeProxyAgents(look);
  const config = kubeProxyConfig(look);
  if (agents.length === 0) return undefined;
  const mode = config?.mode;
  const said = mode === undefined ? 'its mode is not said' : `mode ${mode}`;
  return {
    by: 'kube-proxy',
    ...(mode === undefined ? {} : { mode }),
    statement: `kube-proxy ${runsAs(agents)}, ${said}`,
    sources: [...sourcesOf(agents), ...(config ? [config.source] : [])],
  };
}

function builtIn(look: ClusterLook, name: string | undefined): Implementer | undefined {
  const node = name === undefined ? look.nodes.find(embedsProxy) : look.nodes.find((one) => one.metadata.name === name);
  if (node === undefined || !embedsProxy(node)) return undefined;
  const args = k3sArguments(node) ?? [];
  const disabled = flagOf(args, 'disable-kube-proxy');
  if (disabled !== undefined && disabled !== 'false') return undefined;
  const by = isK3s(node) ? 'k3s' : 'microk8s';
  // `--kube-proxy-arg proxy-mode=ipvs`, in one word or two.
  const mode = args
    .map((one) => /\bproxy-mode=(?<mode>\w+)$/.exec(one)?.groups?.mode)
    .findLast((one) => one !== undefined);
  const sources = look.nodesSource ? [{ ...look.nodesSource, text: node.metadata.name }] : [];
  return {
    by,
    ...(mode === undefined ? {} : { mode }),
    statement: `kube-proxy is built into ${by} (node ${node.metadata.name}, ${node.status.nodeInfo?.kubeletVersion ?? ''})`,
    sources,
  };
}

function embedsProxy(node: Node): boolean {
  return isK3s(node) || node.metadata.labels?.['microk8s.io/cluster'] === 'true';
}

/** A kube-proxy that runs as a service of the node has no object in the API, but its health port. */
function byProcess(look: ClusterLook, node: string): Implementer | undefined {
  const sockets = look.snapshot.fact('sockets', hostOf(node));
  if (sockets.state === 'unseen') return undefined;
  const socket = sockets.value.find((one) => one.processes.some((it) => it.name === 'kube-proxy'));
  if (socket === undefined) return undefined;
  return {
    by: 'kube-proxy',
    statement: `a process kube-proxy listens on port ${socket.port} of ${node}`,
    sources: [{ ...sockets.source, text: socket.text }],
  };
}
