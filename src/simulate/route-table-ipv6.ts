import { type Address, addressToBits } from '../net/address.ts';
import { prefixContains } from '../net/prefix.ts';
import type { NextHop, Route } from '../parse/ip-route.ts';
import { hashShares, isAlive, isReachable, nextHopsOf } from './route-hops.ts';
import { type LookupContext, REFUSING, type RouteWay, type TableHit } from './route-lookup.ts';
import { isOwn } from './route-rule.ts';
import { type PrefixRoutes, routeTable } from './route-table.ts';
import { readSysctl, switchedOn } from './sysctl.ts';
import { CERTAIN, chanceOf, UNDECIDED } from './truth.ts';

/** RT6_LOOKUP_F_* and the device that routes are preferred by. */
interface Mode {
  /** By no other device (RT6_LOOKUP_F_IFACE). */
  readonly strict: boolean;
  readonly device: string | undefined;
  /** A host that does not forward passes over gateways that did not answer (RT6_LOOKUP_F_REACHABLE). */
  readonly reachable: boolean;
}

interface Candidate {
  readonly route: Route;
  readonly hop: NextHop | undefined;
}

/** fib6_table_lookup and fib6_select_path of net/ipv6/route.c. `throw` and no match go on with the next rule. */
export function lookupIpv6Table(context: LookupContext, number: number): TableHit | undefined {
  const nodes = nodesOf(context, routeTable(context.routes, number).matching(context.key.destination));
  if (nodes.length === 0) return undefined;
  const mode = modeOf(context);
  const found = context.key.isPlain
    ? selectPlain(context, nodes)
    : (select(context, nodes, mode) ?? select(context, nodes, { ...mode, reachable: false }));
  if (!found || found.route.type === 'throw') return undefined;
  if (REFUSING.has(found.route.type)) {
    return { refuses: true, ways: [{ chance: CERTAIN, found: { type: found.route.type, route: found.route } }] };
  }
  return { refuses: false, ways: chosen(context, found, mode) };
}

function modeOf(context: LookupContext): Mode {
  const { snapshot, place, key } = context;
  const isOutput = isOwn(key);
  const forwarding = readSysctl(snapshot, place, 'net.ipv6.conf.all.forwarding');
  const strict =
    needsStrict(key.destination) ||
    (isOutput && (key.isBound === true || (key.output !== undefined && key.source === undefined)));
  return {
    strict,
    device: key.output ?? (isOutput ? undefined : key.input),
    reachable: forwarding.state === 'seen' && switchedOn(forwarding) === 'no',
  };
}

/** rt6_need_strict: multicast, link-local and loopback. */
function needsStrict(address: string): boolean {
  if (address === '::1' || address.startsWith('ff')) return true;
  return addressToBits(address) >> 118n === LINK_LOCAL;
}

const LINK_LOCAL = 0xfe80n >> 6n;

/**
 * The lists of routes in the order in which they are tried (fib6_node_lookup, fib6_backtrack). Source-specific routes go
 * before the others of their destination. Where a destination has some and none serves this source, the first look-up
 * passes it over wholly, the others of it included.
 */
function nodesOf({ key }: LookupContext, prefixes: readonly PrefixRoutes[]): readonly (readonly Route[])[] {
  const source = key.source ?? '::';
  const nodes: (readonly Route[])[] = [];
  for (const { length, routes } of prefixes) {
    const specific = routes.filter((route) => route.source !== undefined && route.source.length > 0);
    const others = specific.length === 0 ? routes : routes.filter((route) => !specific.includes(route));
    const serving = specific.filter((route) => prefixContains(route.source!, source));
    const isPassedOver = nodes.length === 0 && specific.length > 0 && serving.length === 0 && length > 0;
    if (isPassedOver) continue;
    const lengths = [...new Set(serving.map((route) => route.source!.length))].toSorted((a, b) => b - a);
    nodes.push(...lengths.map((one) => serving.filter((route) => route.source!.length === one)));
    if (others.length > 0) nodes.push(others);
  }
  return nodes;
}

function select(context: LookupContext, nodes: readonly (readonly Route[])[], mode: Mode): Candidate | undefined {
  for (const node of nodes) {
    const found = bestOf(context, node, mode);
    if (found) return found;
  }
  return undefined;
}

/**
 * rt6_device_match: of a prefix, whatever the metric, the first route by the device that is asked for, or by one that has the
 * source; else the first.
 */
