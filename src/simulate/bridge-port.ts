import type { Request } from '../host/host.ts';
import { placeKey } from '../net/place.ts';
import type { Link } from '../parse/ip-link.ts';
import { isComplete, type Snapshot } from '../snapshot/snapshot.ts';
import { floods, lookupFdb, mayLeave, portsOf, type Refusal } from './bridge-fabric.ts';
import { learntPort } from './bridge-learning.ts';
import type { VlanEntry } from './bridge-vlans.ts';
import type { Station } from './cables.ts';
import type { Cursor, Walk } from './cursor.ts';
import { wantsAt } from './enter-namespace.ts';
import { type Frame, frameOf } from './frame.ts';
import { linkNamed } from './hook-input.ts';
import { reachFrom } from './segment.ts';
import type { SegmentGap } from './segment-search.ts';
import { topologyOf } from './topology.ts';

export type InVlan = Extract<VlanEntry, { state: 'in' }>;

export type PortChoice =
  | { readonly state: 'up'; readonly text?: string }
  | {
      readonly state: 'port';
      readonly port: string;
      readonly by: 'fdb' | 'learnt' | 'flood';
      readonly text?: string;
    }
  /** The flooded frame does not go where its MAC is. */
  | {
      readonly state: 'refused';
      readonly port: string;
      readonly reason: Refusal['reason'] | 'flood-off';
      readonly text: string;
    }
  | { readonly state: 'nobody' }
  | { readonly state: 'unknown'; readonly because: string; readonly wants: readonly Request[] };

/**
 * Where a bridge sends a frame for `mac`: where it has just learnt the MAC, else where the forwarding table says, else it
 * is flooded, and of the ports the one counts behind which the MAC is (br_handle_frame_finish, br_dev_xmit).
 */
export function bridgePortFor(
  walk: Walk,
  cursor: Cursor,
  master: Link,
  mac: string,
  from: Link | undefined,
  entry: InVlan,
): PortChoice {
  const { snapshot } = walk.world;
  const found = lookupFdb(snapshot, cursor.place, master, mac, entry.vlan);
  if (found.to === 'up') {
    const { text, port } = found;
    // What the host itself sends to a port's local MAC goes out by that port (br_dev_xmit).
    if (!from && port !== undefined) return { state: 'port', port, by: 'fdb', ...(text !== undefined && { text }) };
    return { state: 'up', ...(text !== undefined && { text }) };
  }
  const isSticky = found.to === 'port' && found.isSticky === true;
  const asked = isSticky ? undefined : justAsked(walk, cursor, master, from, entry);
  const known = learntPort(walk, cursor, master, mac, entry.vlan) ?? asked;
  if (known) return { state: 'port', port: known.name, by: 'learnt' };
  if (found.to === 'port') return { state: 'port', port: found.port, by: 'fdb', text: found.text };
  return flooded(walk, cursor, master, from, entry);
}

/** The sender has asked for the MAC before this packet: its holder's answer came through here. */
function justAsked(walk: Walk, cursor: Cursor, master: Link, from: Link | undefined, entry: InVlan): Link | undefined {
  if (!cursor.packet.macs?.asked) return undefined;
  const { snapshot } = walk.world;
  return portsOf(snapshot, cursor.place, master).find((port) => {
    const exit = mayLeave(snapshot, cursor.place, master, port, from, entry);
    return port.bridgePort?.learning !== false && lookBehind(snapshot, cursor, port, leaving(exit, entry)).isThere;
  });
}

/** As the frame leaves by a port; one that may not is sought without a tag. */
function leaving(exit: ReturnType<typeof mayLeave>, entry: InVlan): InVlan {
  return exit.state === 'in' ? exit : { state: 'in', vlan: entry.vlan };
}

