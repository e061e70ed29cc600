import type { Address } from '../net/address.ts';
import type { Station } from './cables.ts';

/*
 * ipvlan devices share their lower one's MAC and are told apart by their IP addresses (drivers/net/ipvlan/ipvlan_core.c).
 */

export type IpvlanReceiver =
  | { readonly state: 'found'; readonly station: Station }
  | { readonly state: 'unknown'; readonly because: string };

/** The ipvlan device that takes a packet for this address, among those that stand on one device (ipvlan_addr_lookup). */
export function ipvlanReceiver(uppers: readonly Station[], address: Address): IpvlanReceiver | undefined {
  const station = uppers.find(({ link }) => {
    return link.ipvlan !== undefined && link.addresses.some((one) => one.prefix.address === address);
  });
  if (!station) return undefined;
  if (station.link.ipvlan!.mode !== 'l3s') return { state: 'found', station };
  return {
    state: 'unknown',
    because: `${station.link.name} is an ipvlan of mode l3s: what it receives is not modelled`,
  };
}
