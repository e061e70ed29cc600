import type { Request } from '../host/host.ts';
import { type Place, placeKey } from '../net/place.ts';
import type { Link } from '../parse/ip-link.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { activeSlave } from './bond.ts';
import { admitted, backedUp, floods, lookupFdb, mayLeave, portsOf } from './bridge-fabric.ts';
import type { BridgeProxy, Question } from './bridge-proxy.ts';
import { proxyAnswer } from './bridge-proxy.ts';
import type { VlanEntry } from './bridge-vlans.ts';
import { vlanOnEntry, vlanOnExit } from './bridge-vlans.ts';
import type { Peer, Station } from './cables.ts';
import { type Frame, isGroup } from './frame.ts';
import { linkNamed } from './hook-input.ts';
import { isUp } from './link-state.ts';
import { macvlanReceivers, macvlanSiblings } from './macvlan.ts';
import { isUnderlay } from './receiving-device.ts';
import { topologyOf } from './topology.ts';
import { vxlanFarEnds } from './vxlan-ends.ts';

/** Whom one frame reaches on its segment, through veths, bridges, stacked devices and VXLAN. No rule set is asked. */
export interface Reach {
  /** Devices whose namespace takes the frame for itself. */
  readonly arrivals: readonly Arrival[];
  /** NICs by which it leaves what was collected. */
  readonly outward: readonly Departure[];
  /** Where it goes out of sight. */
  readonly gaps: readonly SegmentGap[];
  /** Bridges that answered the question themselves. */
  readonly proxies: readonly BridgeProxy[];
  /** What the bridges on the way learnt of the sender. */
  readonly learnt: Learnt;
}

/** With the frame as it leaves. */
export interface Departure extends Station {
  readonly frame: Frame;
}

export interface Arrival extends Station {
  /** What would have stopped the frame on its way, in order; empty unless it was forced through. */
  readonly interruptions: readonly Interruption[];
}

/** A device or bridge that does not pass a frame on. */
export interface Interruption extends Station {
  readonly what: 'link' | 'bridge';
  readonly reason: string;
  readonly text: string;
  /** The bridge's name, where it is one. */
  readonly bridge?: string;
}

export interface SegmentGap {
  readonly because: string;
  /** The device whose far end was not seen. */
  readonly behind?: Station;
  readonly wants: readonly Request[];
}

/** Port by bridge, VLAN and MAC. */
export type Learnt = ReadonlyMap<string, string>;

export function learntKey(place: Place, bridge: string, vlan: number, mac: string): string {
  return `${placeKey(place)} ${bridge} ${vlan} ${mac}`;
}

export interface ReachOptions {
  /** What bridges have learnt before. */
  readonly learnt?: Learnt;
  /** The frame asks for this address: a bridge may answer in its holder's place. */
  readonly question?: Question;
  /** Goes on where something stops the frame, and says what: to find out why an answer does not come. */
  readonly forced?: boolean;
}

const DEVICES_MAX = 4096;

/** The frame is sent by `from`'s namespace out of `from`. */
export function reachFrom(snapshot: Snapshot, from: Station, frame: Frame, options: ReachOptions = {}): Reach {
  const search = newSearch(snapshot, options);
  send(search, from, frame);
  return search;
}

/** The frame comes in by a device of its namespace. */
export function reachInto(snapshot: Snapshot, into: Station, frame: Frame, options: ReachOptions = {}): Reach {
  const search = newSearch(snapshot, options);
  receive(search, into, frame);
  return search;
}

interface Search extends Reach {
  readonly snapshot: Snapshot;
  readonly question: Question | undefined;
  readonly forced: boolean;
  /** Those of the way that is being followed. */
  interruptions: readonly Interruption[];
  readonly arrivals: Arrival[];
  readonly outward: Departure[];
  readonly gaps: SegmentGap[];
  readonly proxies: BridgeProxy[];
  readonly learnt: Map<string, string>;
  readonly passed: Set<string>;
}

function newSearch(snapshot: Snapshot, { learnt, question, forced }: ReachOptions): Search {
  return {
    snapshot,
    question,
    forced: forced ?? false,
    interruptions: [],
    arrivals: [],
    outward: [],
    gaps: [],
    proxies: [],
    learnt: new Map(learnt),
    passed: new Set(),
  };
}

