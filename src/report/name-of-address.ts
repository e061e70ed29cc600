import type { Address } from '../net/address.ts';
import { CLUSTER, hostOf, podPlace } from '../net/place.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { ownerOfAddress } from '../target/address-owner.ts';

/** Whose address it is: a pod, a node, or a device of a node (a bridge has addresses that the API does not know). */
export function nameOfAddress(snapshot: Snapshot, address: Address): string | undefined {
  const owner = ownerOfAddress(snapshot, address);
  if (owner?.kind === 'pod') {
    const [{ metadata }] = owner.pods;
    return podPlace('', metadata.namespace ?? 'default', metadata.name).namespace;
  }
  if (owner?.kind === 'node') return `node/${owner.node.metadata.name}`;
  const nodes = snapshot.fact('api.nodes', CLUSTER);
  if (nodes.state === 'unseen') return undefined;
  for (const { metadata } of nodes.value) {
    const links = snapshot.fact('links', hostOf(metadata.name));
    if (links.state === 'unseen') continue;
    const device = links.value.find(({ addresses }) => addresses.some(({ prefix }) => prefix.address === address));
    if (device) return `${device.name} of node/${metadata.name}`;
  }
  return undefined;
}
