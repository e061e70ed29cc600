import { type Address, familyOf } from '../net/address.ts';
import type { Place } from '../net/place.ts';
import type { Link } from '../parse/ip-link.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { deviceHolding } from './own-addresses.ts';
import { type Refusal, refusalOf } from './refusal.ts';
import { nextHopsOf } from './route-hops.ts';
import type { RouteFound, RouteWay } from './route-lookup.ts';
import { vrfOf } from './route-rule.ts';
import { selectIpv4Address, sourceOfHop } from './route-source.ts';
import { addressTypeOf, isMulticast, type Lookup, lookupRoute, type RouteKey } from './routes.ts';
import { selectIpv6Source } from './select-source.ts';
import { interfaceKey, isSwitchedOn, readSysctl } from './sysctl.ts';
import { both, CERTAIN, UNDECIDED } from './truth.ts';

/** What a packet of this host's own is routed by. */
export interface OutputKey extends RouteKey {
  /** The source need not be an address of this host (FLOWI_FLAG_ANYSRC). */
  readonly anySource?: boolean;
}

/** A way out, or why there is none. */
export interface OutputWay extends RouteWay {
  /** The device that it leaves by; `lo` for what is sent to this host itself. */
  readonly device: string;
  /** The address that it is sent from, where the sender left it open. */
  readonly source?: Address;
  readonly refusal?: Refusal;
}

export type OutputLookup =
  | { readonly state: 'found'; readonly ways: readonly OutputWay[]; readonly cut?: string }
  | Extract<Lookup, { state: 'unseen' }>;

/** The route of a packet that this host sends (ip_route_output_key_hash, ip6_route_output). */
export function routeOutput(snapshot: Snapshot, place: Place, key: OutputKey): OutputLookup {
  return familyOf(key.destination) === 4 ? routeIpv4(snapshot, place, key) : routeIpv6(snapshot, place, key);
}

const BROADCAST = '255.255.255.255';
const ANY = '0.0.0.0';

function routeIpv4(snapshot: Snapshot, place: Place, key: OutputKey): OutputLookup {
  const { source, destination, output } = key;
  const isGroup = isMulticast(destination) || destination === BROADCAST;
  if (source !== undefined) {
    if (isMulticast(source) || source === BROADCAST || source === ANY) return refused('invalid');
    const holder = holderOf(snapshot, place, source);
    const mustBeOwn = key.anySource !== true || (isGroup && output === undefined);
    if (holder === 'none' && mustBeOwn) return refused('network');
    if (holder === 'unknown' && mustBeOwn) return perhapsRefused(source, fromHere(snapshot, place, key));
    if (isGroup && output === undefined && holder !== 'none') return onLink(snapshot, place, key, holder);
  }
  return fromHere(snapshot, place, key);
}

/** The source is this host's, or need not be. */
function fromHere(snapshot: Snapshot, place: Place, key: OutputKey): OutputLookup {
  const { destination, output } = key;
  if (output !== undefined) {
    const link = linkOf(snapshot, place, output);
    if (link && !link.flags.includes('UP')) return refused('network');
    if (destination === BROADCAST || destination.startsWith('224.0.0.')) return onLink(snapshot, place, key, output);
  }
  if (destination === ANY) return toItself(snapshot, place, key);
  if (output === undefined || key.source !== undefined || !isMulticast(destination))
    return lookedUp(snapshot, place, key);
  const source = selectIpv4Address(snapshot, place, output, undefined);
  const lookup = lookedUp(snapshot, place, source === undefined ? key : { ...key, source });
  if (lookup.state === 'unseen' || source === undefined) return lookup;
  return { ...lookup, ways: lookup.ways.map((way) => ({ ...way, source })) };
}

/** The device that has the address (ip_dev_find); `none` where nobody here has. */
function holderOf(snapshot: Snapshot, place: Place, address: Address): string {
  const links = snapshot.fact('links', place);
  const device = links.state === 'seen' ? deviceHolding(links.value, address) : undefined;
  if (device !== undefined) return device;
  const type = addressTypeOf(snapshot, place, address);
  if (type === 'local') return 'lo';
  return type === 'unknown' ? 'unknown' : 'none';
}

