import { type Address, familyOf } from '../net/address.ts';
import type { L4, Packet, TunnelHeader } from '../net/packet.ts';
import type { Place } from '../net/place.ts';
import type { Link } from '../parse/ip-link.ts';
import { type Cursor, go, type Move, prefixed, stop, unknownEnd, type Walk } from './cursor.ts';
import { fragmentsOf, largestBytes } from './fragments.ts';
import { linkNamed } from './hook-input.ts';
import { linkDown } from './link-state.ts';
import { type OutputKey, routeOutput } from './output-route.ts';
import { topologyOf } from './topology.ts';
import { release, untouched } from './tracking.ts';
import { type TunnelTelling, tunnelStep } from './tunnel-step.ts';

/** The packet that a tunnel device sends around another. */
export interface OuterPlan {
  readonly local?: Address | undefined;
  readonly remote: Address;
  readonly l4: L4;
  readonly header: TunnelHeader;
  readonly ttl: number;
  readonly tos: number;
  readonly df: boolean;
  readonly overheadBytes: number;
  /** The device that it must leave by. */
  readonly device?: string | undefined;
  /** The mark that it is routed by; that of the packet where it is left out. */
  readonly routeMark?: number | undefined;
  /** The mark that it bears; that of the inner packet where it is left out. */
  readonly mark?: number | undefined;
  readonly telling: Omit<TunnelTelling, 'act'>;
}

export const OUTER_HOPS = 64;

/** Tunnels within tunnels; more of them are one that goes round in itself (RECURSION_LIMIT, XMIT_RECURSION_LIMIT). */
const DEPTH_MAX = 4;

/** The outer packet is sent like any other of the host's own: it is routed, and meets the output hooks. */
export function sentOuter(walk: Walk, cursor: Cursor, link: Link, plan: OuterPlan): Move {
  const place = underlayPlace(walk, cursor, link);
  if (!place) return stop(unknownEnd(cursor, `in which namespace ${link.name} sends its packets is not known`));
  if (depthOf(cursor.packet) >= DEPTH_MAX || leadsBack(walk, cursor, link, place, plan)) {
    return dropped(walk, cursor, link, {
      ...plan.telling,
      reason: 'circular',
      text: `the way to the remote end of ${link.name} leads through ${link.name} itself: dropped`,
    });
  }
  const step = tunnelStep(walk, cursor, link, { ...plan.telling, act: 'encapsulate' });
  const { device, routeMark } = plan;
  // Without the device that it must leave by there is no route; that it is down is what to tell.
  const below = linkNamed(walk.world.snapshot, place, device);
  if (below && !below.flags.includes('UP')) return prefixed([step], linkDown(walk.world.snapshot, cursor, below));
  const isHere = place === cursor.place;
  const isOrphan = !isHere || !cursor.path.local || cursor.path.isOrphan === true;
  const mark = plan.mark ?? (isHere ? cursor.meta.mark : 0);
  return go(
    {
      ...cursor,
      place,
      packet: outerPacket(cursor.packet, plan),
      meta: untouched(mark),
      tracking: release(cursor.tracking),
      path: { local: true, ...(isHere && { sentBy: link.name }), ...(isOrphan && { isOrphan }) },
      stage: {
        name: 'output',
        kernel: true,
        ...(device !== undefined && { device }),
        ...(routeMark !== undefined && { routeMark }),
      },
    },
    [step],
  );
}

export function dropped(walk: Walk, cursor: Cursor, link: Link, telling: Omit<TunnelTelling, 'act'>): Move {
  const step = tunnelStep(walk, cursor, link, { ...telling, act: 'drop' });
  return stop({ end: 'tunnel-dropped', cursor, senderSees: 'nothing' }, [step]);
}

/** Each fragment of the inner packet is wrapped by itself, and so is each of those that it stands for. */
function seriesOf(inner: Packet, overheadBytes: number): Packet['series'] {
  const fragments = fragmentsOf(inner);
  const times = inner.series?.count ?? 1;
  const last = fragments ?? inner.series;
  return last && { count: times * (fragments?.count ?? 1), lastBytes: last.lastBytes + overheadBytes };
}

function outerPacket(inner: Packet, plan: OuterPlan): Packet {
  const unspecified = familyOf(plan.remote) === 4 ? '0.0.0.0' : '::';
  const { overheadBytes } = plan;
  const series = seriesOf(inner, overheadBytes);
  return {
    ip: {
      source: plan.local ?? unspecified,
      destination: plan.remote,
      ttl: plan.ttl,
      tos: plan.tos,
      df: plan.df,
    },
    l4: plan.l4,
    lengthBytes: largestBytes(inner) + overheadBytes,
    ...(series && { series }),
    inner,
    tunnel: plan.header,
  };
}

function depthOf(packet: Packet): number {
  return packet.inner ? 1 + depthOf(packet.inner) : 0;
}

/** A tunnel device stays tied to the namespace that it was made in, wherever it is moved. */
function underlayPlace(walk: Walk, cursor: Cursor, link: Link): Place | undefined {
  if (link.peerNamespaceId === undefined) return cursor.place;
  const lower = topologyOf(walk.world.snapshot).cablesOf(cursor.place.node).lowerOf(cursor.place, link);
  return lower.state === 'found' ? lower.place : undefined;
}

function outerKey(cursor: Cursor, plan: OuterPlan): OutputKey {
  return {
    destination: plan.remote,
    ...(plan.local !== undefined && { source: plan.local }),
    tos: plan.tos,
    mark: plan.routeMark ?? plan.mark ?? cursor.meta.mark,
    l4: plan.l4,
    user: 0,
    ...(plan.device !== undefined && { output: plan.device }),
  };
}

/** The kernel looks where the outer packet would leave, and drops it if that is the tunnel itself. */
function leadsBack(walk: Walk, cursor: Cursor, link: Link, place: Place, plan: OuterPlan): boolean {
  const lookup = routeOutput(walk.world.snapshot, place, outerKey(cursor, plan));
  if (lookup.state !== 'found' || place !== cursor.place) return false;
  return lookup.ways.length > 0 && lookup.ways.every((way) => way.device === link.name && way.doubt === undefined);
}

/** The MTU of the way that the outer packet takes; undefined where it is not sure. */
export function underlayMtu(walk: Walk, cursor: Cursor, link: Link, plan: OuterPlan): number | undefined {
  const { snapshot } = walk.world;
  const place = underlayPlace(walk, cursor, link);
  if (!place) return undefined;
  const lookup = routeOutput(snapshot, place, outerKey(cursor, plan));
  if (lookup.state !== 'found') return undefined;
  const mtus = new Set(lookup.ways.map((way) => way.found.route?.mtu ?? linkNamed(snapshot, place, way.device)?.mtu));
  return mtus.size === 1 ? [...mtus][0] : undefined;
}

/** The outer TOS: the device's own or the inner packet's, with the inner ECN bits (INET_ECN_encapsulate, RFC 3168 §9.1). */
export function outerTos(configured: number | undefined, inner: Packet): number {
  const base = configured === undefined ? 0 : (configured & 1) === 1 ? inner.ip.tos : configured;
  const ecn = inner.ip.tos & 3;
  return (base & ~3) | (ecn === 3 ? 2 : ecn);
}
