import { familyOf } from '../net/address.ts';
import type { Place } from '../net/place.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { ipv6SourceFor, type OutputKey, type OutputLookup, routeOutput } from './output-route.ts';

/**
 * The route of what a socket sends. Where its address is open, IPv4 looks up once without it. IPv6 does so, too, and where
 * that finds nothing, once more with the address that it would have (ip6_dst_lookup_tail): a route that serves some sources
 * alone is found by that.
 */
export function routeFromSocket(snapshot: Snapshot, place: Place, key: OutputKey): OutputLookup {
  const first = routeOutput(snapshot, place, key);
  if (familyOf(key.destination) === 4 || key.source !== undefined || first.state === 'unseen') return first;
  if (!first.ways.every((way) => way.refusal !== undefined)) return first;
  const source = ipv6SourceFor(snapshot, place, key.destination, { type: 'none' });
  if (source === undefined) return first;
  const second = routeOutput(snapshot, place, { ...key, source });
  if (second.state === 'unseen') return second;
  return { ...second, ways: second.ways.map((way) => ({ ...way, source })) };
}
