import { type Address, familyOf } from '../net/address.ts';
import type { Packet } from '../net/packet.ts';
import type { Place } from '../net/place.ts';
import type { RoutingRule } from '../parse/ip-rule.ts';
import { isComplete, type Observed, type Snapshot, type Unseen } from '../snapshot/snapshot.ts';
import { mergeWays } from './chances.ts';
import { knownLookup, rememberLookup } from './known-lookups.ts';
import { answersPerPlace } from './per-place.ts';
import type { LookupContext, RouteFound, RouteWay, TableHit } from './route-lookup.ts';
import { type RouteKey, ruleMatches, vrfOf } from './route-rule.ts';
import { LOCAL_AND_MAIN } from './route-table.ts';
import { lookupIpv4Table } from './route-table-ipv4.ts';
import { lookupIpv6Table } from './route-table-ipv6.ts';
import type { Chance } from './trace.ts';
import { both, CERTAIN, UNDECIDED } from './truth.ts';

export type { RouteFound, RouteKey, RouteWay };

export type Lookup =
  | {
      readonly state: 'found';
      readonly ways: readonly RouteWay[];
      /** Why a narrower route may be there that was not read; undefined where all were, or none can be narrower. */
      readonly cut?: string;
    }
  | { readonly state: 'unseen'; readonly unseen: Unseen };

const NOTHING: RouteFound = { type: 'none' };
const DEFAULT_TABLE = 253;
const MAIN_TABLE = 254;
const LOCAL_TABLE = 255;

/**
 * The kernel's lookup (fib_lookup, fib_rules_lookup, fib6_rule_lookup): rules by priority; in a table the narrowest prefix,
 * then the lowest metric; `throw`, no match and a suppressed match go on with the next rule; several next hops are a choice.
 */
export function lookupRoute(snapshot: Snapshot, place: Place, key: RouteKey): Lookup {
  return knownLookup(snapshot, place, key) ?? rememberLookup(snapshot, place, key, freshLookup(snapshot, place, key));
}

function freshLookup(snapshot: Snapshot, place: Place, asked: RouteKey): Lookup {
  const key = asked.output === undefined ? asked : withinVrf(snapshot, place, asked);
  const family = familyOf(key.destination);
  const routes = snapshot.fact('routes', place, { family });
  if (routes.state === 'unseen') return { state: 'unseen', unseen: routes };
  const rules = snapshot.fact('rules', place, { family });
  if (rules.state === 'unseen') return { state: 'unseen', unseen: rules };
  const missing: LookupContext['missing'] = {};
  const context: LookupContext = {
    snapshot,
    place,
    family,
    key,
    routes: routes.value,
    rules: rules.value,
    missing,
  };
  const ways = decided(mergeWays(waysOf(context), CERTAIN, keyOf, (a) => a));
  if (missing.unseen) return { state: 'unseen', unseen: missing.unseen };
  const doubt = doubtOf(routes) ?? doubtOf(rules);
  const full = family === 4 ? 32 : 128;
  const isNarrowest = ways.every(({ found }) => found.route?.destination.length === full);
  return {
    state: 'found',
    ...(doubt !== undefined && !isNarrowest && { cut: doubt }),
    ways: doubt === undefined ? ways : ways.map((way) => ({ ...way, doubt: way.doubt ?? doubt })),
  };
}

/** Where all ways came to the same, it does not matter what was not decided. */
function decided(ways: readonly RouteWay[]): readonly RouteWay[] {
  const [only] = ways;
  if (ways.length !== 1 || only!.fork !== 'undecided') return ways;
  return [{ chance: CERTAIN, found: only!.found }];
}

/** A VRF as the output device directs the look-up to its table, and asks for no device (l3mdev_update_flow). */
function withinVrf(snapshot: Snapshot, place: Place, key: RouteKey): RouteKey {
  const links = snapshot.fact('links', place);
  if (links.state === 'unseen' || !links.value.some((link) => link.kind === 'vrf' && link.name === key.output))
    return key;
  const { output, ...rest } = key;
  return { ...rest, vrf: output! };
}