/** False where the frame has been through here: a loop, or the budget's end. */
function passes(search: Search, way: 'in' | 'out', { place, link }: Station, frame: Frame): boolean {
  const key = `${way} ${placeKey(place)} ${link.name} ${frame.tag?.id ?? 0}`;
  if (search.passed.has(key) || search.passed.size > DEVICES_MAX) return false;
  search.passed.add(key);
  return true;
}

/** Something stops the frame: an end, unless it is forced through. */
function stopped(search: Search, interruption: Interruption, onward: () => void): void {
  if (!search.forced) return;
  const former = search.interruptions;
  search.interruptions = [...former, interruption];
  onward();
  search.interruptions = former;
}

function notUp(station: Station): Interruption {
  const reason = station.link.flags.includes('UP') ? 'no-carrier' : 'down';
  const text = reason === 'down' ? `${station.link.name} is down` : `${station.link.name} has no carrier`;
  return { ...station, what: 'link', reason, text };
}

function send(search: Search, station: Station, frame: Frame): void {
  const { link } = station;
  const onward = (): void => sendByKind(search, station, frame);
  if (isUp(link) || link.kind === 'bridge') onward();
  else stopped(search, notUp(station), onward);
}

function sendByKind(search: Search, station: Station, frame: Frame): void {
  if (!passes(search, 'out', station, frame)) return;
  const send = SENDERS[station.link.kind ?? ''] ?? sentByOther;
  send(search, station, frame);
}

type Sender = (search: Search, station: Station, frame: Frame) => void;

const SENDERS: Readonly<Record<string, Sender>> = {
  veth: throughVeth,
  bridge: sentByBridge,
  vlan: tagged,
  macvlan: sentByMacvlan,
  macvtap: sentByMacvlan,
  ipvlan: sentByIpvlan,
  ipvtap: sentByIpvlan,
  bond: sentByBond,
  team: sentByBond,
  vxlan: overVxlan,
};

function sentByOther(search: Search, station: Station, frame: Frame): void {
  const { link } = station;
  if (isUnderlay(link)) search.outward.push({ ...station, frame });
  else search.gaps.push({ because: `${link.name} is a device of kind ${link.kind ?? link.type}`, wants: [] });
}

function sentByIpvlan(search: Search, station: Station): void {
  search.gaps.push({ because: `${station.link.name} is an ipvlan`, behind: station, wants: [] });
}

function sentByBond(search: Search, station: Station, frame: Frame): void {
  const slave = activeSlave(search.snapshot, station.place, station.link);
  if (slave?.kind === 'veth') send(search, { place: station.place, link: slave }, frame);
  else search.outward.push({ ...station, frame });
}

function throughVeth(search: Search, station: Station, frame: Frame): void {
  const { place, link } = station;
  const peer = topologyOf(search.snapshot).peerOf(place, link);
  if (peer.state === 'missing') return;
  if (peer.state === 'unknown' && isContainersNic(station)) {
    search.outward.push({ ...station, frame });
    return;
  }
  if (peer.state === 'unknown') {
    const because = `where ${link.name} leads was not collected`;
    search.gaps.push({ because, behind: station, wants: [] });
    return;
  }
  if (isUp(peer.link)) {
    receive(search, peer, frame);
    return;
  }
  stopped(search, notUp(peer), () => receive(search, peer, frame));
}

/** A host that is itself a container has its NIC as a veth; a pod's has no address of global scope. */
function isContainersNic({ place, link }: Station): boolean {
  return (
    place.namespace === 'host' && link.master === undefined && link.addresses.some((one) => one.scope === 'global')
  );
}

function tagged(search: Search, station: Station, frame: Frame): void {
  const { vlan } = station.link;
  const lower = topologyOf(search.snapshot).cablesOf(station.place.node).lowerOf(station.place, station.link);
  if (!vlan || lower.state !== 'found' || frame.tag) {
    lost(search, station, lower);
    return;
  }
  send(search, lower, { ...frame, tag: { id: vlan.id, protocol: vlan.protocol } });
}

