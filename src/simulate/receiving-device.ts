import type { Address } from '../net/address.ts';
import type { Place } from '../net/place.ts';
import { prefixContains } from '../net/prefix.ts';
import type { Link } from '../parse/ip-link.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { topologyOf } from './topology.ts';

const INNER_KINDS = new Set([
  'bridge',
  'vxlan',
  'dummy',
  'ipip',
  'sit',
  'gre',
  'wireguard',
  'tun',
  'geneve',
  'ifb',
  'nlmon',
  'ip6tnl',
]);

/** Whether a device leads out to the network between the nodes: a NIC, or what is stacked on one. */
export function isUnderlay(link: Link): boolean {
  return link.type === 'ether' && !link.flags.includes('LOOPBACK') && !INNER_KINDS.has(link.kind ?? '');
}

/**
 * The device by which a host receives what is sent to one of its addresses over the network between the nodes, whatever
 * device has the address: a NIC in one network with the sender's device, else the NIC that has the address, else the one
 * that has the node's own. A bridge with a NIC among its ports receives by that NIC; a veth whose other end is in a pod
 * does not lead there.
 */
export function receivingDevice(
  snapshot: Snapshot,
  host: Place,
  sender: Link | undefined,
  address: Address,
): Link | undefined {
  const observed = snapshot.fact('links', host);
  if (observed.state === 'unseen') return undefined;
  const links = observed.value;
  const nicOf = (link: Link | undefined): Link | undefined => link && outward(snapshot, host, links, link);
  const has = (link: Link, addresses: readonly Address[]): boolean =>
    link.addresses.some((one) => addresses.includes(one.prefix.address));
  const holding = links.find((link) => has(link, [address]) && nicOf(link) !== undefined);
  if (holding && (!sender || shareNetwork(holding, sender))) return nicOf(holding);
  const shared = links.find((link) => sender && nicOf(link) !== undefined && shareNetwork(link, sender));
  if (shared) return nicOf(shared);
  if (holding) return nicOf(holding);
  const nodeAddresses = topologyOf(snapshot).addressesOfNode(host.node);
  const main = links.find((link) => has(link, nodeAddresses) && nicOf(link) !== undefined);
  return nicOf(main ?? links.find((link) => link.addresses.length > 0 && nicOf(link) !== undefined));
}

function outward(snapshot: Snapshot, host: Place, links: readonly Link[], link: Link): Link | undefined {
  if (link.kind === 'bridge') {
    return links.find((port) => port.master === link.name && isUnderlay(port) && port.kind !== 'veth');
  }
  if (!isUnderlay(link)) return undefined;
  return link.kind === 'veth' && topologyOf(snapshot).peerOf(host, link).state === 'found' ? undefined : link;
}

function shareNetwork(a: Link, b: Link): boolean {
  return a.addresses.some((one) =>
    b.addresses.some((other) => one.scope !== 'link' && prefixContains(one.prefix, other.prefix.address)),
  );
}
