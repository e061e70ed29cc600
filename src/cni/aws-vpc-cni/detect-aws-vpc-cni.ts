import { agentsNamed, flagOf } from '../agents.ts';
import { type ClusterLook, hostsWithLink, nodesCalling } from '../cluster-look.ts';
import { type CniFinding, makePart, runsAs, sourcesOf } from '../cni-finding.ts';

/**
 * AWS VPC CNI (aws-node): pods have addresses of the VPC; each pod has a routed veth (eni…), a host route in `main` and,
 * for addresses of secondary interfaces, an `ip rule` of its own. Plain kernel networking, walked as it is. Its network
 * policy agent (container aws-eks-nodeagent with --enable-network-policy=true) puts BPF on the veths.
 * Sources: aws/amazon-vpc-cni-k8s, docs/cni-proposal.md and config/master/aws-k8s-cni.yaml; aws/aws-network-policy-agent.
 */
export function detectAwsVpcCni(look: ClusterLook): CniFinding | undefined {
  const agents = agentsNamed(look.agents, ['aws-node'], /^amazon-k8s-cni$/);
  const calls = nodesCalling(look, ['aws-cni']);
  if (agents.length === 0 && calls.length === 0) return undefined;
  const where = agents.length > 0 ? runsAs(agents) : `is set up on ${calls.map((one) => one.node).join(', ')}`;
  const sources = [...sourcesOf(agents), ...calls.map((one) => one.source)];
  const branch = hostsWithLink(look, 'vlan.eth')[0] ?? hostsWithLink(look, 'vlan.eth*')[0];
  const network = makePart({
    role: 'pod-network',
    by: 'aws-vpc-cni',
    mode: branch ? 'branch-eni' : 'routes',
    modelled: branch === undefined,
    statement: `aws-vpc-cni ${where}: pods have addresses of the VPC${branch ? ' and branch interfaces, which are not walked' : ''}`,
    sources,
  });
  const policy = agents.flatMap((one) => one.containers).find((one) => one.name === 'aws-eks-nodeagent');
  const enforces = policy !== undefined && flagOf(policy.words, 'enable-network-policy') !== 'false';
  const parts = enforces
    ? [
        network,
        makePart({
          role: 'policy',
          by: 'aws-network-policy-agent',
          mode: 'ebpf',
          modelled: false,
          statement: 'the container aws-eks-nodeagent enforces NetworkPolicies by BPF on the pods’ devices',
          sources,
        }),
      ]
    : [network];
  return { by: 'aws-vpc-cni', parts, podAddressesRoutable: 'yes', seenBy: 'agent' };
}
