import type { Address, Family } from '../net/address.ts';
import { parseAddress } from '../net/address.ts';
import type { Prefix } from '../net/prefix.ts';
import { parseRouteText } from './ip-route-line.ts';
import { renderRoute } from './ip-route-text.ts';
import { protocolName, routeTypeName, scopeName, tableNumber } from './iproute2-names.ts';
import { isObject, type JsonObject, numberOf, parseItems, stringOf, stringsOf } from './json-items.ts';
import type { Parsed } from './parsed.ts';
import { routePrefix } from './route-prefix.ts';
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
  /** The MSS that TCP offers by this route, where it says one (`advmss`). */
  readonly advertisedMss?: number;
  /** The nexthop object that the route goes through (`nhid`, ip-nexthop(8)). */
  readonly nextHopId?: number;
  /** The object is a resilient group: a flow stays with the member that its bucket has had. */
  readonly isResilient?: true;
  /** Router preference of IPv6 (RFC 4191); absent means medium. */
  readonly preference?: 'low' | 'high';
  /** IPv6: seconds until the route is gone; not above 0 where it is kept and no longer used. */
  readonly expiresS?: number;
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

function routeOfJson(item: JsonObject, family: Family): Route | undefined {
  const destination = routePrefix(stringOf(item.dst), family);
  const table = tableNumber(String(item.table ?? 'main'));
  const nextHops = nextHopsOfJson(item);
  if (!destination || table === undefined || !nextHops) return undefined;
  const source = item.from === undefined ? undefined : routePrefix(stringOf(item.from), family);
  const tos = item.tos === undefined ? undefined : numberOf(item.tos);
  if ((item.from !== undefined && !source) || (item.tos !== undefined && tos === undefined)) return undefined;
  const preferredSource = addressOf(item.prefsrc);
  const protocol = item.protocol === undefined ? undefined : protocolName(String(item.protocol));
  const scope = item.scope === undefined ? undefined : scopeName(String(item.scope));
  const mtu = metricOf(item.metrics, 'mtu');
  const advertisedMss = metricOf(item.metrics, 'advmss');
  const nextHopId = numberOf(item.nhid);
  const preference = stringOf(item.pref);
  const expiresS = numberOf(item.expires);
  const route = {
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
    ...(advertisedMss !== undefined && { advertisedMss }),
    ...(nextHopId !== undefined && { nextHopId }),
    ...(isObject(item.nh_info) && item.nh_info.type === 'resilient' && { isResilient: true as const }),
    ...(preference !== undefined && isPreference(preference) && preference !== 'medium' && { preference }),
    ...(expiresS !== undefined && { expiresS }),
  };
  return { ...route, text: renderRoute(route) };
}

export function isPreference(text: string): text is 'low' | 'medium' | 'high' {
  return text === 'low' || text === 'medium' || text === 'high';
}

/** Undefined where a next hop has a gateway that is no address. */
function nextHopsOfJson(item: JsonObject): readonly NextHop[] | undefined {
  const several = item.nexthops;
  // With net.ipv4.nexthop_compat_mode off the object's own particulars alone tell the next hop.
  const single = item.dev === undefined && isObject(item.nh_info) ? item.nh_info : item;
  const hops = (Array.isArray(several) && several.length > 0 ? several : [single]).map((hop) =>
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

function metricOf(metrics: unknown, name: 'mtu' | 'advmss'): number | undefined {
  if (!Array.isArray(metrics)) return undefined;
  for (const entry of metrics) {
    const value = isObject(entry) ? numberOf(entry[name]) : undefined;
    if (value !== undefined) return value;
  }
  return undefined;
}

function addressOf(value: unknown): Address | undefined {
  return typeof value === 'string' ? parseAddress(value) : undefined;
}
