import { hostOf, type Place } from '../net/place.ts';
import type { NexthopObject } from '../parse/ip-nexthop.ts';
import type { NextHop, Route } from '../parse/ip-route.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { entryFor } from './neighbour-entry.ts';
import { perPlace } from './per-place.ts';
import type { LookupContext } from './route-lookup.ts';
import { interfaceKey, readSysctl, switchedOn } from './sysctl.ts';
import type { Truth } from './trace.ts';
import { truth } from './truth.ts';

/**
 * The route's next hops. Where it goes through a nexthop object whose particulars the route does not show
 * (net.ipv4.nexthop_compat_mode off), the object's or its members'.
 */
export function nextHopsOf(
  context: Pick<LookupContext, 'snapshot' | 'place' | 'missing'>,
  route: Route,
): readonly NextHop[] {
  if (route.nextHops.length > 0 || route.nextHopId === undefined) return route.nextHops;
  const observed = context.snapshot.fact('nexthops', context.place);
  if (observed.state === 'unseen') {
    context.missing.unseen ??= observed;
    return [];
  }
  const byId = new Map(observed.value.map((object) => [object.id, object]));
  const object = byId.get(route.nextHopId);
  const members = object?.group ?? (object ? [{ id: object.id, weight: 1 }] : []);
  return members.flatMap(({ id, weight }) => hopOf(byId.get(id), weight));
}

function hopOf(object: NexthopObject | undefined, weight: number): NextHop[] {
  if (!object) return [];
  const { via, device, flags, encap } = object;
  return [
    {
      ...(via === undefined ? {} : { via }),
      ...(device === undefined ? {} : { device }),
      weight,
      flags,
      ...(encap === undefined ? {} : { encap }),
    },
  ];
}

/** Dead ones never serve; those without a carrier not where ignore_routes_with_linkdown of their device says so. */
export function isAlive(context: LookupContext, route: Route, hop: NextHop): boolean {
  const flags = [...hop.flags, ...(route.nextHops.length === 1 ? route.flags : [])];
  if (flags.includes('dead')) return false;
  return !(flags.includes('linkdown') && ignoresLinkdown(context, hop.device));
}

/** The device's own setting (IN_DEV_IGNORE_ROUTES_WITH_LINKDOWN, ip6_ignore_linkdown). */
function ignoresLinkdown({ snapshot, place, family }: LookupContext, device: string | undefined): boolean {
  if (device === undefined) return false;
  const key = interfaceKey(family, device, 'ignore_routes_with_linkdown');
  return switchedOn(readSysctl(snapshot, place, key)) === 'yes';
}

const UNREACHED = new Set(['FAILED', 'INCOMPLETE']);

/** A gateway without an entry counts as reachable (ipv4_good_nh, ipv6_good_nh in nexthop.c; fib_good_nh). */
export function isReachable({ snapshot, place }: LookupContext, hop: NextHop, bad = UNREACHED): boolean {
  if (hop.via === undefined || hop.device === undefined) return true;
  const entry = entryFor(snapshot, place, hop.device, hop.via);
  return !entry?.states.some((state) => bad.has(state));
}

/** Whether this kernel is of that version or later; unknown where its release was not read. */
export function kernelIsAtLeast(
  { snapshot, place }: Pick<LookupContext, 'snapshot' | 'place'>,
  major: number,
  minor: number,
): Truth {
  const has = releaseAt(snapshot, place);
  if (has.major === undefined) return 'unknown';
  return truth(has.major > major || (has.major === major && has.minor >= minor));
}

interface Release {
  /** Undefined where it was not read. */
  readonly major: number | undefined;
  readonly minor: number;
}

const releaseAt = perPlace((snapshot: Snapshot, place: Place): Release => {
  const observed = snapshot.fact('kernel', hostOf(place.node));
  const release = observed.state === 'seen' ? observed.value.release : '';
  const found = /^(?<major>\d+)\.(?<minor>\d+)/.exec(release)?.groups;
  return found ? { major: Number(found.major), minor: Number(found.minor) } : { major: undefined, minor: 0 };
});

/**
 * How often each is taken (fib_select_multipath, nexthop_select_path_hthr). The hash falls on one by weight; where that
 * one is not good, or (Linux 6.16) another one's own source address is the packet's, on the next that is, else the first.
 */
export function hashShares(
  alive: readonly NextHop[],
  good: readonly NextHop[],
  isPreferred: ((hop: NextHop) => boolean) | undefined,
): number[] {
  const total = alive.reduce((sum, hop) => sum + hop.weight, 0);
  const preferred = isPreferred ? good.filter(isPreferred) : good;
  const wanted = preferred.length > 0 ? preferred : good;
  const shares = good.map(() => 0);
  alive.forEach((hop, at) => {
    const taken = wanted.find((one) => alive.indexOf(one) >= at) ?? wanted[0]!;
    shares[good.indexOf(taken)]! += hop.weight / total;
  });
  return shares;
}
