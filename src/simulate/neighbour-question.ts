import { type Address, familyOf } from '../net/address.ts';
import type { Place } from '../net/place.ts';
import { prefixContains } from '../net/prefix.ts';
import type { Link, LinkAddress } from '../parse/ip-link.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { Question } from './bridge-proxy.ts';
import { addressTypeOf } from './routes.ts';
import { largerOf } from './sysctl.ts';

/**
 * What a namespace asks on a device for a next hop (arp_solicit in net/ipv4/arp.c): as its own address it gives the
 * packet's source if that is local and arp_announce lets it, else the device's nearest, else that of another device.
 */
export function questionFor(
  snapshot: Snapshot,
  place: Place,
  link: Link,
  address: Address,
  packetSource: Address,
): Question {
  if (familyOf(address) === 6) return solicitation(link, address, packetSource);
  const asker = announced(snapshot, place, link, address, packetSource) ?? nearest(snapshot, place, link, address);
  return asker === undefined ? { address } : { address, asker };
}

/**
 * A solicitation comes from the packet's source, if that is this very device's, else from the device's link-local address;
 * without one nothing is sent (ndisc_solicit, ndisc_send_ns in net/ipv6/ndisc.c).
 */
function solicitation(link: Link, address: Address, packetSource: Address): Question {
  const usable = link.addresses.filter(({ prefix, flags }) => {
    return familyOf(prefix.address) === 6 && (!flags.includes('tentative') || flags.includes('optimistic'));
  });
  const own =
    usable.find(({ prefix }) => prefix.address === packetSource) ?? usable.find(({ scope }) => scope === 'link');
  if (own) return { address, asker: own.prefix.address };
  return { address, mute: `${link.name} has no link-local address to ask from` };
}

function announced(
  snapshot: Snapshot,
  place: Place,
  link: Link,
  address: Address,
  packetSource: Address,
): Address | undefined {
  const mode = largerOf(snapshot, place, 4, 'arp_announce', link.name)?.value ?? 0;
  if (mode >= 2 || familyOf(packetSource) !== 4) return undefined;
  if (addressTypeOf(snapshot, place, packetSource) !== 'local') return undefined;
  if (mode === 0) return packetSource;
  const isOnLink = link.addresses.some(({ prefix }) => {
    return familyOf(prefix.address) === 4 && prefixContains(prefix, address) && prefixContains(prefix, packetSource);
  });
  return isOnLink ? packetSource : undefined;
}

/** inet_select_addr with link scope. */
function nearest(snapshot: Snapshot, place: Place, link: Link, address: Address): Address | undefined {
  const own = link.addresses.filter((one) => mayAsk(one));
  const fitting = own.find((one) => prefixContains(one.prefix, address)) ?? own[0];
  if (fitting) return fitting.prefix.address;
  const links = snapshot.fact('links', place);
  const others = links.state === 'seen' ? links.value.flatMap((one) => one.addresses) : [];
  return others.find((one) => mayAsk(one) && one.scope !== 'link')?.prefix.address;
}

function mayAsk({ prefix, scope, flags }: LinkAddress): boolean {
  return familyOf(prefix.address) === 4 && scope !== 'host' && !flags.includes('secondary');
}