function linkOf(snapshot: Snapshot, place: Place, name: string): Link | undefined {
  const links = snapshot.fact('links', place);
  return links.state === 'seen' ? links.value.find((link) => link.name === name) : undefined;
}

function refused(refusal: Refusal): OutputLookup {
  return { state: 'found', ways: [{ chance: CERTAIN, found: { type: 'none' }, device: '', refusal }] };
}

/** Whether the source is an address of this host is not known; if it is not, nothing is sent. */
function perhapsRefused(source: Address, onward: OutputLookup): OutputLookup {
  if (onward.state === 'unseen') return onward;
  const doubt = `whether ${source} is an address of this host is not known`;
  const refusal = { chance: UNDECIDED, found: { type: 'none' }, device: '', refusal: 'network' } as const;
  const ways = [...onward.ways, refusal].map((way) => ({
    ...way,
    chance: both(way.chance, UNDECIDED),
    fork: 'undecided' as const,
    doubt,
  }));
  return { ...onward, ways };
}

/** Without a route, straight out by a device. */
function onLink(snapshot: Snapshot, place: Place, key: OutputKey, device: string): OutputLookup {
  return { state: 'found', ways: [{ chance: CERTAIN, ...onLinkWay(snapshot, place, key, device) }] };
}

function onLinkWay(snapshot: Snapshot, place: Place, key: OutputKey, device: string): Omit<OutputWay, 'chance'> {
  const { destination } = key;
  const type = destination === BROADCAST ? 'broadcast' : isMulticast(destination) ? 'multicast' : 'unicast';
  const source = key.source ?? selectIpv4Address(snapshot, place, device, undefined, LINK_SCOPE);
  const found: RouteFound = { type, hop: { device, weight: 1, flags: [] } };
  return checked(snapshot, place, key, { found, device, ...(source === undefined ? {} : { source }) });
}

const LINK_SCOPE = 253;
const HOST_SCOPE = 254;

function toItself(snapshot: Snapshot, place: Place, key: OutputKey): OutputLookup {
  const { output } = key;
  const own = output === undefined ? undefined : selectIpv4Address(snapshot, place, output, undefined, HOST_SCOPE);
  const found: RouteFound = { type: 'local', hop: { device: 'lo', weight: 1, flags: [] } };
  return { state: 'found', ways: [{ chance: CERTAIN, found, device: 'lo', source: key.source ?? own ?? '127.0.0.1' }] };
}

function lookedUp(snapshot: Snapshot, place: Place, key: OutputKey): OutputLookup {
  const lookup = lookupRoute(snapshot, place, key);
  if (lookup.state === 'unseen') return lookup;
  const ways = lookup.ways.map((way): OutputWay => {
    const refusal = refusalOf(way.found);
    // With a device given, the tables tell only whether there is a gateway: without a route the destination is on the link.
    if (refusal !== undefined && isSentOnLink(snapshot, place, key)) {
      return { ...way, ...onLinkWay(snapshot, place, key, key.output!) };
    }
    if (refusal !== undefined) return { ...way, device: '', refusal };
    return checked(snapshot, place, key, typed(key.destination, withSource(snapshot, place, key, way)));
  });
  return { ...lookup, ways };
}

function isSentOnLink(snapshot: Snapshot, place: Place, key: OutputKey): boolean {
  if (key.output === undefined) return false;
  return isMulticast(key.destination) || vrfOf(key, { snapshot, place }) === undefined;
}

/**
 * The address says what is broadcast and multicast, whatever the route (__mkroute_output); neither goes by a gateway, a
 * multicast not by that of a prefix shorter than 4.
 */
function typed(destination: Address, way: OutputWay): OutputWay {
  const { found } = way;
  const isToGroup = isMulticast(destination);
  const isBroadcast = destination === BROADCAST || (found.type === 'broadcast' && !isToGroup);
  if (!isBroadcast && !isToGroup) return way;
  const direct = isBroadcast || (found.route?.destination.length ?? 0) < 4;
  const { via: _gateway, ...hop } = found.hop ?? { weight: 1, flags: [] };
  return {
    ...way,
    found: {
      ...found,
      type: isBroadcast ? 'broadcast' : 'multicast',
      ...(direct && found.hop ? { hop } : {}),
    },
  };
}

