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
 * The device by which a host receives what is sent to one of its addresses over the network between the nodes: the one
 * that has the address, else one in a network with the sender's device, else the one that has the node's own address.
 * A bridge that holds the address and has a NIC among its ports receives by that NIC.
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
  const holding = links.find((link) => link.addresses.some((one) => one.prefix.address === address));
  const direct = holding && outward(links, holding);
  if (direct) return direct;
  const shared = links.filter(isUnderlay).find((link) => sender && shareNetwork(link, sender));
  if (shared) return shared;
  const nodeAddresses = topologyOf(snapshot).addressesOfNode(host.node);
  const main = links.find((link) => link.addresses.some((one) => nodeAddresses.includes(one.prefix.address)));
  return (main && outward(links, main)) ?? links.find((link) => isUnderlay(link) && link.addresses.length > 0);
}

function outward(links: readonly Link[], link: Link): Link | undefined {
  if (link.kind !== 'bridge') return isUnderlay(link) ? link : undefined;
  return links.find((port) => port.master === link.name && isUnderlay(port) && port.kind !== 'veth');
}

function shareNetwork(a: Link, b: Link): boolean {
  return a.addresses.some((one) =>
    b.addresses.some((other) => one.scope !== 'link' && prefixContains(one.prefix, other.prefix.address)),
  );
}
