import { type Address, type Family, parseAddress } from '../net/address.ts';
import type { Prefix } from '../net/prefix.ts';
import { isPreference, type Route } from './ip-route.ts';
import { renderRoute } from './ip-route-text.ts';
import { isRouteType, protocolName, scopeName, tableNumber } from './iproute2-names.ts';
import { numberOf } from './json-items.ts';
import type { Parsed, UnparsedLine } from './parsed.ts';
import { routePrefix } from './route-prefix.ts';

/** `ip route` without -j: a route a line, a multipath one with its next hops in indented lines. */
export function parseRouteText(text: string, family: Family): Parsed<readonly Route[]> {
  const value: Route[] = [];
  const unparsed: UnparsedLine[] = [];
  for (const group of routeLines(text)) {
    const route = parseIpRouteLine(group.text, family);
    if (route) value.push(route);
    else unparsed.push(group);
  }
  return { value, unparsed };
}

/** One route in `ip route`'s text syntax, `nexthop` parts in the same line or not. */
export function parseIpRouteLine(line: string, family: Family): Route | undefined {
  return routeOfWords(line.trim().split(/\s+/), family);
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
  'error',
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
  nextHopId?: number;
  advertisedMss?: number;
  preference?: 'low' | 'medium' | 'high';
  expiresS?: number;
  metric: number;
  mtu?: number;
  flags: string[];
  hops: { via?: Address; device?: string; weight: number; flags: string[] }[];
}

function routeOfWords(words: readonly string[], family: Family): Route | undefined {
  const queue = [...words];
  const type = queue[0] !== undefined && isRouteType(queue[0]) ? queue.shift()! : 'unicast';
  const destination = routePrefix(queue.shift(), family);
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
  if ((word === 'mtu' || word === 'advmss') && queue[0] === 'lock') queue.shift();
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
      draft.source = routePrefix(value, family);
      return draft.source !== undefined;
    case 'metric':
    case 'priority':
    case 'preference':
      return setNumber(value, (metric) => (draft.metric = metric));
    case 'advmss':
      return setNumber(value, (mss) => (draft.advertisedMss = mss));
    case 'nhid':
      return setNumber(value, (id) => (draft.nextHopId = id));
    case 'expires':
      return setNumber(value.replace(/sec$/, ''), (seconds) => (draft.expiresS = seconds));
    case 'pref':
      if (isPreference(value)) draft.preference = value;
      return true;
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
  const { nextHopId, advertisedMss, preference, expiresS } = draft;
  const route = {
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
    ...(advertisedMss !== undefined && { advertisedMss }),
    ...(nextHopId !== undefined && { nextHopId }),
    ...(preference !== undefined && preference !== 'medium' && { preference }),
    ...(expiresS !== undefined && { expiresS }),
  };
  return { ...route, text: renderRoute(route) };
}
