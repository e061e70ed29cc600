import type { Address, Family } from '../net/address.ts';
import { parseAddress } from '../net/address.ts';
import { formatPrefix, type Prefix, parsePrefix, prefixFamily } from '../net/prefix.ts';
import { isRouteType, protocolName, routeTypeName, scopeName, tableName, tableNumber } from './iproute2-names.ts';
import { isObject, type JsonObject, numberOf, parseItems, stringOf, stringsOf } from './json-items.ts';
import type { Parsed, UnparsedLine } from './parsed.ts';
import { looksLikeJson } from './text-lines.ts';

/*
 * Format: `ip -4|-6 -N -d -j route show table all`, and the same without -N, -d or -j (text lines; a multipath route
 * goes on in indented `nexthop` lines).
 * Source of truth: ip-route(8), iproute2's ip/iproute.c (print_route), include/uapi/linux/rtnetlink.h.
 * Versions seen: iproute2 6.1 (JSON and text); 4.18 and 5.x by their source.
 * Not understood: tables named in the machine's own rt_tables (printed only without -N) make the route unparsed;
 * encapsulations are named in `encap` and not read further; metrics other than mtu are left out.
 */

/** One route: `ip -4 -N -d -j route show table all` (ip-route(8)). */
export interface Route {
  /** 254 main, 255 local, 253 default. */
  readonly table: number;
  /** unicast, local, broadcast, blackhole, unreachable, prohibit, throw, multicast … */
  readonly type: string;
  /** 0/0 for `default`. */
  readonly destination: Prefix;
  /** IPv6 source-specific routes (`from`): only packets of this source take it. */
  readonly source?: Prefix;
  /** A route with a TOS serves only packets with this one (ip-route(8)); absent means any. */
  readonly tos?: number;
  readonly nextHops: readonly NextHop[];
  /** `src` (prefsrc) */
  readonly preferredSource?: Address;
  readonly metric: number;
  readonly scope?: string;
  /** kernel, boot, static, bird … */
  readonly protocol?: string;
  /** onlink, linkdown, dead, pervasive … */
  readonly flags: readonly string[];
  readonly mtu?: number;
  /** The route again in iproute2's own words, for reports. */
  readonly text: string;
}

export interface NextHop {
  readonly via?: Address;
  readonly device?: string;
  readonly weight: number;
  readonly flags: readonly string[];
  /** A lightweight tunnel (`encap mpls`, `seg6`, `bpf` …) changes the packet here; not modelled. */
  readonly encap?: string;
}

/** Reads JSON or text. `family` says what `default` is: 0.0.0.0/0 or ::/0. */
export function parseIpRoute(text: string, family: Family): Parsed<readonly Route[]> {
  if (looksLikeJson(text)) return parseItems(text, (item) => routeOfJson(item, family));
  return parseRouteText(text, family);
}

/** One route in `ip route`'s text syntax, `nexthop` parts in the same line or not. */
export function parseIpRouteLine(line: string, family: Family): Route | undefined {
  return routeOfWords(line.trim().split(/\s+/), family);
}

function routeOfJson(item: JsonObject, family: Family): Route | undefined {
  const destination = prefixOf(stringOf(item.dst), family);
  const table = tableNumber(String(item.table ?? 'main'));
  const nextHops = nextHopsOfJson(item);
  if (!destination || table === undefined || !nextHops) return undefined;
  const source = item.from === undefined ? undefined : prefixOf(stringOf(item.from), family);
  const tos = item.tos === undefined ? undefined : numberOf(item.tos);
  if ((item.from !== undefined && !source) || (item.tos !== undefined && tos === undefined)) return undefined;
  const preferredSource = addressOf(item.prefsrc);
  const protocol = item.protocol === undefined ? undefined : protocolName(String(item.protocol));
  const scope = item.scope === undefined ? undefined : scopeName(String(item.scope));
  const mtu = mtuOf(item.metrics);
  return withText({
    table,
    type: routeTypeName(String(item.type ?? 'unicast')),
    destination,
    ...(source && { source }),
    ...(tos !== undefined && tos !== 0 && { tos }),
    nextHops,
    ...(preferredSource && { preferredSource }),
    metric: numberOf(item.metric) ?? 0,
    ...(scope !== undefined && { scope }),
    ...(protocol !== undefined && { protocol }),
    flags: stringsOf(item.flags),
    ...(mtu !== undefined && { mtu }),
  });
}

