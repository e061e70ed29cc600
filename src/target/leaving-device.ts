import { type Address, familyOf } from '../net/address.ts';
import type { Place } from '../net/place.ts';
import { prefixContains } from '../net/prefix.ts';
import type { Link } from '../parse/ip-link.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';

const MAIN_TABLE = 254;

/**
 * The MTU of the route by which this namespace sends to an address, as the main table alone has it; undefined where that is
 * not known. A node sends to its own network by another device than to another node's pods.
 */
export function leavingMtu(snapshot: Snapshot, place: Place, destination: Address): number | undefined {
  const links = snapshot.fact('links', place);
  if (links.state === 'unseen') return undefined;
  const routes = snapshot.fact('routes', place, { family: familyOf(destination) });
  const fallback = onlyDevice(links.value)?.mtu;
  if (routes.state === 'unseen') return fallback;
  const route = routes.value
    .filter((one) => one.table === MAIN_TABLE && one.type === 'unicast' && prefixContains(one.destination, destination))
    .sort((a, b) => b.destination.length - a.destination.length || a.metric - b.metric)[0];
  const device = links.value.find((one) => one.name === route?.nextHops[0]?.device);
  const mtu = device?.mtu ?? fallback;
  return route?.mtu !== undefined && mtu !== undefined ? Math.min(route.mtu, mtu) : (route?.mtu ?? mtu);
}

function onlyDevice(links: readonly Link[]): Link | undefined {
  const real = links.filter((one) => one.type !== 'loopback' && one.flags.includes('UP'));
  return real.length === 1 ? real[0] : undefined;
}
