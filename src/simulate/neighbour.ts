import type { Request } from '../host/host.ts';
import type { Address } from '../net/address.ts';
import { familyOf } from '../net/address.ts';
import { hostOf, type Place, placeKey } from '../net/place.ts';
import { isComplete, type Snapshot } from '../snapshot/snapshot.ts';
import type { Question } from './bridge-proxy.ts';
import type { Station } from './cables.ts';
import type { Walk } from './cursor.ts';
import { BROADCAST, type Frame } from './frame.ts';
import { answerOf } from './neighbour-answer.ts';
import { entryFor, isFixed } from './neighbour-entry.ts';
import type { Hearer } from './neighbour-learning.ts';
import { perPlace } from './per-place.ts';
import { isUnderlay, receivingDevice } from './receiving-device.ts';
import { reachFrom, reachInto } from './segment.ts';
import type { Departure, Interruption, Reach } from './segment-search.ts';
import { type StackedHolder, stackedHolder } from './stacked-holder.ts';
import { topologyOf } from './topology.ts';

/** Who would answer an ARP request or neighbour solicitation for an address on a device's segment. */
export type SegmentOwner =
  | {
      readonly state: 'owner';
      readonly mac?: string;
      readonly place: Place;
      readonly proxy?: boolean;
      /** The device on which it was asked; absent where that is not known. */
      readonly device?: string;
    }
  /** Everybody on the segment was seen, and nobody answers for it; `because`: its holder does not. */
  | {
      readonly state: 'nobody';
      readonly because?: string;
      /** Who would answer has got the question. */
      readonly heardBy?: Hearer;
      /** What keeps the question, or the answer, from getting through. */
      readonly interruption?: Interruption;
    }
  /** Hosts outside the cluster, or namespaces that were not collected. */
  | {
      readonly state: 'unknown';
      readonly wants: readonly Place[];
      readonly asks?: readonly Request[];
      readonly because?: string;
    };

const UNKNOWN: SegmentOwner = { state: 'unknown', wants: [] };

interface KnownOwner {
  readonly device: string;
  readonly asker: Address | undefined;
  readonly owner: SegmentOwner;
}

/** By the address asked for: few ask for one, and to compare them costs less than to name them. */
const ownersAt = perPlace(() => new Map<Address, KnownOwner[]>());

/** The question goes to everybody on the segment; the answer must find its way back to who asked. */
export function segmentOwner(walk: Walk, asker: Station, question: Question): SegmentOwner {
  if (question.mute !== undefined) return { state: 'nobody', because: question.mute };
  const { address, asker: own } = question;
  const device = asker.link.name;
  const owners = ownersAt(walk.world.snapshot, asker.place);
  const alike = owners.get(address) ?? [];
  owners.set(address, alike);
  const former = alike.find((one) => one.device === device && one.asker === own);
  if (former) return former.owner;
  const owner = findOwner(walk, asker, question);
  alike.push({ device, asker: own, owner });
  return owner;
}

/** 33:33:ff: and the last three bytes (RFC 2464 §7); the group of a solicitation. */
function groupOf(address: Address): string {
  const last = familyOf(address) === 4 ? '' : lastBytes(address);
  return last === '' ? BROADCAST : `33:33:ff:${last}`;
}

function lastBytes(address: Address): string {
  const groups = address.split(':');
  const [high, low] = [groups.at(-2) || '0', groups.at(-1) || '0'];
  return [high.padStart(4, '0').slice(2), low.padStart(4, '0').slice(0, 2), low.padStart(4, '0').slice(2)].join(':');
}

function findOwner(walk: Walk, asker: Station, question: Question): SegmentOwner {
  const { snapshot } = walk.world;
  const reach = reachFrom(snapshot, asker, questionFrame(asker, question), { question });
  const [proxy] = reach.proxies;
  if (proxy) return { state: 'owner', mac: proxy.mac, place: proxy.station.place, proxy: true };
  const answers = reach.arrivals
    .filter((station) => !isSame(station, asker))
    .map((station) => ({ station, answer: answerOf(walk, station, question) }));
  const yes = answers.filter(({ answer }) => answer.answers === 'yes');
  const heard = yes.filter(({ station }) => reaches(snapshot, station, asker, question, reach) !== 'no');
  const perhaps = answers.find(({ answer }) => answer.answers === 'unknown');
  if (heard.length > 0) return ownerOf(heard[0]!.station, heard[0]!.answer.proxy === true);
  if (perhaps) return unsure(perhaps.station, perhaps.answer.because);
  const pod = unseenPodAt(snapshot, asker.place, question.address);
  if (pod) return { state: 'unknown', wants: [pod] };
  if (reach.outward[0]) return overUnderlay(walk, asker, question, reach.outward[0]);
  const gap = openGap(walk, asker, question, reach);
  if (gap) return gap;
  const silent = answers.find(({ answer }) => answer.because !== undefined)?.answer.because;
  const unheard = yes[0] && `the answer of ${yes[0].station.place.namespace} finds no way back`;
  const because = unheard ?? silent;
  const interruption = yes[0] ? backwards(snapshot, yes[0].station, asker, reach) : forwards(walk, asker, question);
  const hearer = yes[0] ?? answers.find(({ answer }) => answer.hears);
  return {
    state: 'nobody',
    ...(because !== undefined && { because }),
    ...(interruption && { interruption }),
    ...(hearer && { heardBy: { place: hearer.station.place, device: hearer.station.link.name } }),
  };
}

