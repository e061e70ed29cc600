import { FOREIGN, type Owner, ownerOfChain, ownerOfNftTable, ownerOfRule } from '../cni/owner.ts';
import { ownerOfDevice, ownerOfRoute } from '../cni/owner-of-device.ts';
import { type Place, placeKey } from '../net/place.ts';
import type { Link } from '../parse/ip-link.ts';
import { parseIpRouteLine } from '../parse/ip-route-line.ts';
import type { LeafEnd, RoundTrip, Segment, Step, Trace } from '../simulate/trace.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';

/** Tables that iptables-nft keeps: by their names they are anybody's. */
const OF_IPTABLES: ReadonlySet<string> = new Set(['raw', 'mangle', 'nat', 'filter', 'security']);

/** Whose rule, route or device a step is about, as far as names, shapes and devices show it; undefined where nothing does. */
export function ownerOfStep(step: Step, links: readonly Link[]): Owner | undefined {
  const { values } = step;
  switch (step.kind) {
    case 'rule':
      return ownerOfRuleStep(step);
    case 'policy':
      return values['backend'] === 'nft' ? ownerOfNftTable(String(values['table'])) : undefined;
    case 'route':
      return ownerOfRouteStep(step, links);
    case 'tunnel':
      return ownerOfDeviceNamed(values['device'], links);
    case 'bridge':
      return ownerOfDeviceNamed(values['bridge'], links);
    default:
      return undefined;
  }
}

function ownerOfRuleStep({ values }: Step): Owner {
  const [table, chain, text] = [values['table'], values['chain'], values['ruleText']].map(String) as [
    string,
    string,
    string,
  ];
  if (values['backend'] !== 'nft') return ownerOfRule({ table, chain, text });
  const byTable = ownerOfNftTable(table);
  if (byTable) return byTable;
  return (OF_IPTABLES.has(table) ? ownerOfChain(chain) : undefined) ?? FOREIGN;
}

/** Only what a daemon or the CNI made is worth a word: that the kernel makes routes of addresses is not. */
function ownerOfRouteStep({ values }: Step, links: readonly Link[]): Owner | undefined {
  const { routeText, family, destination } = values;
  if (typeof routeText !== 'string') return undefined;
  const isSix = family === 6 || String(destination).includes(':');
  const route = parseIpRouteLine(routeText, isSix ? 6 : 4);
  const owner = route && ownerOfRoute(route, links);
  return owner?.by === 'kernel' ? undefined : owner;
}

function ownerOfDeviceNamed(name: Step['values'][string] | undefined, links: readonly Link[]): Owner | undefined {
  const link = links.find((one) => one.name === name);
  return link && ownerOfDevice(link, links);
}

/** The trip with each step's owner told. */
export function withOwners(trip: RoundTrip, snapshot: Snapshot): RoundTrip {
  const links = linksOf(snapshot);
  return {
    forward: owned(trip.forward, links),
    replies: trip.replies.map((reply) => ({ ...reply, trace: owned(reply.trace, links) })),
  };
}

type LinksOf = (place: Place) => readonly Link[];

function linksOf(snapshot: Snapshot): LinksOf {
  const known = new Map<string, readonly Link[]>();
  return (place) => {
    const key = placeKey(place);
    const former = known.get(key);
    if (former) return former;
    const observed = snapshot.fact('links', place);
    const links = observed.state === 'seen' ? observed.value : [];
    known.set(key, links);
    return links;
  };
}

function owned(trace: Trace, links: LinksOf): Trace {
  return { ...trace, segments: trace.segments.map((segment) => ownedSegment(segment, links)) };
}

function ownedSegment(segment: Segment, links: LinksOf): Segment {
  const hops = segment.hops.map((hop) => ({
    ...hop,
    steps: hop.steps.map((step) => ownedStep(step, links(hop.place))),
  }));
  // biome-ignore lint/suspicious/noThenProperty: a segment is never awaited; the trace's contract names it so.
  return { hops, then: 'end' in segment.then ? ownedLeaf(segment.then, links) : segment.then };
}

function ownedLeaf(leaf: LeafEnd, links: LinksOf): LeafEnd {
  return leaf.errorTrace ? { ...leaf, errorTrace: owned(leaf.errorTrace, links) } : leaf;
}

function ownedStep(step: Step, links: readonly Link[]): Step {
  const owner = ownerOfStep(step, links);
  return owner ? { ...step, owner: { by: owner.by, purpose: owner.purpose } } : step;
}
