import { parseAllDocuments } from 'yaml';
import type { Pod } from '../../snapshot/objects.ts';
import type { Source } from '../../snapshot/snapshot.ts';
import { type Agent, agentsNamed, containerNamed, flagOf, imageName } from '../agents.ts';
import { type ClusterLook, configMap } from '../cluster-look.ts';

const CONTAINERS = ['kube-proxy'];
const IMAGE = /^(mirrored-|hardened-)?kube-proxy(-amd64|-arm64)?$/;
const CONFIG_MAPS = ['kube-proxy', 'kube-proxy-config'];

export interface KubeProxyConfig {
  /** iptables, nftables, ipvs, kernelspace; undefined where it is not said: kube-proxy then takes its own default. */
  readonly mode?: string;
  readonly clusterCidr?: string;
  readonly masqueradeAll?: boolean;
  readonly nodePortAddresses?: readonly string[];
  readonly source: Source;
}

/** kube-proxy's DaemonSet or static pods. */
export function kubeProxyAgents(look: ClusterLook): readonly Agent[] {
  return agentsNamed(look.agents, CONTAINERS, IMAGE);
}

export function isKubeProxyPod(pod: Pod): boolean {
  return pod.spec.containers.some((one) => CONTAINERS.includes(one.name) || IMAGE.test(imageName(one.image ?? '')));
}

/** What kube-proxy was told: by its ConfigMap (with `--config`, kube-proxy passes over its other flags), else by its flags. */
export function kubeProxyConfig(look: ClusterLook): KubeProxyConfig | undefined {
  const agents = kubeProxyAgents(look);
  for (const namespace of new Set([...agents.map((one) => one.namespace), 'kube-system'])) {
    for (const name of CONFIG_MAPS) {
      const map = configMap(look, namespace, name);
      for (const text of Object.values(map?.value.data ?? {})) {
        const parsed = parseKubeProxyConfig(text);
        if (parsed && map) return { ...parsed, source: { ...map.source, text: `configmap ${namespace}/${name}` } };
      }
    }
  }
  return configOfFlags(agents);
}

function configOfFlags(agents: readonly Agent[]): KubeProxyConfig | undefined {
  for (const agent of agents) {
    const words = containerNamed(agent, CONTAINERS, IMAGE)?.words ?? [];
    const mode = flagOf(words, 'proxy-mode');
    const clusterCidr = flagOf(words, 'cluster-cidr');
    if (mode === undefined && clusterCidr === undefined) continue;
    const text = `${agent.kind} ${agent.namespace}/${agent.name} ${mode ? `--proxy-mode=${mode}` : `--cluster-cidr=${clusterCidr}`}`;
    return {
      ...(mode ? { mode } : {}),
      ...(clusterCidr ? { clusterCidr } : {}),
      source: { ...agent.source, text },
    };
  }
  return undefined;
}

/** A KubeProxyConfiguration (kubeproxy.config.k8s.io/v1alpha1); undefined where the text is none. */
export function parseKubeProxyConfig(text: string): Omit<KubeProxyConfig, 'source'> | undefined {
  if (!text.includes('KubeProxyConfiguration')) return undefined;
  for (const document of parseAllDocuments(text, { logLevel: 'silent' })) {
    if (document.errors.length > 0) continue;
    const value = document.toJS() as Readonly<Record<string, unknown>> | null;
    if (value?.kind !== 'KubeProxyConfiguration') continue;
    const iptables = value.iptables as Readonly<Record<string, unknown>> | undefined;
    const addresses = value.nodePortAddresses;
    return {
      ...(typeof value.mode === 'string' && value.mode !== '' ? { mode: value.mode } : {}),
      ...(typeof value.clusterCIDR === 'string' && value.clusterCIDR !== '' ? { clusterCidr: value.clusterCIDR } : {}),
      ...(iptables?.masqueradeAll === true ? { masqueradeAll: true } : {}),
      ...(Array.isArray(addresses) ? { nodePortAddresses: addresses.filter((one) => typeof one === 'string') } : {}),
    };
  }
  return undefined;
}