/** Somebody would answer if the question got to him. */
function forwards(walk: Walk, asker: Station, question: Question): Interruption | undefined {
  const { snapshot } = walk.world;
  const forced = reachFrom(snapshot, asker, questionFrame(asker, question), { question, forced: true });
  const silenced = forced.arrivals.find((station) => {
    if (station.interruptions.length === 0 || isSame(station, asker)) return false;
    return answerOf(walk, station, question).answers === 'yes';
  });
  return silenced?.interruptions[0];
}

function backwards(snapshot: Snapshot, from: Station, to: Station, { learnt }: Reach): Interruption | undefined {
  if (to.link.mac === undefined) return undefined;
  const frame = { destination: to.link.mac, ...(from.link.mac !== undefined && { source: from.link.mac }) };
  const forced = reachFrom(snapshot, from, frame, { learnt, forced: true });
  return forced.arrivals.find((station) => isSame(station, to))?.interruptions[0];
}

function questionFrame(asker: Station, { address }: Question): Frame {
  const source = asker.link.mac;
  return { destination: groupOf(address), ...(source !== undefined && { source }) };
}

function isSame(a: Station, b: Station): boolean {
  return a.link.name === b.link.name && placeKey(a.place) === placeKey(b.place);
}

function ownerOf({ place, link }: Station, proxy: boolean): SegmentOwner {
  const { mac, name } = link;
  return { state: 'owner', ...(mac !== undefined && { mac }), place, device: name, ...(proxy && { proxy: true }) };
}

/**
 * Whether the answer, sent to the asker alone, comes to it. ARP answers where the question came from; a neighbour
 * advertisement is sent like any packet, by an entry that was set (ndisc_send_na).
 */
function reaches(
  snapshot: Snapshot,
  from: Station,
  to: Station,
  { asker }: Question,
  { learnt }: Reach,
): 'yes' | 'no' | 'unknown' {
  if (to.link.mac === undefined) return 'unknown';
  const source = from.link.mac;
  const isNd = asker !== undefined && familyOf(asker) === 6;
  const set = isNd ? entryFor(snapshot, from.place, from.link.name, asker) : undefined;
  const destination = (set && isFixed(set) && set.mac) || to.link.mac;
  const frame = { destination, ...(source !== undefined && { source }) };
  const back = reachFrom(snapshot, from, frame, { learnt });
  if (back.arrivals.some((station) => isSame(station, to))) return 'yes';
  return back.gaps.length > 0 || back.outward.length > 0 ? 'unknown' : 'no';
}

function unsure({ place }: Station, because?: string): SegmentOwner {
  return { state: 'unknown', wants: [place], ...(because !== undefined && { because }) };
}

function unseenPodAt(snapshot: Snapshot, place: Place, address: Address): Place | undefined {
  const pod = topologyOf(snapshot).podAt(address);
  if (!pod || pod.node !== place.node || isComplete(snapshot.fact('links', pod))) return undefined;
  return pod;
}

/** Where the question went out of sight; a port that may only lead to a pod does not count if the API knows all pods. */
function openGap(walk: Walk, asker: Station, question: Question, reach: Reach): SegmentOwner | undefined {
  const { snapshot } = walk.world;
  const own = reach.gaps.find((gap) => gap.behind && isSame(gap.behind, asker));
  if (own && asker.place.namespace !== 'host') return { state: 'unknown', wants: [hostOf(asker.place.node)] };
  // A host that is itself a container has its NIC as a veth.
  if (own && asker.link.kind === 'veth')
    return overUnderlay(walk, asker, question, { ...asker, frame: questionFrame(asker, question) });
  const open = reach.gaps.filter(({ behind }) => {
    const isPodPort = behind?.link.kind === 'veth' && behind.place.namespace === 'host';
    return !(isPodPort && topologyOf(snapshot).complete);
  });
  if (open.length === 0) return undefined;
  const asks = open.flatMap((gap) => gap.wants);
  return { ...UNKNOWN, state: 'unknown', wants: [], asks, because: open[0]!.because };
}

