import type { DatapathPart } from '../../simulate/datapath.ts';
import { type Agent, agentsNamed, NO_IMAGE } from '../agents.ts';
import { type ClusterLook, configMap, hostsWithLink, nodesCalling } from '../cluster-look.ts';
import { type CniFinding, makePart, runsAs, sourcesOf } from '../cni-finding.ts';

/**
 * Calico (calico-node) in its iptables, nftables or eBPF dataplane, and Canal (flannel's network with Calico's policy).
 * Sources: manifests/calico.yaml, canal.yaml; felix/dataplane/linux/bpf_ep_mgr.go (devices bpfin.cali, bpfout.cali, bpfnatin).
 */
export function detectCalico(look: ClusterLook): CniFinding | undefined {
  const agents = agentsNamed(look.agents, ['calico-node'], NO_IMAGE);
  const devices = hostsWithLink(look, 'cali*');
  const calls = nodesCalling(look, ['calico']);
  if (agents.length === 0 && devices.length === 0 && calls.length === 0) return undefined;
  const sources = [...sourcesOf(agents), ...devices.map((one) => one.source), ...calls.map((one) => one.source)];
  const where =
    agents.length > 0
      ? runsAs(agents)
      : `left cali devices on ${[...devices, ...calls].map((one) => one.node).join(', ')}`;
  const base = { sources, by: 'calico' };
  const seenBy = agents.length > 0 ? 'agent' : 'state';
  const configIn = agents.map((one) => one.namespace);
  const canal = agents.some((one) => one.containers.some((it) => it.name === 'kube-flannel'));
  if (canal) {
    const statement = `Canal ${where}: Calico enforces policy on flannel's network`;
    const policy = makePart({ ...base, role: 'policy', mode: 'iptables', modelled: true, statement });
    return { by: 'canal', parts: [policy], podAddressesRoutable: 'unknown', seenBy, configIn };
  }
  const dataplane = dataplaneOf(look, agents);
  const modelled = dataplane.mode !== 'ebpf';
  const statement = `calico ${where}; ${dataplane.because}`;
  const parts: DatapathPart[] = (['pod-network', 'policy'] as const).map((role) =>
    makePart({ ...base, role, mode: dataplane.mode, modelled, statement }),
  );
  if (!modelled) {
    const services = 'Services are translated by calico in BPF, in place of kube-proxy';
    parts.push(makePart({ ...base, role: 'services', mode: 'ebpf', modelled: false, statement: services }));
  }
  // Which pools are encapsulated is told by IPPool objects, which are not read; routes show it per destination.
  return { by: 'calico', parts, podAddressesRoutable: 'unknown', seenBy, configIn };
}

function dataplaneOf(look: ClusterLook, agents: readonly Agent[]): { mode?: string; because: string } {
  const bpf = ['bpfin.cali', 'bpfout.cali', 'bpfnatin'].flatMap((name) => hostsWithLink(look, name))[0];
  if (bpf) return { mode: 'ebpf', because: `device ${bpf.value.name} on ${bpf.node} belongs to its eBPF dataplane` };
  const env = agents.flatMap((one) => one.containers).find((one) => one.env.FELIX_BPFENABLED !== undefined)?.env;
  if (env?.FELIX_BPFENABLED === 'true') return { mode: 'ebpf', because: 'FELIX_BPFENABLED is true' };
  const config = agents.length > 0 ? configMap(look, agents[0]!.namespace, 'calico-config') : undefined;
  if (config?.value.data?.bpfEnabled === 'true') return { mode: 'ebpf', because: 'calico-config says bpfEnabled' };
  const nft = look.hosts.find((node) => {
    const tables = look.snapshot.fact('nft.tables', { node, namespace: 'host' });
    return tables.state === 'seen' && tables.value.some((one) => one.name === 'calico');
  });
  if (nft !== undefined) return { mode: 'nftables', because: `table calico on ${nft} is its nftables dataplane` };
  const cali = hostsWithLink(look, 'cali*')[0];
  if (cali)
    return { mode: 'iptables', because: `${cali.node} has ${cali.value.name} and no device of the eBPF dataplane` };
  return { because: 'its dataplane was not seen on a node' };
}
