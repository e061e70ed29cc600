import { agentsNamed } from '../agents.ts';
import { type ClusterLook, hostsWithLink, nodesCalling } from '../cluster-look.ts';
import { type CniFinding, makePart, runsAs, sourcesOf } from '../cni-finding.ts';

/**
 * Azure CNI. In transparent mode (the default of today) pods hang on routed veths; in bridge mode on `azure0`, whose
 * ebtables rules are not read. Source: Azure/azure-container-networking, docs/cni.md, network/{bridge,transparent}_*.
 */
export function detectAzureCni(look: ClusterLook): CniFinding | undefined {
  const agents = agentsNamed(
    look.agents,
    ['azure-cns', 'azure-cnsv', 'cns-container', 'azure-cni-networkmonitor'],
    /^(azure-cns|networkmonitor|azure-cni)$/,
  );
  const calls = nodesCalling(look, ['azure-vnet', 'azure-cns']);
  if (agents.length === 0 && calls.length === 0) return undefined;
  const bridge = hostsWithLink(look, 'azure0')[0];
  const where = agents.length > 0 ? runsAs(agents) : `is set up on ${calls.map((one) => one.node).join(', ')}`;
  const sources = [...sourcesOf(agents), ...calls.map((one) => one.source), ...(bridge ? [bridge.source] : [])];
  const mode = bridge ? 'bridge' : undefined;
  const statement = bridge
    ? `azure-cni ${where} with the bridge azure0, whose ebtables rules are not read`
    : `azure-cni ${where}: pods have addresses of ${isOverlay(look) ? 'an overlay network' : 'the virtual network'}`;
  const part = makePart({ role: 'pod-network', by: 'azure-cni', mode, modelled: !bridge, statement, sources });
  const outside = isOverlay(look) ? { podAddressesRoutableOutside: 'no' as const } : {};
  return { by: 'azure-cni', parts: [part], podAddressesRoutable: 'yes', ...outside, seenBy: 'agent' };
}

/** Pods have addresses of a network of their own, which is carried between the nodes alone (learn.microsoft.com, Azure CNI Overlay). */
function isOverlay(look: ClusterLook): boolean {
  return look.nodes.some((node) => node.metadata.labels?.['kubernetes.azure.com/podnetwork-type'] === 'overlay');
}
