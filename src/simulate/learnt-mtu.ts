import { type Address, type Family, familyOf } from '../net/address.ts';
import type { Place } from '../net/place.ts';
import type { Route } from '../parse/ip-route.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { type Cursor, familyAt } from './cursor.ts';
import type { RouteFound } from './routes.ts';
import { readSysctl } from './sysctl.ts';

/**
 * The path MTU that the kernel has learnt by an ICMP error for a packet's destination, where it stands in the place of the
 * route's own: for what this host sends, and of IPv6 also for what it forwards (ip_dst_mtu_maybe_forward in include/net/ip.h,
 * ip6_finish_output). Undefined where it has learnt none, or what it has learnt was not seen.
 */
export function learntMtu(snapshot: Snapshot, cursor: Cursor): Route | undefined {
  const family = familyAt(cursor);
  const { place, packet, path } = cursor;
  if (family === 4 && !path.local && !heedsIt(snapshot, place)) return undefined;
  return exceptionFor(snapshot, place, packet.ip.destination, path.route);
}

/** What the route to a destination has learnt (find_exception, rt6_find_cached_rt). */
export function exceptionFor(
  snapshot: Snapshot,
  place: Place,
  destination: Address,
  route: RouteFound | undefined,
): Route | undefined {
  const { device, via } = route?.hop ?? {};
  if (device === undefined) return undefined;
  return exceptionsAt(snapshot, place, familyOf(destination)).find((one) => {
    const [hop] = one.nextHops;
    const isHere = one.destination.address === destination && hop?.device === device && hop.via === via;
    return isHere && one.mtu !== undefined && (one.expiresS ?? 1) > 0;
  });
}

function heedsIt(snapshot: Snapshot, place: Place): boolean {
  const setting = readSysctl(snapshot, place, 'net.ipv4.ip_forward_use_pmtu');
  return setting.state === 'seen' && setting.value !== 0;
}

const NONE: readonly Route[] = [];

function exceptionsAt(snapshot: Snapshot, place: Place, family: Family): readonly Route[] {
  const seen = snapshot.fact('route-exceptions', place, { family });
  return seen.state === 'seen' ? seen.value.filter((one) => familyOf(one.destination.address) === family) : NONE;
}
