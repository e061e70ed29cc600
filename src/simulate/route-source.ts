import { type Address, familyOf } from '../net/address.ts';
import type { Place } from '../net/place.ts';
import { prefixContains } from '../net/prefix.ts';
import type { Link, LinkAddress } from '../parse/ip-link.ts';
import type { NextHop, Route } from '../parse/ip-route.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { isSwitchedOn } from './sysctl.ts';

/** RT_SCOPE_* of include/uapi/linux/rtnetlink.h. */
const SCOPES: Readonly<Record<string, number>> = { global: 0, site: 200, link: 253, host: 254, nowhere: 255 };
const GLOBAL = 0;
const LINK = 253;
const HOST = 254;

/** The address that packets by this next hop are sent from, where nothing else says so (fib_info_update_nhc_saddr). */
export function sourceOfHop(
  { snapshot, place }: { readonly snapshot: Snapshot; readonly place: Place },
  route: Route,
  hop: NextHop,
): Address | undefined {
  if (hop.device === undefined) return undefined;
  const near = hop.via !== undefined && familyOf(hop.via) === 4 ? hop.via : undefined;
  return selectIpv4Address(snapshot, place, hop.device, near, scopeNumber(route.scope));
}

function scopeNumber(scope: string | undefined): number {
  return scope === undefined ? GLOBAL : (SCOPES[scope] ?? Number(scope));
}

/**
 * A device's IPv4 address (inet_select_addr of net/ipv4/devinet.c): a primary one that is valid as far as `scope`, in
 * whose network `near` lies, else the first; without one there, that of the VRF or of another device, loopback first.
 */
export function selectIpv4Address(
  snapshot: Snapshot,
  place: Place,
  device: string,
  near: Address | undefined,
  scope: number = GLOBAL,
): Address | undefined {
  const links = snapshot.fact('links', place);
  if (links.state === 'unseen') return undefined;
  const link = links.value.find((one) => one.name === device);
  if (!link) return undefined;
  const furthest = isSwitchedOn(snapshot, place, 4, 'route_localnet', device) === 'yes' ? LINK : HOST;
  const own = primary(link).filter((address) => Math.min(scopeNumber(address.scope), furthest) <= scope);
  const fitting = near === undefined ? own[0] : own.find((address) => prefixContains(networkAt(address), near));
  return (fitting ?? own[0])?.prefix.address ?? elsewhere(links.value, link, scope);
}

function elsewhere(links: readonly Link[], device: Link, scope: number): Address | undefined {
  const vrf = vrfNameOf(links, device);
  const others = links.filter((link) => vrfNameOf(links, link) === vrf);
  const ordered = [...links.filter((link) => link.name === vrf), ...others];
  return ordered
    .flatMap(primary)
    .find((address) => scopeNumber(address.scope) !== LINK && scopeNumber(address.scope) <= scope)?.prefix.address;
}

function vrfNameOf(links: readonly Link[], link: Link): string | undefined {
  const master = links.find((one) => one.name === link.master);
  return master?.kind === 'vrf' ? master.name : undefined;
}

function primary(link: Link): readonly LinkAddress[] {
  return link.addresses.filter(({ prefix, flags }) => familyOf(prefix.address) === 4 && !flags.includes('secondary'));
}

/** With a peer, the network is the peer's (ifa_address). */
function networkAt({ prefix, peer }: LinkAddress): LinkAddress['prefix'] {
  return peer === undefined ? prefix : { address: peer, length: prefix.length };
}
