import type { Request } from '../host/host.ts';
import { CLUSTER } from '../net/place.ts';
import type { DatapathGate, DatapathPart } from '../simulate/datapath.ts';
import type { Truth } from '../simulate/trace.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { detectAntrea } from './antrea/detect-antrea.ts';
import { detectAwsVpcCni } from './aws-vpc-cni/detect-aws-vpc-cni.ts';
import { detectAzureCni } from './azure-cni/detect-azure-cni.ts';
import { detectAzureNpm } from './azure-cni/detect-azure-npm.ts';
import { detectBpf } from './bpf/detect-bpf.ts';
import { detectCalico } from './calico/detect-calico.ts';
import { detectCilium } from './cilium/detect-cilium.ts';
import { type ClusterLook, lookAt } from './cluster-look.ts';
import { type CniFinding, type DetectCni, makePart } from './cni-finding.ts';
import { detectFlannel } from './flannel/detect-flannel.ts';
import { detectK3s } from './k3s/detect-k3s.ts';
import { detectKindnet } from './kindnet/detect-kindnet.ts';
import { detectKubeNetworkPolicies } from './kube-network-policies/detect-kube-network-policies.ts';
import { detectKubeOvn } from './kube-ovn/detect-kube-ovn.ts';
import { detectServices } from './kube-proxy/detect-services.ts';
import { detectKubeRouter } from './kube-router/detect-kube-router.ts';
import { detectMesh } from './mesh/detect-mesh.ts';
import { detectOpenshiftSdn } from './openshift-sdn/detect-openshift-sdn.ts';
import { detectOvnKubernetes } from './ovn-kubernetes/detect-ovn-kubernetes.ts';
import { detectOvs } from './ovs/detect-ovs.ts';
import { detectPlugins, detectPodDevices } from './plugins/detect-plugins.ts';
import { policyByRules } from './policy-by-rules.ts';
import { detectRuntime } from './runtime/detect-runtime.ts';
import { detectTerway } from './terway/detect-terway.ts';
import { detectWeave } from './weave/detect-weave.ts';

/** The shelf of CNIs: each tells from evidence whether it is here. */
export const CNIS: readonly DetectCni[] = [
  detectCilium,
  detectCalico,
  detectOvnKubernetes,
  detectOpenshiftSdn,
  detectAntrea,
  detectKubeOvn,
  detectFlannel,
  detectKindnet,
  detectKubeRouter,
  detectWeave,
  detectAwsVpcCni,
  detectAzureCni,
  detectTerway,
  detectK3s,
  detectKubeNetworkPolicies,
  detectAzureNpm,
];

/**
 * Who implements Services, policy, pod interfaces, mesh and runtime here, from the evidence in this snapshot and never by
 * default. Made again whenever the snapshot has grown. What nobody is known for is said as `unknown` and walked as the
 * kernel's state says, unless the evidence shows a datapath beside the kernel's own (BPF, OVS, ipvs).
 * `pods` (`NS/NAME`) bounds the parts that speak of single pods; without it every pod of the cluster is looked at.
 */
export function datapathGate(snapshot: Snapshot, pods?: ReadonlySet<string>): DatapathGate {
  const look = lookAt(snapshot);
  const findings = withoutLeftovers(CNIS.map((detect) => detect(look)).filter((one) => one !== undefined));
  const parts = findings.flatMap((one) => one.parts);
  return {
    parts: [
      ...servicesParts(look, parts),
      ...networkParts(look, parts),
      ...policyParts(look, parts),
      ...detectBpf(look),
      ...detectOvs(look, parts),
      ...detectPodDevices(look),
      ...detectMesh(look, pods),
      ...detectRuntime(look, pods),
    ],
    ...routability(findings),
  };
}

/** What the gate needs beside the lists that every run reads: the ConfigMaps of the namespaces in which network agents run. */
export function gateRequests(snapshot: Snapshot): readonly Request[] {
  const look = lookAt(snapshot);
  const namespaces = CNIS.flatMap((detect) => detect(look)?.configIn ?? []);
  return [...new Set(['kube-system', ...namespaces])].map((namespace) => ({
    action: 'api.configmaps',
    place: CLUSTER,
    args: { namespace },
    round: 0,
  }));
}

/** flannel's annotations and a plain device outlive their CNI: beside a CNI that runs they say nothing of the datapath. */
function withoutLeftovers(findings: readonly CniFinding[]): readonly CniFinding[] {
  const network = (one: CniFinding): boolean => one.parts.some((part) => part.role === 'pod-network');
  if (!findings.some((one) => one.seenBy === 'agent' && network(one))) return findings;
  return findings.filter((one) => one.seenBy === 'agent' || one.parts.some((part) => !part.modelled));
}

function servicesParts(look: ClusterLook, found: readonly DatapathPart[]): readonly DatapathPart[] {
  // A CNI's own part is among `found`, which networkParts hands on.
  return found.some((part) => part.role === 'services') ? [] : detectServices(look);
}

function networkParts(look: ClusterLook, found: readonly DatapathPart[]): readonly DatapathPart[] {
  if (found.some((part) => part.role === 'pod-network')) return found;
  const plugins = detectPlugins(look);
  if (plugins.length > 0) return [...found, ...plugins];
  const statement = 'which CNI connects the pods was not found: what the kernel’s own state says is walked';
  return [...found, makePart({ role: 'pod-network', by: 'unknown', modelled: true, statement, sources: [] })];
}

function policyParts(look: ClusterLook, found: readonly DatapathPart[]): readonly DatapathPart[] {
  if (found.some((part) => part.role === 'policy')) return [];
  const byRules = policyByRules(look);
  if (byRules.length > 0) return byRules;
  const statement = 'nothing that enforces NetworkPolicies was found: rules are walked as they are';
  return [makePart({ role: 'policy', by: 'unknown', modelled: true, statement, sources: [] })];
}

function routability(findings: readonly CniFinding[]): Omit<DatapathGate, 'parts'> {
  const inside = routable(findings, (one) => one.podAddressesRoutable);
  const outside = routable(findings, (one) => one.podAddressesRoutableOutside ?? one.podAddressesRoutable);
  return { podAddressesRoutable: inside, ...(outside !== inside && { podAddressesRoutableOutside: outside }) };
}

function routable(findings: readonly CniFinding[], answer: (one: CniFinding) => Truth): Truth {
  const networks = findings.filter((one) => one.parts.some((part) => part.role === 'pod-network'));
  const answers = new Set(networks.map(answer));
  return answers.size === 1 ? [...answers][0]! : 'unknown';
}