function doubtOf(observed: Observed<unknown>): string | undefined {
  if (observed.state === 'unseen' || (observed.complete && observed.unparsed.length === 0)) return undefined;
  const line = observed.unparsed[0]?.text;
  return line === undefined ? 'the list was cut short' : `not understood: ${line}`;
}

/**
 * Whether a rule was ever added or removed can't be read back. Where only the three of the start are there, both states
 * are possible for IPv4, and where they give different routes it is not known which.
 */
function waysOf(context: LookupContext): RouteWay[] {
  const byRules = tryRules(context, 0, CERTAIN);
  if (context.family === 6 || !areOfTheStart(context.rules)) return byRules;
  const untouched = withoutRules(context);
  if (areSame(untouched, byRules)) return byRules;
  const doubt = 'a rule may have been added and removed before, which keeps the tables local and main apart';
  return [...untouched, ...byRules].map((way) => ({ ...way, chance: UNDECIDED, fork: 'undecided', doubt }));
}

/** Whether somebody has set rules of IPv4, so that they decide instead of the short way (fib_has_custom_rules). */
export function hasRules(snapshot: Snapshot, place: Place): boolean {
  const rules = snapshot.fact('rules', place, { family: 4 });
  return rules.state === 'unseen' || !areOfTheStart(rules.value);
}

function areOfTheStart(rules: readonly RoutingRule[]): boolean {
  return rules.length === START.length && rules.every(({ text }, index) => text === START[index]);
}

const START = ['0: from all lookup local', '32766: from all lookup main', '32767: from all lookup default'];

/** fib_lookup of include/net/ip_fib.h without rules: local and main in one, then default. */
function withoutRules(context: LookupContext): readonly RouteWay[] {
  const hit = lookupIpv4Table(context, LOCAL_AND_MAIN) ?? lookupIpv4Table(context, DEFAULT_TABLE);
  return hit?.ways ?? [{ chance: CERTAIN, found: NOTHING }];
}

function areSame(a: readonly RouteWay[], b: readonly RouteWay[]): boolean {
  if (a.length !== b.length) return false;
  return a.every(({ found: { type, route, hop } }, index) => {
    const other = b[index]!.found;
    return type === other.type && route === other.route && hop === other.hop;
  });
}

function tryRules(context: LookupContext, from: number, chance: Chance): RouteWay[] {
  for (let index = from; index < context.rules.length; index++) {
    const rule = context.rules[index]!;
    const matched = ruleMatches(rule, context.key, context);
    if (matched === 'no') continue;
    const doubtful = matched === 'unknown';
    const hits = applyRule(context, rule, index, doubtful ? both(chance, UNDECIDED) : chance);
    if (!doubtful) return hits;
    const doubt = `not decided: ${reasonOf(rule)} of rule ${rule.text}`;
    const ways = [...hits, ...tryRules(context, index + 1, both(chance, UNDECIDED))];
    return ways.map((way) => ({ ...way, fork: 'undecided', doubt: way.doubt ?? doubt }));
  }
  return [{ chance, found: NOTHING }];
}

function reasonOf(rule: RoutingRule): string {
  if (rule.undecidable.length > 0) return rule.undecidable.join(', ');
  if (rule.users) return 'uidrange';
  return rule.l3mdev ? 'l3mdev' : 'a port';
}

function applyRule(context: LookupContext, rule: RoutingRule, index: number, chance: Chance): RouteWay[] {
  const next = (): RouteWay[] => tryRules(context, index + 1, chance);
  switch (rule.action.kind) {
    case 'nop':
      return next();
    case 'goto': {
      // To a rule of exactly this priority; without one the rule is unresolved and passed over.
      const { priority } = rule.action;
      const target = context.rules.findIndex((one, at) => at > index && one.priority === priority);
      return target < 0 ? next() : tryRules(context, target, chance);
    }
    case 'lookup': {
      const table = tableOf(context, rule, rule.action.table);
      const hit = table === undefined ? undefined : lookupTable(context, table);
      if (!hit) return next();
      return hit.ways.flatMap((way) =>
        isSuppressed(context, rule, hit, way) ? next() : [underRule(way, rule, chance)],
      );
    }
    default:
      return [{ chance, found: { type: rule.action.kind, rule } }];
  }
}

