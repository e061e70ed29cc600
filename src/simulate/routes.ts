import { type Address, type Family, familyOf } from '../net/address.ts';
import type { Packet } from '../net/packet.ts';
import type { Place } from '../net/place.ts';
import { prefixContains } from '../net/prefix.ts';
import type { NextHop, Route } from '../parse/ip-route.ts';
import type { RoutingRule } from '../parse/ip-rule.ts';
import { isComplete, type Observed, type Snapshot, type Unseen } from '../snapshot/snapshot.ts';
import { mergeWays } from './chances.ts';
import { type RouteKey, ruleMatches } from './route-rule.ts';
import { isSwitchedOn } from './sysctl.ts';
import type { Chance } from './trace.ts';
import { both, CERTAIN, chanceOf, UNDECIDED } from './truth.ts';

export type { RouteKey };

/** What a lookup found: a route with the one next hop that is taken, or nothing. */
export interface RouteFound {
  readonly type: string; // unicast, local, broadcast, multicast, anycast, blackhole, unreachable, prohibit, none
  readonly route?: Route;
  readonly hop?: NextHop;
  readonly rule?: RoutingRule;
}

export interface RouteWay {
  readonly chance: Chance;
  readonly fork?: 'multipath' | 'undecided';
  readonly found: RouteFound;
  /** Why this way is not sure: the rule's undecided selectors, or lines that were not understood. */
  readonly doubt?: string;
}

export type Lookup =
  | {
      readonly state: 'found';
      readonly ways: readonly RouteWay[];
      /** Why a narrower route may be there that was not read; undefined where all were, or none can be narrower. */
      readonly cut?: string;
    }
  | { readonly state: 'unseen'; readonly unseen: Unseen };

const NOTHING: RouteFound = { type: 'none' };
const LOCAL_TABLE = 255;

/**
 * The kernel's lookup (fib_rules_lookup, fib_table_lookup): rules by priority; in a table the longest prefix, then the
 * lowest metric; `throw`, no match and a suppressed match go on with the next rule; several next hops are a choice.
 */
export function lookupRoute(snapshot: Snapshot, place: Place, key: RouteKey): Lookup {
  const family = familyOf(key.destination);
  const routes = snapshot.fact('routes', place, { family });
  if (routes.state === 'unseen') return { state: 'unseen', unseen: routes };
  const rules = snapshot.fact('rules', place, { family });
  if (rules.state === 'unseen') return { state: 'unseen', unseen: rules };
  const context: Context = { snapshot, place, family, key, routes: tablesOf(routes.value), rules: rules.value };
  const ways = mergeWays(tryRules(context, 0, CERTAIN), CERTAIN, keyOf, (a) => a);
  const doubt = doubtOf(routes) ?? doubtOf(rules);
  const full = family === 4 ? 32 : 128;
  const isNarrowest = ways.every(({ found }) => found.route?.destination.length === full);
  return {
    state: 'found',
    ...(doubt !== undefined && !isNarrowest && { cut: doubt }),
    ways: doubt === undefined ? ways : ways.map((way) => ({ ...way, doubt: way.doubt ?? doubt })),
  };
}

function doubtOf(observed: Observed<unknown>): string | undefined {
  if (observed.state === 'unseen' || (observed.complete && observed.unparsed.length === 0)) return undefined;
  const line = observed.unparsed[0]?.text;
  return line === undefined ? 'the list was cut short' : `not understood: ${line}`;
}

interface Context {
  readonly snapshot: Snapshot;
  readonly place: Place;
  readonly family: Family;
  readonly key: RouteKey;
  readonly routes: ReadonlyMap<number, readonly Route[]>;
  readonly rules: readonly RoutingRule[];
}

const tables = new WeakMap<readonly Route[], ReadonlyMap<number, readonly Route[]>>();

function tablesOf(routes: readonly Route[]): ReadonlyMap<number, readonly Route[]> {
  const known = tables.get(routes);
  if (known) return known;
  const byTable = Map.groupBy(routes, (route) => route.table);
  for (const [table, list] of byTable) {
    byTable.set(
      table,
      list.toSorted((a, b) => b.destination.length - a.destination.length || a.metric - b.metric),
    );
  }
  tables.set(routes, byTable);
  return byTable;
}

function tryRules(context: Context, from: number, chance: Chance): RouteWay[] {
  for (let index = from; index < context.rules.length; index++) {
    const rule = context.rules[index]!;
    const matched = ruleMatches(rule, context.key);
    if (matched === 'no') continue;
    const doubtful = matched === 'unknown';
    const hitChance = doubtful ? both(chance, UNDECIDED) : chance;
    const hits = applyRule(context, rule, index, hitChance);
    if (!doubtful) return hits;
    const doubt = `not decided: ${rule.undecidable.join(', ') || 'a port'} of rule ${rule.text}`;
    const ways = [...hits, ...tryRules(context, index + 1, both(chance, UNDECIDED))];
    return ways.map((way) => ({ ...way, fork: 'undecided', doubt: way.doubt ?? doubt }));
  }
  return [{ chance, found: NOTHING }];
}