/** Undefined where a next hop has a gateway that is no address. */
function nextHopsOfJson(item: JsonObject): readonly NextHop[] | undefined {
  const several = item.nexthops;
  const hops = (Array.isArray(several) && several.length > 0 ? several : [item]).map((hop) =>
    isObject(hop) ? nextHopOfJson(hop) : undefined,
  );
  if (hops.some((hop) => hop === undefined)) return undefined;
  return hops.filter((hop) => hop !== undefined).filter((hop) => hop.device !== undefined || hop.via !== undefined);
}

function nextHopOfJson(hop: JsonObject): NextHop | undefined {
  const gateway = hop.gateway ?? (isObject(hop.via) ? hop.via.host : undefined);
  const via = addressOf(gateway);
  if (gateway !== undefined && !via) return undefined;
  const device = stringOf(hop.dev);
  const encap = stringOf(hop.encap);
  return {
    ...(via && { via }),
    ...(device !== undefined && { device }),
    weight: numberOf(hop.weight) ?? 1,
    flags: stringsOf(hop.flags),
    ...(encap !== undefined && { encap }),
  };
}

function mtuOf(metrics: unknown): number | undefined {
  if (!Array.isArray(metrics)) return undefined;
  for (const entry of metrics) {
    const mtu = isObject(entry) ? numberOf(entry.mtu) : undefined;
    if (mtu !== undefined) return mtu;
  }
  return undefined;
}

function addressOf(value: unknown): Address | undefined {
  return typeof value === 'string' ? parseAddress(value) : undefined;
}

function prefixOf(text: string | undefined, family: Family): Prefix | undefined {
  if (text === undefined) return undefined;
  if (text === 'default' || text === 'all') return { address: family === 4 ? '0.0.0.0' : '::', length: 0 };
  const prefix = parsePrefix(text);
  return prefix && prefixFamily(prefix) === family ? prefix : undefined;
}

// Text form

function parseRouteText(text: string, family: Family): Parsed<readonly Route[]> {
  const value: Route[] = [];
  const unparsed: UnparsedLine[] = [];
  for (const group of routeLines(text)) {
    const route = parseIpRouteLine(group.text, family);
    if (route) value.push(route);
    else unparsed.push(group);
  }
  return { value, unparsed };
}

/** An indented line belongs to the route before it. */
function routeLines(text: string): readonly UnparsedLine[] {
  const groups: { line: number; text: string }[] = [];
  text.split('\n').forEach((line, index) => {
    if (line.trim() === '') return;
    const last = groups.at(-1);
    if (/^\s/.test(line) && last) last.text += ` ${line.trim()}`;
    else groups.push({ line: index + 1, text: line.trim() });
  });
  return groups;
}

const ROUTE_FLAGS = new Set(['onlink', 'linkdown', 'dead', 'pervasive', 'offload', 'trap', 'notify', 'offload_failed']);
/** Words with one value that no decision of ours depends on. */
const IGNORED_WITH_VALUE = new Set([
  'pref',
  'nhid',
  'expires',
  'error',
  'advmss',
  'window',
  'rtt',
  'rttvar',
  'hoplimit',
  'initcwnd',
  'initrwnd',
  'cwnd',
  'ssthresh',
  'realm',
  'realms',
  'quickack',
  'congctl',
  'rto_min',
  'reordering',
  'features',
  'ttl-propagate',
  'uid',
  'users',
  'age',
  'used',
]);

interface RouteDraft {
  type: string;
  destination?: Prefix;
  source?: Prefix;
  tos?: number;
  table: number;
  protocol?: string;
  scope?: string;
  preferredSource?: Address;
  metric: number;
  mtu?: number;
  flags: string[];
  hops: { via?: Address; device?: string; weight: number; flags: string[] }[];
}

function routeOfWords(words: readonly string[], family: Family): Route | undefined {
  const queue = [...words];
  const type = queue[0] !== undefined && isRouteType(queue[0]) ? queue.shift()! : 'unicast';
  const destination = prefixOf(queue.shift(), family);
  if (!destination) return undefined;
  const draft: RouteDraft = { type, destination, table: 254, metric: 0, flags: [], hops: [] };
  let hop: RouteDraft['hops'][number] | undefined;
  let inNextHopInfo = false;
  while (queue.length > 0) {
    const word = queue.shift()!;
    if (word === 'nexthop' || (!hop && (word === 'via' || word === 'dev') && !inNextHopInfo)) {
      inNextHopInfo = false;
      hop = { weight: 1, flags: [] };
      draft.hops.push(hop);
      if (word === 'nexthop') continue;
    }
    if (word === 'nh_info') inNextHopInfo = true;
    if (inNextHopInfo) continue;
    if (!takeWord(word, queue, draft, hop, family)) return undefined;
  }
  return finish(draft);
}

