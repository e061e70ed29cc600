import type { Address, Family } from '../net/address.ts';
import { asRecord, asStrings } from '../parse/nft-node.ts';
import { type NftDatum, nameOf, notKnown, numberOf } from './nftables-datum.ts';
import { type NftScope, protocolOf } from './nftables-state.ts';
import { ADDRESS_TYPES } from './nftables-symbols.ts';
import { isDiscarding } from './refusal.ts';
import { kernelIsAtLeast } from './route-hops.ts';
import { lookupRoute, type RouteWay } from './routes.ts';

/** What `fib … oif` gives where no route leads out by such a device: interface index 0, of which the name is empty. */
const NO_INDEX = '0';

/**
 * `fib` (nft(8) "FIB expressions", net/ipv4/netfilter/nft_fib_ipv4.c): the type of an address, or the device that the
 * packet's source or destination is routed to.
 */
export function evaluateFib(body: unknown, scope: NftScope, what: string): NftDatum {
  const fib = asRecord(body) ?? {};
  const flags = asStrings(fib.flags);
  const { input, state } = scope;
  const device = flags.includes('iif') ? input.input : flags.includes('oif') ? input.output : undefined;
  const address = flags.includes('saddr') ? state.packet.ip.source : state.packet.ip.destination;
  if (fib.result === 'type') {
    const type = ADDRESS_TYPES[input.addressType(address, device)];
    return type === undefined ? notKnown(what) : numberOf('fib_addrtype', type);
  }
  const found = isOwnWay(scope) ? 'lo' : routedTo(address, device, flags, scope);
  if (found === 'unknown' || mayBeSkipped(scope, found)) return notKnown(what);
  return nameOf(found ?? (fib.result === 'oifname' ? '' : NO_INDEX));
}

/** What comes by loopback is not looked up; since Linux 6.16 not at the input hook either (nft_fib_can_skip). */
function isOwnWay({ input }: NftScope): boolean {
  if (input.input !== 'lo') return false;
  if (input.hook === 'prerouting' || input.hook === 'ingress') return true;
  return input.hook === 'input' && kernelIsAtLeast(input, 6, 16) === 'yes';
}

/** Nor does it look up what belongs to a socket that has received by that device before: the device stands as it is. */
function mayBeSkipped({ input, state }: NftScope, found: string | undefined): boolean {
  if (input.hook !== 'input' || found === input.input || kernelIsAtLeast(input, 6, 16) === 'no') return false;
  return input.input === 'lo' || state.meta.conntrack === 'established';
}

/** Does the lookup lead to a device at all? */
export function isRouted(datum: NftDatum): boolean | undefined {
  return datum.kind === 'text' ? datum.text !== NO_INDEX && datum.text !== '' : undefined;
}

/** The device by which a route leads to the address; undefined: none. With `device`: that one, if the route uses it. */
function routedTo(
  address: Address,
  device: string | undefined,
  flags: readonly string[],
  scope: NftScope,
): string | 'unknown' | undefined {
  const { input, state } = scope;
  const { ip, l4 } = state.packet;
  const marked = flags.includes('mark');
  if (marked && state.doubtfulMarks.includes('mark')) return 'unknown';
  const reverse = flags.includes('saddr');
  const lookup = lookupRoute(input.snapshot, input.place, {
    destination: address,
    source: reverse ? ip.destination : ip.source,
    tos: ip.tos,
    mark: marked ? state.meta.mark : 0,
    l4: { protocol: protocolOf(l4) },
    user: 0,
    isPlain: true,
    ...(reverse && input.hook === 'forward' && flags.includes('iif') && input.output ? { input: input.output } : {}),
    ...(address.startsWith('fe80') ? linkLocalDevice(device ?? input.input ?? input.output) : {}),
  });
  if (lookup.state === 'unseen') return 'unknown';
  const results = new Set(lookup.ways.map((way) => deviceOf(way, device, input.family)));
  const doubtful = lookup.ways.some((way) => way.doubt !== undefined);
  return results.size === 1 && !doubtful ? [...results][0] : 'unknown';
}

/** A link-local address is looked up on one link (nft_fib6_flowi_init). */
function linkLocalDevice(device: string | undefined): { output?: string } {
  return device === undefined ? {} : { output: device };
}

/** A route to this host itself counts as none, as does one that refuses; of IPv6 only the hop that is taken counts. */
function deviceOf(way: RouteWay, device: string | undefined, family: Family): string | 'unknown' | undefined {
  const { type, route, hop } = way.found;
  if (!route || !['unicast', 'broadcast', 'multicast', 'anycast'].includes(type)) return undefined;
  if (family === 6 && (type === 'anycast' || isDiscarding(way.found))) return undefined;
  if (device === undefined) return hop?.device ?? 'unknown';
  if (family === 6) return hop?.device === device ? device : undefined;
  return route.nextHops.some((next) => next.device === device) ? device : undefined;
}