function applyRule(context: Context, rule: RoutingRule, index: number, chance: Chance): RouteWay[] {
  const next = (): RouteWay[] => tryRules(context, index + 1, chance);
  switch (rule.action.kind) {
    case 'nop':
      return next();
    case 'goto': {
      const { priority } = rule.action;
      const target = context.rules.findIndex((one, at) => at > index && one.priority >= priority);
      return target < 0 ? next() : tryRules(context, target, chance);
    }
    case 'lookup': {
      const found = lookupTable(context, rule, rule.action.table);
      return found === undefined ? next() : choose(found.route, found.hops, rule, chance);
    }
    default:
      return [{ chance, found: { type: rule.action.kind, rule } }];
  }
}

/** The first usable of a table's matching routes; undefined where the next rule is tried. */
function lookupTable(
  context: Context,
  rule: RoutingRule,
  table: number,
): { readonly route: Route; readonly hops: readonly NextHop[] } | undefined {
  for (const route of context.routes.get(table) ?? []) {
    if (!prefixContains(route.destination, context.key.destination) || !servesPacket(route, context.key)) continue;
    if (route.type === 'throw') return undefined;
    const hops = usableHops(context, route);
    if (FORWARDING.has(route.type) && hops.length === 0) continue;
    if (rule.suppressPrefixLength !== undefined && route.destination.length <= rule.suppressPrefixLength) {
      return undefined;
    }
    return { route, hops };
  }
  return undefined;
}

const FORWARDING = new Set(['unicast', 'local', 'broadcast', 'multicast', 'anycast']);

function servesPacket(route: Route, key: RouteKey): boolean {
  if (route.tos !== undefined && route.tos !== 0 && route.tos !== (key.tos & 0x1c)) return false;
  return route.source === undefined || (key.source !== undefined && prefixContains(route.source, key.source));
}

/** Dead next hops never serve; those without a carrier not where ignore_routes_with_linkdown says so. */
function usableHops(context: Context, route: Route): readonly NextHop[] {
  return route.nextHops.filter((hop) => {
    const flags = [...hop.flags, ...(route.nextHops.length === 1 ? route.flags : [])];
    if (flags.includes('dead')) return false;
    if (context.key.output !== undefined && hop.device !== undefined && hop.device !== context.key.output) return false;
    return !(flags.includes('linkdown') && ignoresLinkdown(context, hop.device));
  });
}

function ignoresLinkdown(context: Context, device: string | undefined): boolean {
  if (device === undefined) return false;
  return isSwitchedOn(context.snapshot, context.place, context.family, 'ignore_routes_with_linkdown', device) === 'yes';
}

function choose(route: Route, hops: readonly NextHop[], rule: RoutingRule, chance: Chance): RouteWay[] {
  if (hops.length < 2)
    return [{ chance, found: { type: route.type, route, rule, ...(hops[0] ? { hop: hops[0] } : {}) } }];
  const total = hops.reduce((sum, hop) => sum + hop.weight, 0);
  return hops.map((hop) => ({
    chance: both(chance, chanceOf(hop.weight / total)),
    fork: 'multipath',
    found: { type: route.type, route, hop, rule },
  }));
}

function keyOf(way: RouteWay): string {
  const { type, route, hop } = way.found;
  return JSON.stringify([type, route?.text, route?.table, hop?.via, hop?.device]);
}

export function keyOfPacket(packet: Packet, mark: number, devices: { input?: string; output?: string }): RouteKey {
  return {
    source: packet.ip.source,
    destination: packet.ip.destination,
    tos: packet.ip.tos,
    mark,
    l4: packet.l4,
    ...devices,
  };
}

/**
 * What kind of address this is by the local table alone (inet_addr_type, fib_frontend.c), perhaps as seen by one device.
 */
export function addressTypeOf(
  snapshot: Snapshot,
  place: Place,
  address: Address,
  device?: string,
): 'unicast' | 'local' | 'broadcast' | 'multicast' | 'anycast' | 'unknown' {
  const family = familyOf(address);
  if (isMulticast(address)) return 'multicast';
  if (address === '255.255.255.255' || address.startsWith('0.')) return 'broadcast';
  const routes = snapshot.fact('routes', place, { family });
  if (routes.state === 'unseen') return 'unknown';
  const found = (tablesOf(routes.value).get(LOCAL_TABLE) ?? []).find((route) => {
    return prefixContains(route.destination, address) && isType(route.type);
  });
  if (!found) return isComplete(routes) ? 'unicast' : 'unknown';
  if (device !== undefined && !found.nextHops.some((hop) => hop.device === device)) return 'unicast';
  return isType(found.type) ? found.type : 'unicast';
}

function isType(type: string): type is 'local' | 'broadcast' | 'multicast' | 'anycast' {
  return type === 'local' || type === 'broadcast' || type === 'multicast' || type === 'anycast';
}

export function isMulticast(address: Address): boolean {
  if (address.includes(':')) return address.startsWith('ff');
  const first = Number(address.slice(0, address.indexOf('.')));
  return first >= 224 && first < 240;
}
