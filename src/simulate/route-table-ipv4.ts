import type { NextHop, Route } from '../parse/ip-route.ts';
import { hashShares, isAlive, isReachable, kernelIsAtLeast, nextHopsOf } from './route-hops.ts';
import { type LookupContext, REFUSING, type RouteWay, type TableHit } from './route-lookup.ts';
import { isOwn } from './route-rule.ts';
import { sourceOfHop } from './route-source.ts';
import { type PrefixRoutes, routeTable } from './route-table.ts';
import { readSysctl, switchedOn } from './sysctl.ts';
import type { Chance } from './trace.ts';
import { CERTAIN, UNDECIDED } from './truth.ts';

const TOS_MASK = 0x1c;

/**
 * fib_table_lookup of net/ipv4/fib_trie.c: the narrowest prefix, there TOS and then metric; the first route that has a
 * next hop to offer. `throw` and no match go on with the next rule.
 */
export function lookupIpv4Table(context: LookupContext, number: number): TableHit | undefined {
  let left: string | undefined;
  for (const prefix of routeTable(context.routes, number).matching(context.key.destination)) {
    for (const route of prefix.routes) {
      if (route.destination.address === left || !servesTos(context, route)) continue;
      if (route.type === 'throw') return undefined;
      if (REFUSING.has(route.type)) return refusal(route);
      const hops = nextHopsOf(context, route);
      if (hops.some((hop) => serves(context, route, hop))) return chosen(context, prefix, route, hops);
      // A nexthop object that serves nothing ends the leaf, in which all prefixes of one address are (`goto miss`).
      if (route.nextHopId !== undefined) left = route.destination.address;
    }
  }
  return undefined;
}

function servesTos({ key }: LookupContext, { tos }: Route): boolean {
  return tos === undefined || tos === 0 || tos === (key.tos & TOS_MASK);
}

function refusal(route: Route): TableHit {
  return { refuses: true, ways: [{ chance: CERTAIN, found: { type: route.type, route } }] };
}

/** fib_lookup_good_nhc */
function serves(context: LookupContext, route: Route, hop: NextHop): boolean {
  const { output } = context.key;
  return isAlive(context, route, hop) && (output === undefined || hop.device === output);
}

/** fib_select_path: several next hops are a choice, unless the device is given. */
function chosen(context: LookupContext, prefix: PrefixRoutes, route: Route, hops: readonly NextHop[]): TableHit {
  const first = hops.find((hop) => serves(context, route, hop))!;
  if (context.key.output !== undefined) return hit([wayOf(route, first, CERTAIN)]);
  if (hops.length > 1) return hit(multipath(context, route, hops, first));
  return hit(defaults(context, prefix, route) ?? [wayOf(route, first, CERTAIN)]);
}

function hit(ways: readonly RouteWay[]): TableHit {
  return { refuses: false, ways };
}

function wayOf(route: Route, hop: NextHop, chance: Chance, fork?: RouteWay['fork']): RouteWay {
  return { chance, ...(fork ? { fork } : {}), found: { type: route.type, route, hop } };
}

function multipath(
  context: LookupContext,
  route: Route,
  hops: readonly NextHop[],
  first: NextHop,
): readonly RouteWay[] {
  const alive = hops.filter((hop) => isAlive(context, route, hop));
  const good = checksNeighbours(context, route) ? alive.filter((hop) => isReachable(context, hop)) : alive;
  if (good.length < 2) return [wayOf(route, good[0] ?? first, CERTAIN)];
  const chances = chancesOf(context, route, alive, good);
  return good.flatMap((hop, index) => {
    const chance = chances[index]!;
    return chance.max === 0 ? [] : [wayOf(route, hop, chance, 'multipath')];
  });
}

/** Groups of nexthop objects always look at the neighbour, others where fib_multipath_use_neigh says so. */
function checksNeighbours({ snapshot, place }: LookupContext, route: Route): boolean {
  if (route.nextHopId !== undefined) return true;
  return switchedOn(readSysctl(snapshot, place, 'net.ipv4.fib_multipath_use_neigh')) === 'yes';
}

/** A flow of a resilient group stays with the member that its bucket has had, whatever the weights say now. */
function chancesOf(
  context: LookupContext,
  route: Route,
  alive: readonly NextHop[],
  good: readonly NextHop[],
): readonly Chance[] {
  if (route.isResilient) return good.map(() => UNDECIDED);
  const hashed = hashShares(alive, good, undefined);
  const { source } = context.key;
  const isOutput = isOwn(context.key);
  if (!isOutput || source === undefined || route.nextHopId !== undefined) return hashed.map(exact);
  const isNew = kernelIsAtLeast(context, 6, 16);
  if (isNew === 'no') return hashed.map(exact);
  const bySource = hashShares(alive, good, (hop) => sourceOfHop(context, route, hop) === source);
  if (isNew === 'yes') return bySource.map(exact);
  return hashed.map((share, index) => between(share, bySource[index]!));
}

function exact(share: number): Chance {
  return { min: share, max: share };
}

function between(a: number, b: number): Chance {
  return { min: Math.min(a, b), max: Math.max(a, b) };
}

/**
 * Several default routes of one metric through gateways (fib_select_default): which one is taken depends on what is known
 * of the gateways, and on the last choice. Undefined where there is no such choice.
 */
function defaults(context: LookupContext, prefix: PrefixRoutes, route: Route): readonly RouteWay[] | undefined {
  const { key } = context;
  const isOutput = isOwn(key);
  if (prefix.length !== 0 || route.type !== 'unicast' || !isOutput) return undefined;
  const rivals = prefix.routes.filter(
    (one) =>
      one.table === route.table &&
      one.type === 'unicast' &&
      one.metric === route.metric &&
      (one.tos ?? 0) === (route.tos ?? 0) &&
      one.nextHops[0]?.via !== undefined,
  );
  if (rivals.length < 2 || !rivals.includes(route)) return undefined;
  return rivals.flatMap((one) => {
    const hop = one.nextHops.find((candidate) => serves(context, one, candidate));
    return hop ? [wayOf(one, hop, UNDECIDED, 'multipath')] : [];
  });
}