/** Over the network between the nodes, by the NIC that the question left by. */
function overUnderlay(walk: Walk, asker: Station, question: Question, nic: Departure): SegmentOwner {
  const { snapshot } = walk.world;
  const { address } = question;
  const hosts = topologyOf(snapshot).hostsAt(address);
  const holder = hosts.find((one) => one.node !== asker.place.node);
  const stacked = holder ? undefined : stackedHolder(snapshot, address);
  const isElsewhere = stacked && stacked.nic.place.node !== asker.place.node;
  if (stacked && isSame(stacked.nic, nic)) return behindOwnNic(asker, stacked);
  if (!holder && !isElsewhere) {
    if (hosts.length > 0 && isOnlyNic(snapshot, nic)) return OWN_HOST;
    return isPodsElsewhere(walk, address) ? PODS_ADDRESS : UNKNOWN;
  }
  if (comesBack(snapshot, asker, nic) === 'no') {
    return { state: 'nobody', because: `what comes in by ${nic.link.name} for ${asker.link.name} does not reach it` };
  }
  if (!holder) return ownerOf(stacked!.station, false);
  const device = receivingDevice(snapshot, holder, asker.link, address);
  if (!device) return { state: 'owner', place: holder };
  const { tag, ...bare } = nic.frame;
  const frame = tag && device.kind !== 'vlan' ? nic.frame : bare;
  return answerAt(walk, { place: holder, link: device }, frame, question);
}

/** Two devices on one NIC that do not reach each other directly: only a switch that sends frames back could join them. */
function behindOwnNic(asker: Station, { station }: StackedHolder): SegmentOwner {
  const modes = [asker.link.macvlan?.mode, station.link.macvlan?.mode];
  if (modes.includes('private')) return { state: 'nobody', because: 'a private macvlan hears nobody of its own NIC' };
  const because = `whether the switch behind the NIC of ${asker.link.name} sends frames back is not known`;
  return { state: 'unknown', wants: [], because };
}

/** The network between the nodes does not carry pods' addresses, so that nobody on it answers for one. */
function isPodsElsewhere({ world }: Walk, address: Address): boolean {
  return world.gate.podAddressesRoutable === 'no' && topologyOf(world.snapshot).podAt(address) !== undefined;
}

const PODS_ADDRESS: SegmentOwner = {
  state: 'nobody',
  because: 'it is the address of a pod, which is not on that network',
};

const OWN_HOST: SegmentOwner = {
  state: 'nobody',
  because: 'its own host has the address, which it does not reach that way',
};

/** The question as it comes in at the holder's NIC; where that cannot be told, the holder is taken to answer. */
function answerAt(walk: Walk, nic: Station, frame: Frame, question: Question): SegmentOwner {
  const { arrivals, gaps } = reachInto(walk.world.snapshot, nic, frame, { question });
  const answers = arrivals.map((station) => ({ station, answer: answerOf(walk, station, question) }));
  const yes = answers.find(({ answer }) => answer.answers === 'yes');
  if (yes) return ownerOf(yes.station, yes.answer.proxy === true);
  const isSure = gaps.length === 0 && answers.every(({ answer }) => answer.answers === 'no');
  if (!isSure) return ownerOf(nic, false);
  const because = answers.find(({ answer }) => answer.because !== undefined)?.answer.because;
  return { state: 'nobody', ...(because !== undefined && { because }) };
}

/** Whether a frame for the asker that comes in by the NIC gets to it; something else may have claimed the NIC. */
function comesBack(snapshot: Snapshot, asker: Station, nic: Departure): 'yes' | 'no' | 'unknown' {
  if (asker.link.mac === undefined) return 'unknown';
  const { tag } = nic.frame;
  const { arrivals, gaps } = reachInto(snapshot, nic, { destination: asker.link.mac, ...(tag && { tag }) });
  if (arrivals.some((station) => isSame(station, asker))) return 'yes';
  return gaps.length > 0 || asker.link.ipvlan !== undefined ? 'unknown' : 'no';
}

function isOnlyNic(snapshot: Snapshot, { place, link }: Station): boolean {
  const links = snapshot.fact('links', place);
  if (!isComplete(links)) return false;
  const topology = topologyOf(snapshot);
  return links.value.every((one) => {
    if (one.name === link.name || !isUnderlay(one) || !one.flags.includes('UP')) return true;
    return one.kind === 'veth' && topology.peerOf(place, one).state === 'found';
  });
}

/** What to collect, so that the owner becomes known. */
export function wantsOf(owner: SegmentOwner, wantsAt: (place: Place) => readonly Request[]): readonly Request[] {
  if (owner.state !== 'unknown') return [];
  return [...owner.wants.flatMap((place) => wantsAt(place)), ...(owner.asks ?? [])];
}
