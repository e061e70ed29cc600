import type { Address } from '../../net/address.ts';
import { type Prefix, parsePrefix, prefixContains } from '../../net/prefix.ts';
import type { Node, Pod } from '../../snapshot/objects.ts';

/** The running pod with its own network that has this address. */
export function podOfAddress(pods: readonly Pod[], address: Address): Pod | undefined {
  return pods.find(
    (pod) =>
      !pod.spec.hostNetwork &&
      pod.status.phase !== 'Succeeded' &&
      pod.status.phase !== 'Failed' &&
      (pod.status.podIPs ?? []).some((ip) => ip.ip === address),
  );
}

export function nodeByName(nodes: readonly Node[], name: string | undefined): Node | undefined {
  return nodes.find((node) => node.metadata.name === name);
}

export function internalAddresses(node: Node): Address[] {
  return (node.status.addresses ?? []).filter((one) => one.type === 'InternalIP').map((one) => one.address);
}

/** The node's pod CIDR that holds this address (spec.podCIDRs; absent where the CNI has its own IPAM). */
export function podCidrFor(node: Node, address: Address): Prefix | undefined {
  return podCidrsOf(node).find((prefix) => prefixContains(prefix, address));
}

export function podCidrsOf(node: Node): Prefix[] {
  const cidrs = node.spec.podCIDRs ?? (node.spec.podCIDR ? [node.spec.podCIDR] : []);
  return cidrs.flatMap((text) => parsePrefix(text) ?? []);
}
