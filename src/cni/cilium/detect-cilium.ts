import type { DatapathPart } from '../../simulate/datapath.ts';
import type { Truth } from '../../simulate/trace.ts';
import { agentsNamed, NO_IMAGE } from '../agents.ts';
import { type ClusterLook, configMap, hostsWithLink, nodesCalling } from '../cluster-look.ts';
import { type CniFinding, makePart, runsAs, sourcesOf } from '../cni-finding.ts';

/**
 * Cilium and GKE's Dataplane V2 (its agent is called anetd). Its BPF programs sit on every pod's device and on the
 * node's, so iptables, routes and neighbours of the host do not decide what becomes of a packet.
 * Sources: install/kubernetes/cilium/templates/{cilium-agent/daemonset,cilium-configmap}.yaml; docs.cilium.io "Kubernetes Without kube-proxy".
 */
export function detectCilium(look: ClusterLook): CniFinding | undefined {
  const agents = agentsNamed(look.agents, ['cilium-agent'], NO_IMAGE);
  const devices = hostsWithLink(look, 'cilium_host');
  const calls = nodesCalling(look, ['cilium-cni']);
  if (agents.length === 0 && devices.length === 0 && calls.length === 0) return undefined;
  const gke = agents.some((one) => one.name === 'anetd');
  const by = gke ? 'gke-dataplane-v2' : 'cilium';
  const where =
    agents.length > 0
      ? runsAs(agents)
      : `left cilium_host on ${[...devices, ...calls].map((one) => one.node).join(', ')}`;
  const sources = [...sourcesOf(agents), ...devices.map((one) => one.source), ...calls.map((one) => one.source)];
  const config = ciliumConfig(look, agents[0]?.namespace ?? 'kube-system');
  const network = makePart({
    role: 'pod-network',
    by,
    mode: 'ebpf',
    modelled: false,
    statement: `${by} ${where}: pod traffic goes through its BPF programs, which are not walked`,
    sources,
  });
  const policy = makePart({ ...network, role: 'policy', statement: `NetworkPolicies are enforced by ${by} in BPF` });
  return {
    by,
    parts: [network, policy, ...serviceParts(by, gke, config)],
    podAddressesRoutable: routable(config?.data),
    configIn: agents.map((one) => one.namespace),
    seenBy: agents.length > 0 ? 'agent' : 'state',
  };
}

interface CiliumConfig {
  readonly data: Readonly<Record<string, string>>;
  readonly source: NonNullable<ReturnType<typeof configMap>>['source'];
}

function ciliumConfig(look: ClusterLook, namespace: string): CiliumConfig | undefined {
  const map = configMap(look, namespace, 'cilium-config');
  return map && { data: map.value.data ?? {}, source: { ...map.source, text: `configmap ${namespace}/cilium-config` } };
}

/** `kube-proxy-replacement`: true/false since 1.14; strict, probe, partial, disabled before. */
function serviceParts(by: string, gke: boolean, config: CiliumConfig | undefined): DatapathPart[] {
  const value = config?.data['kube-proxy-replacement'];
  const whole = gke || value === 'true' || value === 'strict';
  if (!whole && (value === 'false' || value === 'disabled')) return [];
  const text = config
    ? `cilium-config says kube-proxy-replacement: ${value ?? '(not set)'}`
    : 'cilium-config was not read';
  return [
    makePart({
      role: 'services',
      by: whole ? by : 'unknown',
      mode: 'ebpf',
      modelled: false,
      statement: whole
        ? `Services are translated by ${by} in BPF, in place of kube-proxy (${gke ? 'Dataplane V2' : text})`
        : `Services may be translated by ${by} in BPF: ${text}`,
      sources: config ? [config.source] : [],
    }),
  ];
}

function routable(config: Readonly<Record<string, string>> | undefined): Truth {
  const mode = config?.['routing-mode'];
  if (mode === 'native' || config?.tunnel === 'disabled') return 'yes';
  return mode === 'tunnel' ? 'no' : 'unknown';
}
