import type { Address } from '../net/address.ts';
import { isComplete, type Snapshot } from '../snapshot/snapshot.ts';
import type { Question } from './bridge-proxy.ts';
import type { Station } from './cables.ts';
import type { Walk } from './cursor.ts';
import type { Frame } from './frame.ts';
import { voidBecause } from './message-rules.ts';
import { answerOf } from './neighbour-answer.ts';
import { answerMessage, entering, type NeighbourMessage } from './neighbour-message.ts';
import { isUnderlay, receivingDevice } from './receiving-device.ts';
import { reachFrom, reachInto } from './segment.ts';
import { type Answered, isSame, ownerOf, type SegmentOwner, UNKNOWN, undecided, unsure } from './segment-owner.ts';
import type { Arrival, Departure, Interruption } from './segment-search.ts';
import { type StackedHolder, stackedHolder } from './stacked-holder.ts';
import { topologyOf } from './topology.ts';

/* A neighbour's question that leaves what was collected, for the network between the nodes. */

/** Over the network between the nodes, by the NIC that the question left by. */
export function overUnderlay(walk: Walk, asker: Station, question: Question, nic: Departure): SegmentOwner {
  if (nic.doubt !== undefined) return undecided(nic.doubt);
  const owner = behindUnderlay(walk, asker, question, nic);
  if (owner.state === 'nobody' || (owner.state === 'unknown' && owner.because !== undefined)) return owner;
  const mac = owner.state === 'owner' ? owner.mac : undefined;
  const comesIn = rulesInto(walk.world.snapshot, asker, nic, answerMessage(question, mac, asker.link.mac));
  if (comesIn === undefined) return owner;
  if (typeof comesIn === 'string') return undecided(comesIn);
  const heardBy = owner.state === 'owner' ? { heardBy: owner } : {};
  return { state: 'nobody', because: comesIn.text, interruption: comesIn, ...heardBy };
}

/** The rule that stops what comes in by the NIC for the asker, or why that is not known. */
function rulesInto(
  snapshot: Snapshot,
  asker: Station,
  nic: Departure,
  message: NeighbourMessage,
): Interruption | string | undefined {
  if (asker.link.mac === undefined) return undefined;
  const { tag } = nic.frame;
  const frame = { destination: asker.link.mac, ...(tag && { tag }) };
  return ruleOf(reachInto(snapshot, nic, frame, { message, forced: true }).arrivals.find((one) => isSame(one, asker)));
}

function ruleOf(arrival: Arrival | undefined): Interruption | string | undefined {
  return arrival?.interruptions.find(({ what }) => what === 'rule') ?? arrival?.doubt;
}

function behindUnderlay(walk: Walk, asker: Station, question: Question, nic: Departure): SegmentOwner {
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
  return answerAt(walk, { place: holder, link: device }, { ...nic, frame }, question, asker.link.mac);
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
function answerAt(
  walk: Walk,
  nic: Station,
  { frame, message: left }: Departure,
  question: Question,
  askerMac: string | undefined,
): SegmentOwner {
  const { snapshot } = walk.world;
  const message = left && entering(left);
  const { arrivals, gaps } = reachInto(snapshot, nic, frame, { question, message });
  const answers = arrivals.map((station): Answered => {
    return { station, answer: answerOf(walk, station, question, askerMac) };
  });
  const yes = answers.find(({ answer }) => answer.answers === 'yes');
  if (yes) return answeredOver(snapshot, yes, askerMac);
  const filtered = rulesBefore(snapshot, nic, frame, message);
  if (filtered) return filtered;
  const doubtful = answers.find(({ answer }) => answer.answers === 'unknown' && answer.message);
  if (doubtful) return unsure(doubtful.station, doubtful.answer.because);
  const isSure = gaps.length === 0 && answers.every(({ answer }) => answer.answers === 'no');
  if (!isSure) return ownerOf(nic, false);
  const silent = answers.find(({ answer }) => answer.because !== undefined)?.answer;
  const { because, interruption } = silent ?? {};
  const hearer = answers.find(({ answer }) => answer.hears)?.station;
  return {
    state: 'nobody',
    ...(because !== undefined && { because }),
    ...(interruption && { interruption }),
    ...(hearer && { heardBy: { place: hearer.place, device: hearer.link.name } }),
  };
}

/** Rules of the holder's own devices and bridges that the question does not get past. */
function rulesBefore(
  snapshot: Snapshot,
  nic: Station,
  frame: Frame,
  message: NeighbourMessage | undefined,
): SegmentOwner | undefined {
  if (!message) return undefined;
  const forced = reachInto(snapshot, nic, frame, { message, forced: true });
  const rule = forced.arrivals.map(ruleOf).find((one) => one !== undefined);
  if (rule === undefined) return undefined;
  if (typeof rule === 'string') return undecided(rule);
  return { state: 'nobody', because: rule.text, interruption: rule };
}

/** The answer goes out by the holder's NIC, past the rules on the way there. */
function answeredOver(snapshot: Snapshot, { station, answer }: Answered, askerMac: string | undefined): SegmentOwner {
  const owner = ownerOf(station, answer.proxy === true);
  if (station.doubt !== undefined) return undecided(station.doubt);
  if (askerMac === undefined || !answer.message) return owner;
  const { mac } = station.link;
  const frame = { destination: askerMac, ...(mac !== undefined && { source: mac }) };
  const sent = reachFrom(snapshot, station, frame, { message: answer.message, forced: true });
  const [out] = sent.outward;
  const rule = ruleOf(out);
  const because = out?.message && voidBecause(out.message);
  if (rule === undefined && because === undefined) return owner;
  if (typeof rule === 'string') return undecided(rule);
  const heardBy = { place: station.place, device: station.link.name };
  return rule
    ? { state: 'nobody', because: rule.text, interruption: rule, heardBy }
    : { state: 'nobody', because: because!, heardBy };
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
