import type { Request } from '../host/host.ts';
import type { Address } from '../net/address.ts';
import { familyOf } from '../net/address.ts';
import { hostOf, type Place } from '../net/place.ts';
import { isComplete, type Snapshot } from '../snapshot/snapshot.ts';
import type { Question } from './bridge-proxy.ts';
import type { Station } from './cables.ts';
import type { Walk } from './cursor.ts';
import type { Frame } from './frame.ts';
import { type Passage, sentByStack, takenByStack } from './message-rules.ts';
import { answerOf } from './neighbour-answer.ts';
import { entryFor, isFixed } from './neighbour-entry.ts';
import type { Hearer } from './neighbour-learning.ts';
import { answerMessage, type NeighbourMessage, questionFrame, questionMessage } from './neighbour-message.ts';
import { overUnderlay } from './neighbour-underlay.ts';
import { perPlace } from './per-place.ts';
import { reachFrom } from './segment.ts';
import { type Answered, isSame, ownerOf, type SegmentOwner, UNKNOWN, undecided, unsure } from './segment-owner.ts';
import { ruleInterruption } from './segment-rules.ts';
import type { Interruption, Reach } from './segment-search.ts';
import { topologyOf } from './topology.ts';
import type { Truth } from './trace.ts';

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

/** The question leaves the asker's own stack, finds who answers, and the answer comes in there. */
function findOwner(walk: Walk, asker: Station, question: Question): SegmentOwner {
  const { snapshot } = walk.world;
  const sent = sentByStack(snapshot, asker, questionMessage(asker, question));
  if (sent.passes === 'no') return kept(asker, sent);
  const owner = ownerBehind(walk, asker, question, sent.message);
  // What is to be collected yet comes first.
  if (owner.state === 'nobody' || (owner.state === 'unknown' && owner.wants.length > 0)) return owner;
  const mac = owner.state === 'owner' ? owner.mac : undefined;
  const taken = takenByStack(snapshot, asker, answerMessage(question, mac, asker.link.mac));
  if (taken.passes === 'no') return { ...kept(asker, taken), ...(owner.state === 'owner' && { heardBy: owner }) };
  const doubt = [sent, taken].find((one) => one.passes === 'unknown');
  return doubt?.passes === 'unknown' ? undecided(doubt.because) : owner;
}

type Stopped = Extract<Passage, { passes: 'no' }>;

/** A rule has kept the question or the answer; without a step it has made it void. */
function kept(at: Station, passage: Stopped): Extract<SegmentOwner, { state: 'nobody' }> {
  const { because, steps } = passage;
  return { state: 'nobody', because, ...(steps.length > 0 && { interruption: ruleInterruption(at, passage) }) };
}

function ownerBehind(walk: Walk, asker: Station, question: Question, message: NeighbourMessage): SegmentOwner {
  const { snapshot } = walk.world;
  const reach = reachFrom(snapshot, asker, questionFrame(asker, question), { question, message });
  const [proxy] = reach.proxies;
  if (proxy) return { state: 'owner', mac: proxy.mac, place: proxy.station.place, proxy: true };
  const answers = reach.arrivals
    .filter((station) => !isSame(station, asker))
    .map((station): Answered => ({ station, answer: answerOf(walk, station, question, asker.link.mac) }));
  const yes = answers.filter(({ answer }) => answer.answers === 'yes');
  const backs = yes.map((one) => ({ ...one, back: wayBack(snapshot, one, asker, question, reach) }));
  const heard = backs.filter(({ back }) => back.comes !== 'no');
  const perhaps = answers.find(({ answer }) => answer.answers === 'unknown');
  if (heard.length > 0) {
    const sure = heard.find(({ station, back }) => station.doubt === undefined && back.doubt === undefined);
    if (sure) return ownerOf(sure.station, sure.answer.proxy === true);
    const [first] = heard;
    return unsure(first!.station, first!.station.doubt ?? first!.back.doubt);
  }
  if (perhaps) return unsure(perhaps.station, perhaps.answer.because);
  const refused = backs.find(({ back }) => back.refused);
  if (refused?.back.refused) return { ...kept(asker, refused.back.refused), heardBy: hearerOf(refused) };
  const pod = unseenPodAt(snapshot, asker.place, question.address);
  if (pod) return { state: 'unknown', wants: [pod] };
  if (reach.outward[0]) return overUnderlay(walk, asker, question, reach.outward[0]);
  const gap = openGap(walk, asker, question, reach);
  if (gap) return gap;
  const silent = answers.find(({ answer }) => answer.because !== undefined)?.answer;
  const unheard = yes[0] && `the answer of ${yes[0].station.place.namespace} finds no way back`;
  const because = unheard ?? silent?.because;
  const interruption = yes[0]
    ? backwards(snapshot, yes[0], asker, question, reach)
    : (silent?.interruption ?? forwards(walk, asker, question, message));
  const hearer = yes[0] ?? answers.find(({ answer }) => answer.hears);
  return {
    state: 'nobody',
    ...(because !== undefined && { because }),
    ...(interruption && { interruption }),
    ...(hearer && { heardBy: hearerOf(hearer) }),
  };
}