function flooded(walk: Walk, cursor: Cursor, master: Link, from: Link | undefined, entry: InVlan): PortChoice {
  const { snapshot } = walk.world;
  const { place, packet } = cursor;
  const destination = packet.macs?.destination ?? '';
  const seen = portsOf(snapshot, place, master).map((port) => {
    const exit = mayLeave(snapshot, place, master, port, from, entry);
    const behind = lookBehind(snapshot, cursor, port, leaving(exit, entry));
    return { port, behind, exit, isFlooded: floods(port, destination, from === undefined) };
  });
  const there = seen.filter(({ behind }) => behind.isThere);
  const right = there.find(({ exit, isFlooded }) => exit.state === 'in' && isFlooded) ?? there[0];
  if (right) return throughFlood(right);
  const open = seen.filter(({ exit, isFlooded }) => exit.state !== 'refused' && isFlooded);
  const outward = open.find(({ behind }) => behind.isOutward);
  if (outward) return { state: 'port', port: outward.port.name, by: 'flood' };
  const gaps = open.flatMap(({ behind }) => behind.gaps);
  const wants = [...wantsOfTarget(walk, cursor), ...unseenEnds(walk, cursor, gaps)];
  const isSure = isComplete(snapshot.fact('links', place)) && gaps.length === 0;
  if (isSure && wants.length === 0) return { state: 'nobody' };
  return { state: 'unknown', because: `which port of ${master.name} leads to ${destination} was not collected`, wants };
}

function throughFlood(right: {
  readonly port: Link;
  readonly exit: ReturnType<typeof mayLeave>;
  readonly isFlooded: boolean;
}): PortChoice {
  const { port, exit, isFlooded } = right;
  if (exit.state === 'unknown') return exit;
  if (exit.state === 'refused') return { state: 'refused', port: port.name, reason: exit.reason, text: exit.text };
  if (isFlooded) return { state: 'port', port: port.name, by: 'flood' };
  const text = `the MAC is behind ${port.name}, which no unknown MAC is flooded to`;
  return { state: 'refused', port: port.name, reason: 'flood-off', text };
}

interface Behind {
  readonly isThere: boolean;
  readonly isOutward: boolean;
  readonly gaps: readonly SegmentGap[];
}

const searches = new WeakMap<Snapshot, Map<string, Behind>>();

/** Whether the frame, sent out of this port, would reach who has its MAC. */
function lookBehind(snapshot: Snapshot, cursor: Cursor, port: Link, entry: InVlan): Behind {
  const frame = frameOf(cursor.packet);
  if (!frame) return { isThere: false, isOutward: false, gaps: [] };
  const bare: Frame = {
    destination: frame.destination,
    source: frame.source ?? '',
    ...(entry.tag && { tag: entry.tag }),
  };
  const known = searches.get(snapshot) ?? new Map<string, Behind>();
  searches.set(snapshot, known);
  const key = `${placeKey(cursor.place)} ${port.name} ${bare.destination} ${bare.source} ${entry.vlan}`;
  const behind = known.get(key) ?? search(snapshot, { place: cursor.place, link: port }, bare);
  known.set(key, behind);
  return behind;
}

function search(snapshot: Snapshot, station: Station, frame: Frame): Behind {
  // Its own state is another question: what would be behind it if it were up.
  const link = { ...station.link, flags: ['UP', 'LOWER_UP'], operstate: 'UP' };
  const { arrivals, outward, gaps } = reachFrom(snapshot, { ...station, link }, frame);
  return { isThere: arrivals.length > 0, isOutward: outward.length > 0, gaps };
}

function wantsOfTarget(walk: Walk, cursor: Cursor): readonly Request[] {
  const { snapshot } = walk.world;
  const pod = topologyOf(snapshot).podAt(cursor.packet.ip.destination);
  return pod && pod.node === cursor.place.node ? wantsAt(snapshot, pod, cursor) : [];
}

/** Namespaces that may be behind a port whose far end was not seen: their devices tell. */
const PODS_ASKED_MAX = 32;

function unseenEnds(walk: Walk, cursor: Cursor, gaps: readonly SegmentGap[]): readonly Request[] {
  if (gaps.length === 0) return [];
  const { snapshot } = walk.world;
  const pods = topologyOf(snapshot).podsOfNode(cursor.place.node);
  const wants = pods.flatMap((pod) => {
    const links = snapshot.fact('links', pod);
    return links.state === 'unseen' && links.gap === 'not-asked' ? [links.want] : [];
  });
  return [...wants.slice(0, PODS_ASKED_MAX), ...gaps.flatMap((gap) => gap.wants)];
}

/** The devices list must know the port as one of this bridge's. */
export function portOf(snapshot: Snapshot, cursor: Cursor, master: Link, name: string): Link | undefined {
  const port = linkNamed(snapshot, cursor.place, name);
  return port?.master === master.name ? port : undefined;
}
