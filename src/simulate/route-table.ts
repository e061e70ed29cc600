import { type Address, addressToBits, familyOf, parseIpv4 } from '../net/address.ts';
import type { Route } from '../parse/ip-route.ts';

/** A routing table by prefix, so that a look-up costs as many steps as there are lengths, and not routes. */
export interface RouteTable {
  /** The routes of each prefix in which the address lies, the narrowest prefix first; each list in the kernel's order. */
  readonly matching: (address: Address) => readonly PrefixRoutes[];
  readonly routes: number;
}

/** The routes of one destination prefix. */
export interface PrefixRoutes {
  readonly length: number;
  readonly routes: readonly Route[];
}

const LOCAL_TABLE = 255;
const MAIN_TABLE = 254;
/** Number of the table that local and main are together (see `localAndMain`); none of the kernel's. */
export const LOCAL_AND_MAIN = -1;

const indexes = new WeakMap<readonly Route[], Map<number, RouteTable>>();

/** One table of a list of routes; an empty one where it has none. */
export function routeTable(routes: readonly Route[], table: number): RouteTable {
  const known = indexes.get(routes) ?? new Map<number, RouteTable>();
  indexes.set(routes, known);
  if (known.size === 0) {
    for (const [number, list] of Map.groupBy(routes, (route) => route.table)) known.set(number, tableOf(list));
  }
  const found = known.get(table) ?? (table === LOCAL_AND_MAIN ? localAndMain(routes) : EMPTY);
  known.set(table, found);
  return found;
}

/**
 * Until the first rule is added or removed, local and main are one tree of IPv4, in which the narrowest prefix of both
 * wins and local goes first among equals (fib_trie_table's alias, fib_insert_alias in net/ipv4/fib_trie.c).
 */
function localAndMain(routes: readonly Route[]): RouteTable {
  return tableOf(routes.filter(({ table }) => table === LOCAL_TABLE || table === MAIN_TABLE));
}

const EMPTY: RouteTable = { matching: () => [], routes: 0 };

function tableOf(routes: readonly Route[]): RouteTable {
  const family = familyOf(routes[0]?.destination.address ?? '0.0.0.0');
  const byLength = Map.groupBy(routes, (route) => route.destination.length);
  const lengths = [...byLength.keys()].toSorted((a, b) => b - a);
  const networks = lengths.map((length) => ({ length, byKey: byKeyOf(byLength.get(length)!, length) }));
  return {
    routes: routes.length,
    matching: (address) => (familyOf(address) === family ? matchingOf(networks, address) : []),
  };
}

interface Networks {
  readonly length: number;
  readonly byKey: ReadonlyMap<bigint | number, readonly Route[]>;
}

function matchingOf(networks: readonly Networks[], address: Address): readonly PrefixRoutes[] {
  const matching: PrefixRoutes[] = [];
  const value = bitsOf(address);
  for (const { length, byKey } of networks) {
    const routes = byKey.get(networkKey(value, length));
    if (routes) matching.push({ length, routes });
  }
  return matching;
}

function byKeyOf(routes: readonly Route[], length: number): Map<bigint | number, readonly Route[]> {
  const groups = Map.groupBy(routes, ({ destination }) => networkKey(bitsOf(destination.address), length));
  for (const [key, list] of groups) if (list.length > 1) groups.set(key, list.toSorted(inKernelOrder));
  return groups;
}

/** A number for IPv4, which is looked up most and for which bigint is slow. */
function bitsOf(address: Address): bigint | number {
  return parseIpv4(address) ?? addressToBits(address);
}

function networkKey(value: bigint | number, length: number): bigint | number {
  return typeof value === 'number' ? Math.floor(value / 2 ** (32 - length)) : value >> BigInt(128 - length);
}

/** TOS before none, then the lowest metric (fib_find_alias); IPv6 routes have no TOS. Equal ones stay as they were added. */
function inKernelOrder(a: Route, b: Route): number {
  return b.table - a.table || (b.tos ?? 0) - (a.tos ?? 0) || a.metric - b.metric;
}