function selectPlain(context: LookupContext, nodes: readonly (readonly Route[])[]): Candidate | undefined {
  const { output, source, destination } = context.key;
  for (const node of nodes) {
    const all = node.flatMap((route) => hopsFor(context, route).map((hop) => ({ route, hop })));
    const alive = all.filter(({ route, hop }) => !isDead(route, hop));
    const first = alive[0] === all[0] ? alive[0] : undefined;
    if (first && output === undefined && (source === undefined || source === '::')) return first;
    const fitting = alive.find(({ hop }) =>
      output === undefined ? hasAddress(context, hop.device, source) : hop.device === output,
    );
    if (fitting) return fitting;
    if (first && (output === undefined || !needsStrict(destination))) return first;
  }
  return undefined;
}

function isDead({ flags, nextHops }: Route, hop: NextHop): boolean {
  return hop.flags.includes('dead') || (nextHops.length === 1 && flags.includes('dead'));
}

function hasAddress({ snapshot, place }: LookupContext, device: string | undefined, address: Address | undefined) {
  const links = snapshot.fact('links', place);
  if (links.state === 'unseen' || address === undefined) return false;
  return links.value.some(
    ({ name, addresses }) => name === device && addresses.some((one) => one.prefix.address === address),
  );
}

/** find_rr_leaf: the best of the lowest metric; where none of those serves, the best of all the others together. */
function bestOf(context: LookupContext, node: readonly Route[], mode: Mode): Candidate | undefined {
  const lowest = node.filter((route) => route.metric === node[0]!.metric);
  const rest = node.filter((route) => route.metric !== node[0]!.metric);
  return highest(context, lowest, mode) ?? highest(context, rest, mode);
}

function highest(context: LookupContext, routes: readonly Route[], mode: Mode): Candidate | undefined {
  let best: (Candidate & { readonly score: number }) | undefined;
  for (const route of routes) {
    if (route.expiresS !== undefined && route.expiresS <= 0) continue;
    if (REFUSING.has(route.type) && route.nextHopId !== undefined) return { route, hop: undefined };
    for (const hop of hopsFor(context, route)) {
      if (!isAlive(context, route, hop)) continue;
      const score = scoreOf(context, route, hop, mode);
      if (score !== undefined && score > (best?.score ?? -1)) best = { route, hop, score };
    }
  }
  return best;
}

/** What refuses hangs on `lo`. */
function hopsFor(context: LookupContext, route: Route): readonly NextHop[] {
  const hops = nextHopsOf(context, route);
  return hops.length === 0 && (REFUSING.has(route.type) || route.type === 'throw') ? [BY_LOOPBACK] : hops;
}

const BY_LOOPBACK: NextHop = { device: 'lo', weight: 1, flags: [] };
const PREFERENCE = { low: 1, medium: 2, high: 3 } as const;
const FAILED = new Set(['FAILED']);

/** rt6_score_route; undefined: does not serve. */
function scoreOf(context: LookupContext, route: Route, hop: NextHop, mode: Mode): number | undefined {
  const fits = mode.device === undefined || hop.device === mode.device;
  if (!fits && mode.strict) return undefined;
  if (mode.reachable && hop.via !== undefined && !isReachable(context, hop, FAILED)) return undefined;
  return (fits ? 2 : 0) | (PREFERENCE[route.preference ?? 'medium'] << 2);
}

/** fib6_select_path: of the routes of one metric that are one multipath route, the hash takes one. */
function chosen(context: LookupContext, found: Candidate, mode: Mode): readonly RouteWay[] {
  const { route } = found;
  const first = found.hop === undefined ? {} : { hop: found.hop };
  const hops = nextHopsOf(context, route);
  const alive = hops.filter((hop) => isAlive(context, route, hop));
  const isGroup = route.nextHopId !== undefined;
  const one = { chance: CERTAIN, found: { type: route.type, route, ...first } };
  if (context.key.isPlain && context.key.output !== undefined) return [one];
  if (hops.length < 2 || (!isGroup && alive.length < 2)) return [one];
  const good = isGroup ? hops.filter((hop) => isReachable(context, hop)) : alive;
  const list = good.length > 0 ? good : hops.slice(0, 1);
  const shares = hashShares(isGroup ? hops : alive, list, undefined);
  return list.map((hop, index): RouteWay => {
    // What does not serve leaves the choice with the best.
    const taken = isGroup || scoreOf(context, route, hop, mode) !== undefined ? hop : (found.hop ?? hop);
    const chance = route.isResilient ? UNDECIDED : chanceOf(shares[index]!);
    return { chance, fork: 'multipath', found: { type: route.type, route, hop: taken } };
  });
}
