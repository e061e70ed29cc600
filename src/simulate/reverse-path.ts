import { type Check, PASSED } from './check.ts';
import { type Cursor, familyAt, unknownEnd, unseenEnd, type Walk } from './cursor.ts';
import { routeStep } from './route-step.ts';
import { addressTypeOf, lookupRoute, type RouteFound, type RouteKey, type RouteWay } from './routes.ts';
import { makeStep, sourceOf } from './steps.ts';
import { isSwitchedOn, largerOf } from './sysctl.ts';

/**
 * Source validation (fib_validate_source). With rp_filter 0 only an own address as source is refused. Otherwise the way
 * back to the source is looked up, with mark 0 unless src_valid_mark: strict (1) wants it to leave by the input device,
 * loose (2) by any. IPv6 has none.
 */
export function reversePathCheck(walk: Walk, cursor: Cursor, input: string): Check {
  if (familyAt(cursor) !== 4) return PASSED;
  const { snapshot } = walk.world;
  const filter = largerOf(snapshot, cursor.place, 4, 'rp_filter', input);
  if (!filter) return { steps: [], end: unknownEnd(cursor, `rp_filter of ${input} was not seen`) };
  const acceptsLocal = isSwitchedOn(snapshot, cursor.place, 4, 'accept_local', input);
  if (addressTypeOf(snapshot, cursor.place, cursor.packet.ip.source) === 'local' && acceptsLocal !== 'yes') {
    return acceptsLocal === 'no'
      ? ownSource(walk, cursor, input)
      : { steps: [], end: unknownEnd(cursor, `accept_local of ${input} was not seen`) };
  }
  return filter.value === 0 ? PASSED : filtered(walk, cursor, input, filter);
}

type Filter = { readonly key: string; readonly value: number };

function filtered(walk: Walk, cursor: Cursor, input: string, filter: Filter): Check {
  const { snapshot } = walk.world;
  const { packet, meta, place } = cursor;
  const marked = isSwitchedOn(snapshot, place, 4, 'src_valid_mark', input) === 'yes';
  const key: RouteKey = {
    source: packet.ip.destination,
    destination: packet.ip.source,
    tos: packet.ip.tos,
    mark: marked ? meta.mark : 0,
    input: 'lo',
  };
  const lookup = lookupRoute(snapshot, place, key);
  if (lookup.state === 'unseen') return { steps: [], end: unseenEnd(cursor, lookup.unseen) };
  const way = lookup.ways[0]!;
  const verdicts = new Set(lookup.ways.map((one) => accepts(one, input, filter.value)));
  const isSure = lookup.ways.every((one) => one.fork !== 'undecided' && one.doubt === undefined);
  if (!verdicts.has(false)) return PASSED;
  // A multipath route back is right when one of its next hops is the input device (fib_info_nh_uses_dev).
  if (verdicts.has(true) && isSure) return PASSED;
  if (!isSure)
    return { steps: [], end: unknownEnd(cursor, `the way back to ${packet.ip.source} is not sure: ${way.doubt}`) };
  return refused(walk, cursor, input, filter, key, way.found);
}

function accepts(way: RouteWay, input: string, mode: number): boolean {
  const { found } = way;
  if (found.type === 'none') return false;
  if (found.type !== 'unicast' && found.type !== 'local') return false;
  return mode !== 1 || (found.route?.nextHops.some((hop) => hop.device === input) ?? false);
}

function refused(walk: Walk, cursor: Cursor, input: string, filter: Filter, key: RouteKey, found: RouteFound): Check {
  const { snapshot } = walk.world;
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
      needed: found.type === 'none' ? '0' : '2',
      device: input,
      source: cursor.packet.ip.source,
      routeDevice: found.hop?.device,
      routeText: found.route?.text,
    },
    text: `${filter.key} is ${filter.value}: a packet from ${cursor.packet.ip.source} may not come in by ${input}, ${way}`,
  });
  const reverse = routeStep(snapshot, cursor.place, key, found, 'reverse');
  return { steps: [reverse, step], end: { end: 'reverse-path-filtered', cursor, senderSees: 'nothing' } };
}

function ownSource(walk: Walk, cursor: Cursor, input: string): Check {
  const { source } = cursor.packet.ip;
  const step = makeStep({
    kind: 'sysctl',
    at: `route input ${input}`,
    matched: 'no',
    source: sourceOf(walk.world.snapshot.fact('sysctls', cursor.place)),
    values: { check: 'accept_local', value: '0', needed: '1', device: input, source },
    text: `${source} is an own address here, so it may not come in by ${input} as a source`,
  });
  return { steps: [step], end: { end: 'martian', cursor, senderSees: 'nothing' } };
}