function lost(search: Search, station: Station, lower: Peer): void {
  if (lower.state === 'missing') return;
  search.gaps.push({ because: `what ${station.link.name} stands on is not known`, behind: station, wants: [] });
}

function sentByMacvlan(search: Search, station: Station, frame: Frame): void {
  const lower = topologyOf(search.snapshot).cablesOf(station.place.node).lowerOf(station.place, station.link);
  if (lower.state !== 'found') {
    lost(search, station, lower);
    return;
  }
  const siblings = macvlanSiblings(search.snapshot, station, lower, frame.destination);
  for (const sibling of siblings) receive(search, sibling, frame);
  if (siblings.length === 0 || isGroup(frame.destination)) send(search, lower, frame);
}

function overVxlan(search: Search, station: Station, frame: Frame): void {
  const ends = vxlanFarEnds(search.snapshot, station, frame.destination);
  for (const gap of ends.gaps) search.gaps.push({ because: gap.because, wants: gap.wants });
  for (const end of ends.stations) if (end.link.mac !== frame.source) receive(search, end, frame);
}

/** netif_receive_skb: VLAN devices first, then whoever has claimed the device, then the namespace's own stack. */
function receive(search: Search, station: Station, frame: Frame): void {
  const { snapshot } = search;
  const { place, link } = station;
  if (!passes(search, 'in', station, frame)) return;
  const uppers = topologyOf(snapshot).cablesOf(place.node).uppersOf(place, link);
  const vlan = frame.tag && uppers.find(({ link: one }) => isVlanOf(one, frame));
  if (vlan) {
    const { tag: _tag, ...bare } = frame;
    if (vlan.link.flags.includes('UP')) receive(search, vlan, bare);
    return;
  }
  const master = linkNamed(snapshot, place, link.master);
  if (master?.kind === 'bridge') {
    intoBridge(search, { place, link: master }, link, frame);
    return;
  }
  if (master?.kind === 'bond' || master?.kind === 'team') {
    receive(search, { place, link: master }, frame);
    return;
  }
  const taken = macvlanReceivers(uppers, frame);
  for (const upper of taken.stations) receive(search, upper, { ...frame, destination: taken.as ?? frame.destination });
  if (taken.unsure) search.gaps.push({ because: taken.unsure, behind: station, wants: [] });
  if (taken.consumed || (frame.tag && frame.tag.id !== 0)) return;
  if (isMine(link, frame)) search.arrivals.push({ ...station, interruptions: search.interruptions });
}

function isVlanOf(link: Link, frame: Frame): boolean {
  return link.vlan?.id === frame.tag?.id && link.vlan?.protocol === frame.tag?.protocol;
}

function isMine(link: Link, { destination }: Frame): boolean {
  return link.mac === undefined || destination === link.mac || isGroup(destination);
}

function sentByBridge(search: Search, station: Station, frame: Frame): void {
  const { place, link: master } = station;
  if (!master.flags.includes('UP') && !search.forced) return;
  const entry = vlanOnEntry(search.snapshot, place, master, master.name, frame);
  if (entry.state === 'in') {
    switched(search, station, undefined, frame, entry);
    return;
  }
  if (entry.state === 'unknown') search.gaps.push({ because: entry.because, wants: entry.wants });
}

function intoBridge(search: Search, bridge: Station, port: Link, frame: Frame): void {
  const { place, link: master } = bridge;
  const onward = (): void => {
    const entry = admitted(search.snapshot, place, master, port, frame);
    if (entry.state === 'in') {
      learnAndSwitch(search, bridge, port, frame, entry);
      return;
    }
    if (entry.state === 'unknown') {
      search.gaps.push({ because: entry.because, wants: entry.wants });
      return;
    }
    stopped(search, atBridge(bridge, port, entry), () =>
      switched(search, bridge, port, frame, { state: 'in', vlan: 0 }),
    );
  };
  if (master.flags.includes('UP')) {
    onward();
    return;
  }
  stopped(search, notUp(bridge), onward);
}

function atBridge(bridge: Station, port: Link, { reason, text }: { reason: string; text: string }): Interruption {
  if (reason === 'down') return notUp({ ...bridge, link: port });
  return { place: bridge.place, link: port, what: 'bridge', reason, text, bridge: bridge.link.name };
}

