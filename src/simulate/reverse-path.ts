import type { L4 } from '../net/packet.ts';
import type { Place } from '../net/place.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { type Check, PASSED } from './check.ts';
import { type Cursor, familyAt, unknownEnd, unseenEnd, type Walk } from './cursor.ts';
import { linkNamed } from './hook-input.ts';
import { deviceHolding } from './own-addresses.ts';
import { refusalOf } from './refusal.ts';
import { nextHopsOf } from './route-hops.ts';
import { routeStep } from './route-step.ts';
import { addressTypeOf, hasRules, lookupRoute, type RouteFound, type RouteKey, type RouteWay } from './routes.ts';
import { makeStep, sourceOf } from './steps.ts';
import { isSwitchedOn, largerOf } from './sysctl.ts';
import type { Truth } from './trace.ts';

/** Where the packet goes, as far as its source's check asks. */
export interface Onward {
  /** The device that it is forwarded by; absent for what is for this host. */
  readonly output?: string;
  readonly broadcast?: boolean;
}

/**
 * Source validation (fib_validate_source). With rp_filter 0 only an own address as source is refused. Otherwise the way
 * back to the source is looked up, with mark 0 unless src_valid_mark: strict (1) wants it to leave by the input device,
 * loose (2) by any. IPv6 has none.
 */
export function reversePathCheck(walk: Walk, cursor: Cursor, input: string, onward: Onward = {}): Check {
  if (familyAt(cursor) !== 4) return PASSED;
  const { snapshot } = walk.world;
  const { place } = cursor;
  const filter = largerOf(snapshot, place, 4, 'rp_filter', input);
  if (!filter) return unsure(cursor, `rp_filter of ${input} was not seen`);
  const acceptsLocal = isSwitchedOn(snapshot, place, 4, 'accept_local', input);
  const redirects = onward.output === input ? isSwitchedOn(snapshot, place, 4, 'send_redirects', input) : 'no';
  const isMarked = cursor.meta.mark === 0 ? 'no' : isSwitchedOn(snapshot, place, 4, 'src_valid_mark', input);
  const asked = { walk, cursor, input, onward, filter, acceptsLocal };
  return inEveryCase(asked, redirects, isMarked);
}

/** What was not seen matters only where it makes a difference. */
function inEveryCase(asked: Omit<Asked, 'isMarked'>, redirects: Truth, isMarked: Truth): Check {
  if (isMarked !== 'unknown' && redirects !== 'unknown') return inCase(asked, redirects === 'yes', isMarked === 'yes');
  const checks = casesOf(isMarked).flatMap((marked) =>
    casesOf(redirects).map((redirected) => inCase(asked, redirected, marked)),
  );
  if (new Set(checks.map(({ end }) => end?.end)).size === 1) return checks[0]!;
  const unseen = isMarked === 'unknown' ? 'src_valid_mark' : 'send_redirects';
  return unsure(asked.cursor, `${unseen} of ${asked.input} was not seen`);
}

/** What goes out where it came in is looked up without a filter even so, for a redirect may be due. */
function inCase(asked: Omit<Asked, 'isMarked'>, redirected: boolean, isMarked: boolean): Check {
  const one: Asked = { ...asked, isMarked };
  return asked.filter.value === 0 && !redirected ? withoutFilter(one) : lookedUp(one);
}

function casesOf(value: Truth): readonly boolean[] {
  return value === 'unknown' ? [false, true] : [value === 'yes'];
}

type Filter = { readonly key: string; readonly value: number };

interface Asked {
  readonly walk: Walk;
  readonly cursor: Cursor;
  readonly input: string;
  readonly onward: Onward;
  readonly filter: Filter;
  readonly acceptsLocal: Truth;
  /** src_valid_mark: the mark counts. */
  readonly isMarked: boolean;
}

function unsure(cursor: Cursor, because: string): Check {
  return { steps: [], end: unknownEnd(cursor, because) };
}

/**
 * Only an address that a device here has is refused; where rules, or local routes that somebody set, were ever there, the
 * routes decide. That they were there once can't be read back: it matters where both differ.
 */
function withoutFilter(asked: Asked): Check {
  const { walk, cursor, acceptsLocal } = asked;
  const { snapshot } = walk.world;
  const { place } = cursor;
  const { source } = cursor.packet.ip;
  if (acceptsLocal === 'yes') return PASSED;
  if (hasRules(snapshot, place) || hasLocalRoutes(snapshot, place)) return lookedUp(asked);
  const links = snapshot.fact('links', place);
  if (links.state === 'unseen') return lookedUp(asked);
  const isOwn = deviceHolding(links.value, source) !== undefined;
  const type = addressTypeOf(snapshot, place, source);
  if (!isOwn && type === 'unicast') return PASSED;
  const check = lookedUp(asked);
  const isRefused = check.end?.end === 'martian';
  if (isOwn === isRefused || check.end?.end === 'insufficient-information') return check;
  return unsure(cursor, `whether ${source} may come in depends on rules or local routes that were there before`);
}

/** Local routes that are none of the kernel's own (fib_has_custom_local_routes). */
function hasLocalRoutes(snapshot: Snapshot, place: Place): boolean {
  const routes = snapshot.fact('routes', place, { family: 4 });
  if (routes.state === 'unseen') return true;
  const known = customLocal.get(routes.value);
  if (known !== undefined) return known;
  const found = routes.value.some((route) => route.type === 'local' && route.protocol !== 'kernel');
  customLocal.set(routes.value, found);
  return found;
}