function hearerOf({ station }: Answered): Hearer {
  return { place: station.place, device: station.link.name };
}

/** Somebody would answer if the question got to him. */
function forwards(walk: Walk, asker: Station, question: Question, message: NeighbourMessage): Interruption | undefined {
  const { snapshot } = walk.world;
  const forced = reachFrom(snapshot, asker, questionFrame(asker, question), { question, message, forced: true });
  const silenced = forced.arrivals.find((station) => {
    if (station.interruptions.length === 0 || isSame(station, asker)) return false;
    return answerOf(walk, station, question, asker.link.mac).answers === 'yes';
  });
  return silenced?.interruptions[0];
}

function backwards(
  snapshot: Snapshot,
  { station, answer }: Answered,
  to: Station,
  question: Question,
  { learnt }: Reach,
): Interruption | undefined {
  const frame = answerFrame(snapshot, station, to, question);
  if (!frame) return undefined;
  const forced = reachFrom(snapshot, station, frame, { learnt, forced: true, message: answer.message });
  return forced.arrivals.find((one) => isSame(one, to))?.interruptions[0];
}

/**
 * The answer is sent to the asker alone. ARP answers where the question came from; a neighbour advertisement is sent like any
 * packet, by an entry that was set (ndisc_send_na).
 */
function answerFrame(snapshot: Snapshot, from: Station, to: Station, { asker }: Question): Frame | undefined {
  if (to.link.mac === undefined) return undefined;
  const source = from.link.mac;
  const isNd = asker !== undefined && familyOf(asker) === 6;
  const set = isNd ? entryFor(snapshot, from.place, from.link.name, asker) : undefined;
  const destination = (set && isFixed(set) && set.mac) || to.link.mac;
  return { destination, ...(source !== undefined && { source }) };
}

/** Whether the answer comes to the asker, and the rule on its way that may drop it, or the asker's own that does. */
function wayBack(
  snapshot: Snapshot,
  { station, answer }: Answered,
  to: Station,
  question: Question,
  { learnt }: Reach,
): { readonly comes: Truth; readonly doubt?: string; readonly refused?: Stopped } {
  const frame = answerFrame(snapshot, station, to, question);
  if (!frame) return { comes: 'unknown' };
  const back = reachFrom(snapshot, station, frame, { learnt, message: answer.message });
  const arrival = back.arrivals.find((one) => isSame(one, to));
  const taken = arrival?.message && takenByStack(snapshot, to, arrival.message);
  if (taken?.passes === 'no') return { comes: 'no', refused: taken };
  if (arrival) return { comes: 'yes', ...(arrival.doubt !== undefined && { doubt: arrival.doubt }) };
  return { comes: back.gaps.length > 0 || back.outward.length > 0 ? 'unknown' : 'no' };
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
    return overUnderlay(walk, asker, question, { ...asker, interruptions: [], frame: questionFrame(asker, question) });
  const open = reach.gaps.filter(({ behind }) => {
    const isPodPort = behind?.link.kind === 'veth' && behind.place.namespace === 'host';
    return !(isPodPort && topologyOf(snapshot).complete);
  });
  if (open.length === 0) return undefined;
  const asks = open.flatMap((gap) => gap.wants);
  return { ...UNKNOWN, state: 'unknown', wants: [], asks, because: open[0]!.because };
}

/** What to collect, so that the owner becomes known. */
export function wantsOf(owner: SegmentOwner, wantsAt: (place: Place) => readonly Request[]): readonly Request[] {
  if (owner.state !== 'unknown') return [];
  return [...owner.wants.flatMap((place) => wantsAt(place)), ...(owner.asks ?? [])];
}
