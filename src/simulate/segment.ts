import { type Place, placeKey } from '../net/place.ts';
import type { Link } from '../parse/ip-link.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { activeSlave } from './bond.ts';
import type { Peer, Station } from './cables.ts';
import { type Frame, isGroup } from './frame.ts';
import { linkNamed } from './hook-input.ts';
import { isUp } from './link-state.ts';
import { macvlanReceivers, macvlanSiblings } from './macvlan.ts';
import { entering } from './neighbour-message.ts';
import { isUnderlay } from './receiving-device.ts';
import { intoBridge, sentByBridge } from './segment-bridge.ts';
import { throughDevice, withMessage } from './segment-rules.ts';
import {
  type Arrival,
  newSearch,
  notUp,
  type Onward,
  passes,
  type Reach,
  type ReachOptions,
  type Search,
  stopped,
} from './segment-search.ts';
import { topologyOf } from './topology.ts';
import { vxlanFarEnds } from './vxlan-ends.ts';

/** The frame is sent by `from`'s namespace out of `from`. */
export function reachFrom(snapshot: Snapshot, from: Station, frame: Frame, options: ReachOptions = {}): Reach {
  const search = newSearch(snapshot, ONWARD, options);
  send(search, from, frame);
  return search;
}

/** The frame comes in by a device of its namespace. */
export function reachInto(snapshot: Snapshot, into: Station, frame: Frame, options: ReachOptions = {}): Reach {
  const search = newSearch(snapshot, ONWARD, options);
  receive(search, into, frame);
  return search;
}

const ONWARD: Onward = { send, put: sendByKind, receive };

function send(search: Search, station: Station, frame: Frame): void {
  const { link } = station;
  const onward = (): void => sendByKind(search, station, frame);
  if (isUp(link) || link.kind === 'bridge') onward();
  else stopped(search, notUp(station), onward);
}

function sendByKind(search: Search, station: Station, frame: Frame): void {
  if (!passes(search, 'out', station, frame)) return;
  const send = SENDERS[station.link.kind ?? ''] ?? sentByOther;
  throughDevice(search, 'egress', station, () => send(search, station, frame));
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
  if (isUnderlay(link)) sendOutward(search, station, frame);
  else search.gaps.push({ because: `${link.name} is a device of kind ${link.kind ?? link.type}`, wants: [] });
}

function sendOutward(search: Search, station: Station, frame: Frame): void {
  search.outward.push({ ...station, frame, ...arrivalOf(search) });
}

function sentByIpvlan(search: Search, station: Station): void {
  search.gaps.push({ because: `${station.link.name} is an ipvlan`, behind: station, wants: [] });
}

function sentByBond(search: Search, station: Station, frame: Frame): void {
  const slave = activeSlave(search.snapshot, station.place, station.link);
  if (slave?.kind === 'veth') send(search, { place: station.place, link: slave }, frame);
  else sendOutward(search, station, frame);
}

function throughVeth(search: Search, station: Station, frame: Frame): void {
  const { place, link } = station;
  const peer = topologyOf(search.snapshot).peerOf(place, link);
  if (peer.state === 'missing') return;
  if (peer.state === 'unknown' && isContainersNic(station)) {
    sendOutward(search, station, frame);
    return;
  }
  if (peer.state === 'unknown') {
    const because = `where ${link.name} leads was not collected`;
    search.gaps.push({ because, behind: station, wants: [] });
    return;
  }
  const onward = (): void => arriveAt(search, place, peer, frame);
  if (isUp(peer.link)) onward();
  else stopped(search, notUp(peer), onward);
}

/** In another namespace a message is as new. */
function arriveAt(search: Search, from: Place, there: Station, frame: Frame): void {
  const { message } = search;
  const isElsewhere = message !== undefined && placeKey(from) !== placeKey(there.place);
  if (isElsewhere) withMessage(search, entering(message), () => receive(search, there, frame));
  else receive(search, there, frame);
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
  for (const sibling of siblings) arriveAt(search, station.place, sibling, frame);
  if (siblings.length === 0 || isGroup(frame.destination)) send(search, lower, frame);
}

function overVxlan(search: Search, station: Station, frame: Frame): void {
  const ends = vxlanFarEnds(search.snapshot, station, frame.destination);
  for (const gap of ends.gaps) search.gaps.push({ because: gap.because, wants: gap.wants });
  for (const end of ends.stations) if (end.link.mac !== frame.source) arriveAt(search, station.place, end, frame);
}

/** netif_receive_skb: VLAN devices first, then whoever has claimed the device, then the namespace's own stack. */
function receive(search: Search, station: Station, frame: Frame): void {
  if (!passes(search, 'in', station, frame)) return;
  throughDevice(search, 'ingress', station, () => received(search, station, frame));
}

function received(search: Search, station: Station, frame: Frame): void {
  const { snapshot } = search;
  const { place, link } = station;
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
  for (const upper of taken.stations) {
    arriveAt(search, place, upper, { ...frame, destination: taken.as ?? frame.destination });
  }
  if (taken.unsure) search.gaps.push({ because: taken.unsure, behind: station, wants: [] });
  if (taken.consumed || (frame.tag && frame.tag.id !== 0)) return;
  if (isMine(link, frame)) search.arrivals.push({ ...station, ...arrivalOf(search) });
}

function arrivalOf({ interruptions, message, doubt }: Search): Omit<Arrival, keyof Station> {
  return { interruptions, ...(message && { message }), ...(doubt !== undefined && { doubt }) };
}

function isVlanOf(link: Link, frame: Frame): boolean {
  return link.vlan?.id === frame.tag?.id && link.vlan?.protocol === frame.tag?.protocol;
}

function isMine(link: Link, { destination }: Frame): boolean {
  return link.mac === undefined || destination === link.mac || isGroup(destination);
}
