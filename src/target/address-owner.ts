import { type Address, parseAddress } from '../net/address.ts';
import { hostOf } from '../net/place.ts';
import type { Node, Pod, Service } from '../snapshot/objects.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { clusterList, seenItems } from './cluster-list.ts';
import { addressesOfPod, isFinished } from './pod-endpoint.ts';
import type { NodeEndpoint } from './question.ts';
import { clusterAddresses, externalAddresses } from './service-ports.ts';

export type AddressOwner =
  | { readonly kind: 'cluster-ip' | 'external-ip'; readonly service: Service }
  /** Several pods: they claim one and the same address. */
  | { readonly kind: 'pod'; readonly pods: readonly [Pod, ...Pod[]] }
  | { readonly kind: 'node'; readonly node: Node };

/** Whose address this is by the API's objects; undefined also where these could not be read. */
export function ownerOfAddress(snapshot: Snapshot, address: Address): AddressOwner | undefined {
  const services = seenItems(clusterList(snapshot, 'api.services'));
  const cluster = services.find((one) => clusterAddresses(one).includes(address));
  if (cluster) return { kind: 'cluster-ip', service: cluster };
  // A pod on the host's network has the node's address, which stays the node's.
  const pods = seenItems(clusterList(snapshot, 'api.pods')).filter(
    (pod) => pod.spec.hostNetwork !== true && !isFinished(pod) && addressesOfPod(pod).includes(address),
  );
  const [first, ...others] = pods;
  if (first) return { kind: 'pod', pods: [first, ...others] };
  const node = seenItems(clusterList(snapshot, 'api.nodes')).find((one) => nodeAddresses(one).includes(address));
  if (node) return { kind: 'node', node };
  const external = services.find((one) => externalAddresses(one).includes(address));
  return external === undefined ? undefined : { kind: 'external-ip', service: external };
}

/** InternalIPs before ExternalIPs, as the API lists them. */
export function nodeAddresses(node: Node): readonly Address[] {
  const listed = node.status.addresses ?? [];
  const texts = ['InternalIP', 'ExternalIP'].flatMap((type) => listed.filter((one) => one.type === type));
  return texts.map((one) => parseAddress(one.address)).filter((address) => address !== undefined);
}

export function nodeEndpoint(node: Node, more: Pick<NodeEndpoint, 'nodePortOf'> = {}): NodeEndpoint {
  const { name } = node.metadata;
  return { kind: 'node', name, place: hostOf(name), addresses: nodeAddresses(node), ...more };
}