function withSource(snapshot: Snapshot, place: Place, key: OutputKey, way: RouteWay): OutputWay {
  const { type, route, hop } = way.found;
  const device = type === 'local' ? 'lo' : (hop?.device ?? 'lo');
  if (key.source !== undefined) return { ...way, device };
  const own = route && hop && type !== 'local' ? sourceOfHop({ snapshot, place }, route, hop) : undefined;
  const source = route?.preferredSource ?? (type === 'local' ? key.destination : own);
  return { ...way, device, ...(source === undefined ? {} : { source }) };
}

/** What __mkroute_output refuses: a loopback source on another device. */
function checked<W extends Omit<OutputWay, 'chance'>>(snapshot: Snapshot, place: Place, key: OutputKey, way: W): W {
  const source = key.source ?? way.source;
  if (source === undefined || !source.startsWith('127.') || isLoopback(snapshot, place, way.device)) return way;
  const allowed = isSwitchedOn(snapshot, place, 4, 'route_localnet', way.device);
  if (allowed === 'yes') return way;
  if (allowed === 'no') return { ...way, refusal: 'invalid' };
  return { ...way, doubt: way.doubt ?? `route_localnet of ${way.device} was not seen, and ${source} needs it` };
}

function isLoopback(snapshot: Snapshot, place: Place, device: string): boolean {
  return device === 'lo' || linkOf(snapshot, place, device)?.kind === 'vrf';
}

function routeIpv6(snapshot: Snapshot, place: Place, key: OutputKey): OutputLookup {
  const lookup = lookupRoute(snapshot, place, key);
  if (lookup.state === 'unseen') return lookup;
  const ways = lookup.ways.map((way): OutputWay => {
    const refusal = refusalOf(way.found);
    if (refusal !== undefined) return { ...way, device: '', refusal };
    const device = isOwnAddress(way.found) ? 'lo' : (way.found.hop?.device ?? 'lo');
    const source = key.source ?? ipv6SourceFor(snapshot, place, key.destination, way.found);
    return { ...way, device, ...(source === undefined ? {} : { source }) };
  });
  return { ...lookup, ways };
}

/** Local, and what the kernel itself made anycast (RTF_LOCAL, RTF_ANYCAST): such packets go by lo. */
export function isOwnAddress({ type, route }: RouteFound): boolean {
  return type === 'local' || (type === 'anycast' && route?.protocol === 'kernel');
}

/** ip6_route_get_saddr: the route's own, else one of its device's or of all, by RFC 6724. */
export function ipv6SourceFor(
  snapshot: Snapshot,
  place: Place,
  destination: Address,
  { route, hop }: RouteFound,
): Address | undefined {
  if (route?.preferredSource !== undefined) return route.preferredSource;
  const links = snapshot.fact('links', place);
  if (links.state === 'unseen') return undefined;
  // Of a group of nexthop objects, the first one's device stands for all (fib6_info_nh_dev).
  const first = route?.nextHopId === undefined ? hop : nextHopsOf({ snapshot, place, missing: {} }, route)[0];
  const device = links.value.find((link) => link.name === first?.device);
  const chosen = selectIpv6Source(links.value, device, destination, {
    prefersTemporary: (name) => isPreferred(snapshot, place, name),
    isConfined: device !== undefined && isConfined(snapshot, place, device.name),
  });
  return chosen === 'none' ? undefined : chosen;
}

/** use_tempaddr 2: temporary addresses before the others. */
function isPreferred(snapshot: Snapshot, place: Place, device: string): boolean {
  const value = readSysctl(snapshot, place, interfaceKey(6, device, 'use_tempaddr'));
  return value.state === 'seen' && value.value >= 2;
}

function isConfined(snapshot: Snapshot, place: Place, device: string): boolean {
  const value = readSysctl(snapshot, place, interfaceKey(6, device, 'use_oif_addrs_only'));
  return value.state === 'seen' && value.value > 0;
}