function learnAndSwitch(search: Search, bridge: Station, port: Link, frame: Frame, entry: InVlan): void {
  const { place, link: master } = bridge;
  if (frame.source !== undefined && port.bridgePort?.learning !== false) {
    search.learnt.set(learntKey(place, master.name, entry.vlan, frame.source), port.name);
  }
  switched(search, bridge, port, frame, entry);
}

type InVlan = Extract<VlanEntry, { state: 'in' }>;

function switched(search: Search, bridge: Station, from: Link | undefined, frame: Frame, entry: InVlan): void {
  const { snapshot } = search;
  const { place, link: master } = bridge;
  const proxy = search.question && proxyAnswer(snapshot, bridge, from, search.question, entry.vlan);
  if (proxy?.mac !== undefined) search.proxies.push({ mac: proxy.mac, station: bridge });
  if (from && isGroup(frame.destination)) handUp(search, bridge, from, frame, entry);
  const ports = isGroup(frame.destination) ? undefined : knownPort(search, bridge, from, frame, entry);
  if (ports === 'up') return;
  for (const target of ports ?? portsOf(snapshot, place, master)) {
    const isSilenced = proxy?.suppressed === true && target.bridgePort?.neighbourSuppression === true;
    const isSent = ports !== undefined || (!isSilenced && floods(target, frame.destination, from === undefined));
    const onward = (): void => outOf(search, bridge, target, from, frame, entry);
    if (isSent) onward();
    else stopped(search, atBridge(bridge, target, notFlooded(target)), onward);
  }
}

function notFlooded(port: Link): { readonly reason: string; readonly text: string } {
  return { reason: 'flood-off', text: `${port.name} gets no flooded frames of this kind` };
}

function outOf(search: Search, bridge: Station, to: Link, from: Link | undefined, frame: Frame, entry: InVlan): void {
  const { snapshot } = search;
  const { place, link: master } = bridge;
  const port = backedUp(snapshot, place, to);
  const exit = mayLeave(snapshot, place, master, port, from, entry);
  if (exit.state === 'in') {
    send(search, { place, link: port }, withoutTag(frame, exit));
    return;
  }
  if (exit.state === 'unknown') {
    search.gaps.push({ because: exit.because, wants: exit.wants });
    return;
  }
  // Back where it came from it would not go in any case.
  if (exit.reason === 'hairpin-off') return;
  stopped(search, atBridge(bridge, port, exit), () => sendByKind(search, { place, link: port }, frame));
}

/** Undefined: flooded. */
function knownPort(
  search: Search,
  bridge: Station,
  from: Link | undefined,
  frame: Frame,
  entry: InVlan,
): readonly Link[] | 'up' | undefined {
  const { snapshot, learnt } = search;
  const { place, link: master } = bridge;
  const found = lookupFdb(snapshot, place, master, frame.destination, entry.vlan);
  if (found.to === 'up') {
    if (from) handUp(search, bridge, from, frame, entry);
    return 'up';
  }
  const known = learnt.get(learntKey(place, master.name, entry.vlan, frame.destination));
  const name = known ?? (found.to === 'port' ? found.port : undefined);
  const port = linkNamed(snapshot, place, name);
  return name === undefined ? undefined : port ? [port] : [];
}

/** To the bridge's own device; the MAC of another port is local, and yet none that the host takes (br_pass_frame_up). */
function handUp(search: Search, bridge: Station, from: Link, frame: Frame, entry: InVlan): void {
  const { place, link: master } = bridge;
  const exit = vlanOnExit(search.snapshot, place, master, master.name, entry);
  if (exit.state === 'unknown') {
    search.gaps.push({ because: exit.because, wants: exit.wants });
    return;
  }
  if (exit.state === 'refused') return;
  const up = withoutTag(frame, exit);
  receive(search, bridge, up.destination === from.mac && master.mac ? { ...up, destination: master.mac } : up);
}

function withoutTag({ tag: _tag, ...bare }: Frame, { tag }: InVlan): Frame {
  return { ...bare, ...(tag && { tag }) };
}
