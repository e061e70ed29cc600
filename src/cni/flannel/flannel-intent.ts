import type { Address, Family } from '../../net/address.ts';
import { hostOf } from '../../net/place.ts';
import { networkOf, type Prefix, prefixFamily } from '../../net/prefix.ts';
import type { Truth } from '../../simulate/trace.ts';
import { truth } from '../../simulate/truth.ts';
import type { Snapshot, Source } from '../../snapshot/snapshot.ts';
import { containerNamed, flagOf, NO_IMAGE } from '../agents.ts';
import { type ClusterLook, lookAt } from '../cluster-look.ts';
import { isK3s } from '../k3s/is-k3s.ts';
import { detectFlannel, flannelAgents, flannelNamespaces } from './detect-flannel.ts';
import { type FlannelNode, flannelNetwork, flannelNode } from './flannel-network.ts';

/** What flannel means to have set up: by its ConfigMap, its arguments and what its agents wrote onto their nodes. */
export interface FlannelIntent {
  readonly backend?: string;
  /** The whole pod network, one prefix per family. */
  readonly networks: readonly Prefix[];
  /** May peers of one subnet be reached without encapsulation? */
  readonly directRouting: Truth;
  readonly nodes: readonly FlannelNode[];
  readonly source: Source;
  readonly configSource?: Source;
}

/** What one node should have for one pod prefix of one peer. */
export interface FlannelPeer {
  readonly peer: string;
  readonly podCidr: Prefix;
  /** The address that the peer announced; undefined where its annotation lacks one. */
  readonly publicAddress?: Address;
  readonly route: {
    readonly destination: Prefix;
    readonly via?: Address;
    /** Undefined where flannel takes whatever device leads there (host-gw). */
    readonly device?: string;
  };
  /** vxlan: the peer's VTEP as a permanent neighbour and as a forwarding entry. */
  readonly neighbour?: { readonly address: Address; readonly mac: string; readonly device: string };
  readonly fdb?: { readonly mac: string; readonly remote: Address; readonly device: string };
  /** Direct routing allows this next hop instead, without encapsulation. */
  readonly direct?: { readonly via: Address };
}

/** Undefined where flannel is not what connects the pods here. */
export function flannelIntent(snapshot: Snapshot): FlannelIntent | undefined {
  const look = lookAt(snapshot);
  if (detectFlannel(look) === undefined || look.nodesSource === undefined) return undefined;
  const nodes = look.nodes.map(flannelNode).filter((one) => one !== undefined);
  const network = flannelNetwork(look, flannelNamespaces(flannelAgents(look)));
  const backend = nodes.find((one) => one.backend !== undefined)?.backend ?? network?.backend;
  return {
    ...(backend === undefined ? {} : { backend }),
    networks: [network?.network, network?.ipv6Network].filter((one) => one !== undefined),
    directRouting: network === undefined ? 'unknown' : truth(network.directRouting),
    nodes,
    source: look.nodesSource,
    ...(network === undefined ? {} : { configSource: network.source }),
  };
}

/** What `node` should have for each pod prefix of each other node; empty where the back end is not one that is known. */
export function flannelPeers(intent: FlannelIntent, node: string): readonly FlannelPeer[] {
  return intent.nodes
    .filter((peer) => peer.name !== node)
    .flatMap((peer) => peer.podCidrs.flatMap((podCidr) => peerOf(intent, peer, podCidr) ?? []));
}

function peerOf(intent: FlannelIntent, peer: FlannelNode, podCidr: Prefix): FlannelPeer | undefined {
  const family = prefixFamily(podCidr);
  const publicAddress = family === 4 ? peer.publicAddress : peer.publicAddress6;
  const base = { peer: peer.name, podCidr, ...(publicAddress === undefined ? {} : { publicAddress }) };
  const backend = peer.backend ?? intent.backend;
  if (backend === 'vxlan') return vxlanPeer(intent, peer, base, family);
  if (backend !== 'host-gw') return undefined;
  return { ...base, route: { destination: podCidr, ...(publicAddress === undefined ? {} : { via: publicAddress }) } };
}

/** pkg/backend/vxlan/vxlan_network.go: route through the device `onlink` to the peer's own first address, ARP and FDB by hand. */
function vxlanPeer(
  intent: FlannelIntent,
  peer: FlannelNode,
  base: Pick<FlannelPeer, 'peer' | 'podCidr' | 'publicAddress'>,
  family: Family,
): FlannelPeer {
  const device = `${family === 4 ? 'flannel' : 'flannel-v6'}.${peer.vni ?? 1}`;
  const via = networkOf(base.podCidr).address;
  const mac = family === 4 ? peer.vtepMac : peer.vtepMac6;
  const { publicAddress } = base;
  return {
    ...base,
    route: { destination: base.podCidr, via, device },
    ...(mac === undefined ? {} : { neighbour: { address: via, mac, device } }),
    ...(mac === undefined || publicAddress === undefined ? {} : { fdb: { mac, remote: publicAddress, device } }),
    ...(publicAddress === undefined || intent.directRouting === 'no' ? {} : { direct: { via: publicAddress } }),
  };
}

export interface MasqueradeIntent {
  /** Does flannel mean to masquerade what pods of this node send out of the pod network? */
  readonly masquerade: Truth;
  readonly because: string;
  readonly sources: readonly Source[];
}

/** By flanneld's `--ip-masq`, by what it wrote into the node's subnet.env, or by k3s, which has it always on. */
export function flannelMasquerade(snapshot: Snapshot, node: string, family: Family): MasqueradeIntent {
  const look = lookAt(snapshot);
  const byFile = masqueradeByFile(look, node, family);
  const byFlag = masqueradeByFlag(look);
  if (byFlag?.masquerade === 'yes' || (byFlag && !byFile)) return byFlag;
  if (byFile) return byFile;
  const here = look.nodes.find((one) => one.metadata.name === node);
  if (here && isK3s(here)) {
    const sources = look.nodesSource ? [look.nodesSource] : [];
    return { masquerade: 'yes', because: 'flannel within k3s masquerades', sources };
  }
  return {
    masquerade: 'unknown',
    because: `neither flanneld's arguments nor ${node}'s subnet.env were read`,
    sources: [],
  };
}

function masqueradeByFlag(look: ClusterLook): MasqueradeIntent | undefined {
  for (const agent of flannelAgents(look)) {
    const container = containerNamed(agent, ['kube-flannel', 'flanneld'], NO_IMAGE);
    if (container === undefined || container.words.length === 0) continue;
    const flag = flagOf(container.words, 'ip-masq');
    const masquerade = truth(flag !== undefined && flag !== 'false');
    const because = `flanneld runs ${masquerade === 'yes' ? 'with' : 'without'} --ip-masq`;
    return { masquerade, because, sources: [agent.source] };
  }
  return undefined;
}

function masqueradeByFile(look: ClusterLook, node: string, family: Family): MasqueradeIntent | undefined {
  const file = look.snapshot.fact('flannel-subnet', hostOf(node));
  if (file.state === 'unseen') return undefined;
  const value = file.value.FLANNEL_IPMASQ;
  const subnet = file.value[family === 4 ? 'FLANNEL_SUBNET' : 'FLANNEL_IPV6_SUBNET'];
  if (value === undefined || subnet === undefined) return undefined;
  const text = `FLANNEL_IPMASQ=${value}`;
  return {
    masquerade: truth(value === 'true'),
    because: `subnet.env says ${text}`,
    sources: [{ ...file.source, text }],
  };
}
