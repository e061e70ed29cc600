import { type Family, familyOf } from '../net/address.ts';
import { networkOf, type Prefix, parsePrefix, prefixFamily } from '../net/prefix.ts';
import type { LinkAddress } from '../parse/ip-link.ts';
import type { Route } from '../parse/ip-route.ts';
import { parseIpRouteLine } from '../parse/ip-route-line.ts';
import { parseAddressLine } from './address-line.ts';
import { replaced } from './apply-table-change.ts';
import type { Outcome } from './overlay-snapshot.ts';
import type { Snapshot, SnapshotChange } from './snapshot.ts';

/**
 * What a change does to the routes of one family: `ip route replace` and `ip route del`; and what the kernel does by
 * itself when an address comes or goes, or a link is set up (net/ipv4/fib_frontend.c: fib_add_ifaddr, fib_del_ifaddr).
 */
export function routesWithChange(
  routes: readonly Route[],
  change: SnapshotChange,
  family: Family,
  base: Snapshot,
): Outcome<readonly Route[]> {
  if (change.op === 'route') return routeChanged(routes, change, family);
  if (change.op === 'address') return addressChanged(routes, change, family);
  return change.op === 'link' ? linkChanged(routes, change, family, base) : 'not-meant';
}

function routeChanged(
  routes: readonly Route[],
  { act, line }: { readonly act: 'add' | 'remove'; readonly line: string },
  family: Family,
): Outcome<readonly Route[]> {
  if (routeLineFamily(line) !== family) return 'not-meant';
  const wanted = parseIpRouteLine(line, family);
  if (!wanted) return 'failed';
  if (act === 'add') return replaced(routes, (route) => isSameKey(route, wanted), wanted);
  const index = routes.findIndex((route) => isMeant(route, wanted));
  return index < 0 ? 'failed' : { value: routes.toSpliced(index, 1) };
}

/** A default route's family shows in its gateway or source; one with neither is IPv4, as `ip route` without -6 takes it. */
function routeLineFamily(line: string): Family {
  const words = line.trim().split(/\s+/);
  for (const word of words) {
    const prefix = parsePrefix(word);
    if (prefix) return words[words.indexOf(word) - 1] === 'inet6' ? 4 : prefixFamily(prefix);
  }
  return 4;
}

/** The kernel keeps one route per table, prefix, TOS and metric (fib_table_insert). */
function isSameKey(a: Route, b: Route): boolean {
  return (
    a.table === b.table &&
    isSamePrefix(a.destination, b.destination) &&
    (a.tos ?? 0) === (b.tos ?? 0) &&
    a.metric === b.metric
  );
}

/** A removal names a route by what it says; what it leaves out may be anything (fib_table_delete). */
function isMeant(route: Route, named: Route): boolean {
  if (route.table !== named.table || route.type !== named.type) return false;
  if (!isSamePrefix(route.destination, named.destination)) return false;
  if (named.metric !== 0 && route.metric !== named.metric) return false;
  if (named.tos !== undefined && route.tos !== named.tos) return false;
  return named.nextHops.every((hop) =>
    route.nextHops.some(
      (own) =>
        (hop.via === undefined || own.via === hop.via) && (hop.device === undefined || own.device === hop.device),
    ),
  );
}

function isSamePrefix(a: Prefix, b: Prefix): boolean {
  return a.length === b.length && a.address === b.address;
}

function addressChanged(
  routes: readonly Route[],
  { act, line }: { readonly act: 'add' | 'remove'; readonly line: string },
  family: Family,
): Outcome<readonly Route[]> {
  const parsed = parseAddressLine(line);
  if (!parsed) return 'not-meant'; // told where the links are changed
  if (prefixFamily(parsed.address.prefix) !== family) return 'not-meant';
  if (act === 'add') return { value: withRoutesOf(routes, parsed.device, parsed.address) };
  const own = parsed.address.prefix.address;
  return { value: routes.filter((route) => !isRouteOfAddress(route, parsed.device, own)) };
}

function isRouteOfAddress(route: Route, device: string, address: string): boolean {
  if (route.protocol !== 'kernel' || route.nextHops[0]?.device !== device) return false;
  return route.preferredSource === address || (route.type === 'local' && route.destination.address === address);
}

/** A link that comes up gets its connected routes; the rest of its routes, which the kernel dropped with it, does not come back. */
function linkChanged(
  routes: readonly Route[],
  change: Extract<SnapshotChange, { readonly op: 'link' }>,
  family: Family,
  base: Snapshot,
): Outcome<readonly Route[]> {
  const links = base.fact('links', change.place);
  const link = links.state === 'seen' ? links.value.find((one) => one.name === change.device) : undefined;
  const isUp = link?.flags.includes('UP');
  if (!link || change.set.up === undefined || change.set.up === isUp) return 'not-meant';
  if (!change.set.up) {
    return { value: routes.filter((route) => !route.nextHops.some((hop) => hop.device === change.device)) };
  }
  const addresses = link.addresses.filter((address) => prefixFamily(address.prefix) === family);
  return { value: addresses.reduce((all, address) => withRoutesOf(all, link.name, address), routes) };
}

function withRoutesOf(routes: readonly Route[], device: string, address: LinkAddress): readonly Route[] {
  const missing = routesOf(device, address).filter((route) => !routes.some((one) => isSameKey(one, route)));
  return [...routes, ...missing];
}

/** The local route of the address and, where its prefix is a network, the connected one. */
function routesOf(device: string, { prefix, peer }: LinkAddress): readonly Route[] {
  const family = familyOf(prefix.address);
  const network = networkOf(peer ? { address: peer, length: prefix.length } : prefix);
  const local = `local ${prefix.address} dev ${device} table local proto kernel scope host src ${prefix.address}`;
  const connected = `${network.address}/${network.length} dev ${device} proto kernel scope link src ${prefix.address}`;
  const isHost = prefix.length === (family === 4 ? 32 : 128) && !peer;
  return [local, ...(isHost ? [] : [connected])]
    .map((line) => parseIpRouteLine(line, family))
    .filter((route) => route !== undefined);
}