function tableOf(context: LookupContext, rule: RoutingRule, table: number): number | undefined {
  if (!rule.l3mdev) return table;
  const vrf = vrfOf(context.key, context);
  // Negated, the rule serves packets of no VRF, and the table that it then lacks is main (fib_get_table).
  return vrf === 'unknown' ? undefined : vrf ? vrf.vrf?.table : MAIN_TABLE;
}

function lookupTable(context: LookupContext, table: number): TableHit | undefined {
  return context.family === 4 ? lookupIpv4Table(context, table) : lookupIpv6Table(context, table);
}

function underRule(way: RouteWay, rule: RoutingRule, chance: Chance): RouteWay {
  return { ...way, chance: both(chance, way.chance), found: { ...way.found, rule } };
}

/** fib4_rule_suppress, fib6_rule_suppress: what refuses is not suppressed. */
function isSuppressed(context: LookupContext, rule: RoutingRule, hit: TableHit, { found }: RouteWay): boolean {
  if (hit.refuses || !found.route) return false;
  const { suppressPrefixLength, suppressGroup } = rule;
  if (suppressPrefixLength !== undefined && found.route.destination.length <= suppressPrefixLength) return true;
  return suppressGroup !== undefined && groupOf(context, found.hop?.device) === suppressGroup;
}

/** The group of a device, as `ip rule` prints it; 0 is everyone's. */
function groupOf({ snapshot, place }: LookupContext, device: string | undefined): string | undefined {
  const links = snapshot.fact('links', place);
  const link = links.state === 'seen' ? links.value.find((one) => one.name === device) : undefined;
  return link && (link.group ?? '0');
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
export function addressTypeOf(snapshot: Snapshot, place: Place, address: Address, device?: string): AddressType {
  const question = device === undefined ? address : `${address} ${device}`;
  return typeAt(snapshot, place, question, () => findType(snapshot, place, address, device));
}

type AddressType = 'unicast' | 'local' | 'broadcast' | 'multicast' | 'anycast' | 'unknown';

const typeAt = answersPerPlace<AddressType>();

function findType(snapshot: Snapshot, place: Place, address: Address, device: string | undefined): AddressType {
  const family = familyOf(address);
  if (isMulticast(address)) return 'multicast';
  if (address === '255.255.255.255' || address === '0.0.0.0') return 'broadcast';
  const routes = snapshot.fact('routes', place, { family });
  if (routes.state === 'unseen') return 'unknown';
  const context = { snapshot, place, family, key: { destination: address, tos: 0, mark: 0 }, routes: routes.value };
  const apart = typeIn(context, LOCAL_TABLE, device);
  if (apart === undefined && !isComplete(routes)) return 'unknown';
  const rules = family === 4 ? snapshot.fact('rules', place, { family }) : undefined;
  if (rules?.state !== 'seen' || !areOfTheStart(rules.value)) return apart ?? 'unicast';
  const together = typeIn(context, LOCAL_AND_MAIN, device);
  return (apart ?? 'unicast') === (together ?? 'unicast') ? (apart ?? 'unicast') : 'unknown';
}

/** Undefined where the table has no route to it. */
function typeIn(
  context: Omit<LookupContext, 'rules' | 'missing'>,
  table: number,
  device: string | undefined,
): 'unicast' | 'local' | 'broadcast' | 'multicast' | 'anycast' | undefined {
  const hit = lookupTable({ ...context, rules: [], missing: {} }, table);
  const found = hit?.ways[0]?.found.route;
  if (!found) return undefined;
  if (device !== undefined && !found.nextHops.some((hop) => hop.device === device)) return 'unicast';
  return isType(found.type) ? found.type : 'unicast';
}

function isType(type: string): type is 'local' | 'broadcast' | 'multicast' | 'anycast' {
  return type === 'local' || type === 'broadcast' || type === 'multicast' || type === 'anycast';
}

export function isMulticast(address: Address): boolean {
  if (address.includes(':')) return address.startsWith('ff');
  if (!address.startsWith('2')) return false;
  const first = Number(address.slice(0, address.indexOf('.')));
  return first >= 224 && first < 240;
}
