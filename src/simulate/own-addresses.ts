import type { Address } from '../net/address.ts';
import type { Link } from '../parse/ip-link.ts';

const holders = new WeakMap<readonly Link[], ReadonlyMap<Address, string>>();

/** The device that an address is set on (inet_lookup_ifaddr_rcu). */
export function deviceHolding(links: readonly Link[], address: Address): string | undefined {
  const known = holders.get(links) ?? holdersOf(links);
  holders.set(links, known);
  return known.get(address);
}

function holdersOf(links: readonly Link[]): ReadonlyMap<Address, string> {
  const map = new Map<Address, string>();
  for (const link of links) {
    for (const { prefix } of link.addresses) if (!map.has(prefix.address)) map.set(prefix.address, link.name);
  }
  return map;
}