const customLocal = new WeakMap<object, boolean>();

/** The way back as __fib_validate_source looks it up: from the destination, out of the device that it goes on by. */
function reverseKey({ cursor, onward, isMarked }: Asked): RouteKey {
  const { packet, meta } = cursor;
  const l4 = turned(packet.l4);
  return {
    source: onward.broadcast ? '0.0.0.0' : packet.ip.destination,
    destination: packet.ip.source,
    tos: packet.ip.tos,
    mark: isMarked ? meta.mark : 0,
    input: onward.output ?? 'lo',
    user: 0,
    l4,
  };
}

function turned(l4: L4): L4 {
  if (!('sourcePort' in l4)) return l4;
  return { ...l4, sourcePort: l4.destinationPort, destinationPort: l4.sourcePort };
}

type Verdict = 'passes' | 'own-source' | 'no-unicast' | 'filtered' | 'unknown';

function lookedUp(asked: Asked): Check {
  const { walk, cursor } = asked;
  const { snapshot } = walk.world;
  const key = reverseKey(asked);
  const lookup = lookupRoute(snapshot, cursor.place, key);
  if (lookup.state === 'unseen') return { steps: [], end: unseenEnd(cursor, lookup.unseen) };
  const way = lookup.ways[0]!;
  const verdicts = new Set(lookup.ways.map((one) => verdictOf(asked, one)));
  if (verdicts.size === 1 && verdicts.has('passes')) return PASSED;
  const doubt = lookup.cut ?? lookup.ways.find((one) => one.doubt !== undefined)?.doubt;
  const isWhole =
    lookup.cut === undefined && lookup.ways.every((one) => one.doubt === undefined || one.fork === 'undecided');
  if (verdicts.size > 1 || verdicts.has('unknown') || !isWhole) {
    return unsure(
      cursor,
      `the way back to ${cursor.packet.ip.source} is not sure: ${doubt ?? 'accept_local was not seen'}`,
    );
  }
  const verdict = [...verdicts][0]!;
  return verdict === 'filtered' ? filtered(asked, key, way.found) : refusedSource(asked, verdict);
}

function verdictOf(asked: Asked, way: RouteWay): Verdict {
  const { walk, cursor, input, filter, acceptsLocal } = asked;
  const { snapshot } = walk.world;
  const { place } = cursor;
  const { found } = way;
  const strict = filter.value === 0 ? 'passes' : 'filtered';
  if (refusalOf(found) !== undefined) return strict;
  if (found.type !== 'unicast') {
    if (found.type !== 'local') return 'no-unicast';
    if (acceptsLocal === 'unknown') return 'unknown';
    if (acceptsLocal === 'no') return 'own-source';
  }
  const hops = found.route ? nextHopsOf({ snapshot, place, missing: {} }, found.route) : [];
  const fits = (device: string | undefined): boolean =>
    device === input || linkNamed(snapshot, place, device)?.master === input;
  if (hops.some((hop) => fits(hop.device)) || (found.type === 'local' && input === 'lo')) return 'passes';
  // A device without any address is told no way back at all, even where the filter is loose.
  if (!hasAddress(snapshot, place, input)) return strict;
  return filter.value === 1 ? 'filtered' : 'passes';
}

function hasAddress(snapshot: Snapshot, place: Place, device: string): boolean {
  const link = linkNamed(snapshot, place, device);
  return link === undefined || link.addresses.some(({ prefix }) => !prefix.address.includes(':'));
}

function filtered({ walk, cursor, input, filter }: Asked, key: RouteKey, found: RouteFound): Check {
  const { snapshot } = walk.world;
  const { source } = cursor.packet.ip;
  const way = found.hop?.device === undefined ? 'there is no way back' : `the way back leaves by ${found.hop.device}`;
  const step = makeStep({
    kind: 'sysctl',
    at: `rp_filter ${input}`,
    matched: 'no',
    source: sourceOf(snapshot.fact('sysctls', cursor.place), `${filter.key} = ${filter.value}`),
    values: {
      check: 'rp_filter',
      key: filter.key,
      value: String(filter.value),
      effective: String(filter.value),
      needed: found.type === 'none' || filter.value === 2 ? '0' : '2',
      device: input,
      source,
      routeDevice: found.hop?.device,
      routeText: found.route?.text,
    },
    text: `${filter.key} is ${filter.value}: a packet from ${source} may not come in by ${input}, ${way}`,
  });
  const reverse = routeStep(snapshot, cursor.place, key, found, 'reverse');
  return { steps: [reverse, step], end: { end: 'reverse-path-filtered', cursor, senderSees: 'nothing' } };
}

function refusedSource({ walk, cursor, input }: Asked, verdict: Verdict): Check {
  const { source } = cursor.packet.ip;
  const isOwn = verdict === 'own-source';
  const step = makeStep({
    kind: 'sysctl',
    at: `route input ${input}`,
    matched: 'no',
    source: sourceOf(walk.world.snapshot.fact('sysctls', cursor.place)),
    values: {
      check: isOwn ? 'accept_local' : 'martian',
      value: isOwn ? '0' : undefined,
      needed: isOwn ? '1' : undefined,
      device: input,
      source,
    },
    text: isOwn
      ? `${source} is an own address here, so it may not come in by ${input} as a source`
      : `the route to ${source} is none of a host's, so it may not come in by ${input} as a source`,
  });
  return { steps: [step], end: { end: 'martian', cursor, senderSees: 'nothing' } };
}
