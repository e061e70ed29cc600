import type { Family } from '../net/address.ts';
import type { RouteFound } from './route-lookup.ts';

/**
 * The error that a look-up returns instead of a route: ENETUNREACH, EHOSTUNREACH, EACCES, EINVAL. A black hole's EINVAL
 * is told to a local sender and to nobody else.
 */
export type Refusal = 'network' | 'host' | 'prohibited' | 'invalid';

/**
 * Undefined where the route can be used (fib_props of net/ipv4/fib_semantics.c, fib4_rule_action, ip6_rt_type_to_error). An
 * unreachable *rule* says network, an unreachable *route* host.
 */
export function refusalOf({ type, route }: RouteFound): Refusal | undefined {
  switch (type) {
    case 'none':
      return 'network';
    case 'unreachable':
      return route ? 'host' : 'network';
    case 'prohibit':
      return 'prohibited';
    case 'blackhole':
      return 'invalid';
    default:
      return undefined;
  }
}

/**
 * What the sender of a packet that came in is told by ICMP; undefined: nothing (ip_error of net/ipv4/route.c, and
 * ip6_pkt_discard and ip6_pkt_prohibit of net/ipv6/route.c, where an unreachable route says no route).
 */
export function toldBy(refusal: Refusal, family: Family): 'network' | 'host' | 'prohibited' | undefined {
  if (refusal === 'invalid') return undefined;
  return family === 6 && refusal === 'host' ? 'network' : refusal;
}

/**
 * A route of IPv6 that leads to lo and is not one to this host itself is no error to who looks it up, but whoever takes it
 * is told that there is no route (`promote them to reject routes` in ip6_route_info_create, ip6_pkt_discard_out).
 */
export function isDiscarding({ type, route, hop }: RouteFound): boolean {
  if (type !== 'unicast' || hop?.device !== 'lo' || !route) return false;
  const { address } = route.destination;
  return address.includes(':') && address !== '::1';
}