/** False where the word is unknown or its value is malformed. */
function takeWord(
  word: string,
  queue: string[],
  draft: RouteDraft,
  hop: RouteDraft['hops'][number] | undefined,
  family: Family,
): boolean {
  if (ROUTE_FLAGS.has(word)) {
    (hop ?? draft).flags.push(word);
    return true;
  }
  if (word === 'mtu' && queue[0] === 'lock') queue.shift();
  if (word === 'via' && (queue[0] === 'inet' || queue[0] === 'inet6')) queue.shift();
  const value = queue.shift();
  if (value === undefined) return false;
  switch (word) {
    case 'via': {
      const via = parseAddress(value);
      if (!hop || !via) return false;
      hop.via = via;
      return true;
    }
    case 'dev':
      if (!hop) return false;
      hop.device = value;
      return true;
    case 'weight':
      return hop !== undefined && setNumber(value, (weight) => (hop.weight = weight));
    case 'table': {
      const table = tableNumber(value);
      if (table === undefined) return false;
      draft.table = table;
      return true;
    }
    case 'proto':
    case 'protocol':
      draft.protocol = protocolName(value);
      return true;
    case 'scope':
      draft.scope = scopeName(value);
      return true;
    case 'src': {
      const source = parseAddress(value);
      draft.preferredSource = source;
      return source !== undefined;
    }
    case 'from':
      draft.source = prefixOf(value, family);
      return draft.source !== undefined;
    case 'metric':
    case 'priority':
    case 'preference':
      return setNumber(value, (metric) => (draft.metric = metric));
    case 'mtu':
      return setNumber(value, (mtu) => (draft.mtu = mtu));
    case 'tos':
    case 'dsfield':
      return setNumber(value, (tos) => (draft.tos = tos));
    default:
      return IGNORED_WITH_VALUE.has(word);
  }
}

function setNumber(text: string, set: (value: number) => void): boolean {
  const value = numberOf(text);
  if (value === undefined) return false;
  set(value);
  return true;
}

function finish(draft: RouteDraft): Route {
  const [only] = draft.hops;
  const flags = [...draft.flags, ...(draft.hops.length === 1 && only ? only.flags : [])];
  const { type, destination, source, tos, table, protocol, scope, preferredSource, metric, mtu } = draft;
  return withText({
    table,
    type,
    destination: destination!,
    ...(source && { source }),
    ...(tos !== undefined && tos !== 0 && { tos }),
    nextHops: draft.hops,
    ...(preferredSource && { preferredSource }),
    metric,
    ...(scope !== undefined && { scope }),
    ...(protocol !== undefined && { protocol }),
    flags,
    ...(mtu !== undefined && { mtu }),
  });
}

// Rendering

function withText(route: Omit<Route, 'text'>): Route {
  return { ...route, text: renderRoute(route) };
}

/** In the words and order of `ip route show`, without what says nothing: type unicast, table main, protocol boot, scope global. */
function renderRoute(route: Omit<Route, 'text'>): string {
  const words: string[] = [];
  if (route.type !== 'unicast') words.push(route.type);
  words.push(renderDestination(route.destination));
  if (route.source) words.push('from', formatPrefix(route.source));
  if (route.tos !== undefined) words.push('tos', `0x${route.tos.toString(16)}`);
  const single = route.nextHops.length === 1 ? route.nextHops[0] : undefined;
  if (single) words.push(...renderHop(single, prefixFamily(route.destination)));
  if (route.table !== 254) words.push('table', tableName(route.table));
  if (route.protocol !== undefined && route.protocol !== 'boot') words.push('proto', route.protocol);
  if (route.scope !== undefined && route.scope !== 'global') words.push('scope', route.scope);
  if (route.preferredSource) words.push('src', route.preferredSource);
  if (route.metric !== 0) words.push('metric', String(route.metric));
  words.push(...route.flags);
  if (route.mtu !== undefined) words.push('mtu', String(route.mtu));
  if (single) return words.join(' ');
  for (const hop of route.nextHops) {
    words.push(
      'nexthop',
      ...renderHop(hop, prefixFamily(route.destination)),
      'weight',
      String(hop.weight),
      ...hop.flags,
    );
  }
  return words.join(' ');
}

function renderDestination(prefix: Prefix): string {
  if (prefix.length === 0) return 'default';
  return prefix.length === (prefixFamily(prefix) === 4 ? 32 : 128) ? prefix.address : formatPrefix(prefix);
}

function renderHop(hop: NextHop, family: Family): string[] {
  const words: string[] = [];
  if (hop.encap !== undefined) words.push('encap', hop.encap);
  if (hop.via) words.push('via', ...(family === 4 && hop.via.includes(':') ? ['inet6'] : []), hop.via);
  if (hop.device !== undefined) words.push('dev', hop.device);
  return words;
}
