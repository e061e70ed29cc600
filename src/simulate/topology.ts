import type { Request } from '../host/host.ts';
import type { Address } from '../net/address.ts';
import { CLUSTER, hostOf, type Place, placeKey, podPlace } from '../net/place.ts';
import type { Link } from '../parse/ip-link.ts';
import type { Node, Pod, Service } from '../snapshot/objects.ts';
import { isComplete, type Observed, type Snapshot } from '../snapshot/snapshot.ts';
import { type Cables, cablesOf, type Peer } from './cables.ts';
import { deviceHolding } from './own-addresses.ts';

export type { Peer };

export interface Topology {
  /** The running pod, not on the host's network, that the API gives this address. */
  readonly podAt: (address: Address) => Place | undefined;
  /** The addresses that a Service's virtual address stands for, as its EndpointSlices say. */
  readonly endpointsOf: (address: Address) => readonly Address[];
  /** Host namespaces that hold this address: by their collected devices, else by the API. */
  readonly hostsAt: (address: Address) => readonly Place[];
  /** Addresses that the API gives this node. */
  readonly addressesOfNode: (node: string) => readonly Address[];
  readonly podsOfNode: (node: string) => readonly Place[];
  /** The other end of a veth pair, by both ends' indexes. */
  readonly peerOf: (place: Place, link: Link) => Peer;
  /** How the devices of one node's namespaces are stacked and paired. */
  readonly cablesOf: (node: string) => Cables;
  /** Requests for the API's lists, where they were not asked; an address that nobody holds may be in them. */
  readonly missing: readonly Request[];
  /** Whether the lists of pods and nodes were seen wholly, so that an address may be called nobody's. */
  readonly complete: boolean;
}

const topologies = new WeakMap<Snapshot, Topology>();

/** Who holds which address and which devices are two ends of one cable, from the API's objects and the collected devices. */
export function topologyOf(snapshot: Snapshot): Topology {
  const known = topologies.get(snapshot);
  if (known) return known;
  const topology = makeTopology(snapshot);
  topologies.set(snapshot, topology);
  return topology;
}

function makeTopology(snapshot: Snapshot): Topology {
  const pods = snapshot.fact('api.pods', CLUSTER);
  const nodes = snapshot.fact('api.nodes', CLUSTER);
  const podList = pods.state === 'seen' ? pods.value.filter(hasOwnNetwork) : [];
  const podsByAddress = new Map(
    podList.flatMap((pod) => addressesOfPod(pod).map((one) => [one, placeOf(pod)] as const)),
  );
  const podsByNode = Map.groupBy(podList.map(placeOf), (place) => place.node);
  const nodeAddresses = new Map((nodes.state === 'seen' ? nodes.value : []).map(addressesOfNode));
  const podsOfNode = (node: string): readonly Place[] => withCollected(snapshot, node, podsByNode.get(node) ?? []);
  const hosts = new Set([...nodeAddresses.keys(), ...snapshot.nodes()]);
  const cables = new Map<string, Cables>();
  const cablesOfNode = (node: string): Cables => {
    const known = cables.get(node) ?? cablesOf(snapshot, [hostOf(node), ...podsOfNode(node)]);
    cables.set(node, known);
    return known;
  };
  return {
    podAt: (address) => podsByAddress.get(address),
    endpointsOf: (address) => endpointsBehind(snapshot, address),
    hostsAt: (address) => hostsHolding(snapshot, hosts, nodeAddresses, address),
    addressesOfNode: (node) => nodeAddresses.get(node) ?? [],
    podsOfNode,
    peerOf: (place, link) => cablesOfNode(place.node).peerOf(place, link),
    cablesOf: cablesOfNode,
    missing: [...notAsked(pods), ...notAsked(nodes)],
    complete: isComplete(pods) && isComplete(nodes),
  };
}

function endpointsBehind(snapshot: Snapshot, address: Address): readonly Address[] {
  const services = snapshot.fact('api.services', CLUSTER);
  const slices = snapshot.fact('api.endpointslices', CLUSTER);
  if (services.state === 'unseen' || slices.state === 'unseen') return [];
  const found = services.value.find((service) => virtualAddresses(service).includes(address));
  if (!found) return [];
  return slices.value
    .filter(({ metadata }) => {
      const name = metadata.labels?.['kubernetes.io/service-name'];
      return metadata.namespace === found.metadata.namespace && name === found.metadata.name;
    })
    .flatMap((slice) => (slice.endpoints ?? []).flatMap((endpoint) => endpoint.addresses));
}

function virtualAddresses({ spec, status }: Service): readonly Address[] {
  const balanced = (status?.loadBalancer?.ingress ?? []).flatMap((one) => (one.ip === undefined ? [] : [one.ip]));
  return [...(spec.clusterIPs ?? []), ...(spec.externalIPs ?? []), ...balanced];
}

function notAsked(observed: Observed<unknown>): Request[] {
  return observed.state === 'unseen' && observed.gap === 'not-asked' ? [observed.want] : [];
}

function hasOwnNetwork(pod: Pod): boolean {
  const over = pod.status.phase === 'Succeeded' || pod.status.phase === 'Failed';
  return !pod.spec.hostNetwork && !over && pod.spec.nodeName !== undefined;
}

function placeOf(pod: Pod): Place {
  return podPlace(pod.spec.nodeName!, pod.metadata.namespace ?? 'default', pod.metadata.name);
}

function addressesOfPod(pod: Pod): readonly Address[] {
  const list = (pod.status.podIPs ?? []).map((one) => one.ip);
  return list.length > 0 ? list : pod.status.podIP ? [pod.status.podIP] : [];
}

function addressesOfNode(node: Node): readonly [string, readonly Address[]] {
  const addresses = (node.status.addresses ?? []).filter((one) => one.type.endsWith('IP'));
  return [node.metadata.name, addresses.map((one) => one.address)];
}

function withCollected(snapshot: Snapshot, node: string, listed: readonly Place[]): readonly Place[] {
  const keys = new Set(listed.map(placeKey));
  const more = snapshot.placesOf(node).filter((place) => place.namespace !== 'host' && !keys.has(placeKey(place)));
  return [...listed, ...more];
}

function hostsHolding(
  snapshot: Snapshot,
  hosts: ReadonlySet<string>,
  nodeAddresses: ReadonlyMap<string, readonly Address[]>,
  address: Address,
): Place[] {
  const places = [...hosts].map(hostOf);
  const holding = places.filter((place) => holdsAddress(snapshot, place, address) === 'yes');
  if (holding.length > 0) return holding;
  return places.filter(
    (place) => holdsAddress(snapshot, place, address) === 'unknown' && nodeAddresses.get(place.node)?.includes(address),
  );
}

/** Whether a device of this namespace has the address. */
export function holdsAddress(snapshot: Snapshot, place: Place, address: Address): 'yes' | 'no' | 'unknown' {
  const links = snapshot.fact('links', place);
  if (links.state === 'unseen') return 'unknown';
  if (deviceHolding(links.value, address) !== undefined) return 'yes';
  return isComplete(links) ? 'no' : 'unknown';
}
