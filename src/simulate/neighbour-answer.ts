import { type Address, addressToBits, familyOf } from '../net/address.ts';
import { type Place, placeKey } from '../net/place.ts';
import { prefixContains } from '../net/prefix.ts';
import type { Link } from '../parse/ip-link.ts';
import { isComplete, type Snapshot } from '../snapshot/snapshot.ts';
import type { Question } from './bridge-proxy.ts';
import type { Station } from './cables.ts';
import type { Cursor, Walk } from './cursor.ts';
import { unmodelledAt } from './datapath.ts';
import { martianCheck } from './martian.ts';
import { type Passage, sentByStack, takenByStack } from './message-rules.ts';
import { answerMessage, type NeighbourMessage } from './neighbour-message.ts';
import { reversePathCheck } from './reverse-path.ts';
import { lookupRoute, type RouteFound } from './routes.ts';
import { ruleInterruption } from './segment-rules.ts';
import type { Arrival, Interruption } from './segment-search.ts';
import { interfaceKey, isSwitchedOn, largerOf, readSysctl, switchedOn } from './sysctl.ts';
import { holdsAddress, topologyOf } from './topology.ts';
import type { Truth } from './trace.ts';
import { NO_CONNECTIONS, untouched } from './tracking.ts';
import { and, not, or, truth } from './truth.ts';

/** Whether a namespace answers a question on one of its devices. */
export interface NeighbourAnswer {
  readonly answers: Truth;
  /** It answers in another's place (proxy_arp, proxy_ndp). */
  readonly proxy?: true;
  /** The question comes in, and teaches it where the asker is; its answer does not go out. */
  readonly hears?: true;
  /** The answer as it leaves the namespace's own stack. */
  readonly message?: NeighbourMessage;
  /** The rule that keeps the question out, or the answer in. */
  readonly interruption?: Interruption;
  /** Why it does not, though it has the address, or why that is not known. */
  readonly because?: string;
}

export function answerOf(
  walk: Walk,
  station: Station & Partial<Pick<Arrival, 'message'>>,
  question: Question,
  askerMac: string | undefined,
): NeighbourAnswer {
  if (station.link.flags.includes('NOARP')) return { answers: 'no' };
  const { snapshot } = walk.world;
  const part = unmodelledAt(walk.world.gate, station.place);
  if (part) return unmodelledAnswer(snapshot, station.place, question.address, part.by);
  const isNd = familyOf(question.address) === 6;
  const answer = isNd ? ndAnswer(walk, station, question) : arpAnswer(walk, station, question);
  return answer.answers === 'no' ? answer : filtered(snapshot, station, question, answer, askerMac);
}

/** Rules can keep the question out, or the answer in. */
function filtered(
  snapshot: Snapshot,
  station: Station & Partial<Pick<Arrival, 'message'>>,
  question: Question,
  answer: NeighbourAnswer,
  askerMac: string | undefined,
): NeighbourAnswer {
  const taken = station.message && takenByStack(snapshot, station, station.message);
  if (taken?.passes === 'no') return stoppedBy(station, answer, taken);
  const source = answer.proxy ? linkLocalOf(station) : question.address;
  const sent = sentByStack(snapshot, station, answerMessage(question, station.link.mac, askerMac, source));
  const hears = answer.answers === 'yes' && taken?.passes !== 'unknown';
  if (sent.passes === 'no') {
    const answering = taken?.passes === 'unknown' ? 'unknown' : answer.answers;
    return { ...stoppedBy(station, { ...answer, answers: answering }, sent), ...(hears && { hears }) };
  }
  const { message } = sent;
  const doubt = [taken, sent].find((one) => one?.passes === 'unknown');
  if (doubt?.passes !== 'unknown') return { ...answer, message };
  return { ...answer, message, answers: 'unknown', because: doubt.because, ...(hears && { hears }) };
}

/** Who may not answer in any case is not silenced by the rule alone. */
function stoppedBy(
  station: Station,
  answer: NeighbourAnswer,
  passage: Extract<Passage, { passes: 'no' }>,
): NeighbourAnswer {
  const { because, steps } = passage;
  const isSilenced = answer.answers === 'yes' && steps.length > 0;
  return { answers: 'no', because, ...(isSilenced && { interruption: ruleInterruption(station, passage) }) };
}

/** A proxy's advertisement comes from an address of its own (ndisc_send_na). */
function linkLocalOf({ link }: Station): Address | undefined {
  return link.addresses.find(({ prefix, scope }) => familyOf(prefix.address) === 6 && scope === 'link')?.prefix.address;
}

/** A sandbox with a network stack of its own, or programs that answer: only who has the address is known. */
function unmodelledAnswer(snapshot: Snapshot, place: Place, address: Address, by: string): NeighbourAnswer {
  const topology = topologyOf(snapshot);
  const holder = topology.podAt(address);
  if (holder && placeKey(holder) === placeKey(place)) return { answers: 'yes' };
  if (holdsAddress(snapshot, place, address) === 'yes') return { answers: 'yes' };
  if (place.namespace !== 'host' && topology.complete) return { answers: 'no' };
  return { answers: 'unknown', because: `${by} may answer, which is not modelled` };
}

/**
 * arp_process in net/ipv4/arp.c: the question is routed like a packet to the address; a local one is answered unless
 * arp_ignore or arp_filter forbids it, another one where this device forwards and proxies.
 */
function arpAnswer(walk: Walk, station: Station, question: Question): NeighbourAnswer {
  const { snapshot } = walk.world;
  const { place, link } = station;
  const { address, asker } = question;
  if (asker === undefined) return unaddressedAnswer(snapshot, place, link, address);
  const refusal = sourceRefusal(walk, station, question);
  const lookup = lookupRoute(snapshot, place, { ...plainKey(address), source: asker, input: link.name });
  if (lookup.state === 'unseen') return withoutRoutes(snapshot, place, address);
  const [way, ...others] = lookup.ways;
  if (way!.doubt !== undefined || others.some((one) => one.found.type !== way!.found.type)) {
    return { answers: 'unknown', because: `the route to ${address} is not sure` };
  }
  const { found } = way!;
  if (found.type === 'local' && isGone(snapshot, place, address, found)) return { answers: 'no' };
  if (found.type === 'local') {
    const sends = and(not(ignores(snapshot, place, link, question)), not(filters(snapshot, place, link, question)));
    const answers = and(sends, not(refusal));
    return { answers, ...(answers !== 'yes' && { because: refusalText(answers, place, address) }) };
  }
  if (found.type !== 'unicast') return { answers: 'no' };
  const forwards = switchedOn(readSysctl(snapshot, place, interfaceKey(4, link.name, 'forwarding')));
  const answers = and(forwards, proxies(snapshot, place, link, question, found), not(refusal));
  return { answers, proxy: true };
}

/** The kernel's own local route for an address that no device has any more: the two were read at different times. */
function isGone(snapshot: Snapshot, place: Place, address: Address, { route }: RouteFound): boolean {
  return (
    route?.protocol === 'kernel' && route.destination.length === 32 && holdsAddress(snapshot, place, address) === 'no'
  );
}

function refusalText(answers: Truth, place: Place, address: Address): string {
  const who = place.namespace === 'host' ? place.node : place.namespace;
  if (answers === 'unknown') return `whether ${who} answers for ${address} is not known`;
  return `${who} has ${address} but does not answer (arp_ignore, arp_filter or the asker's address)`;
}

function plainKey(destination: Address): {
  readonly destination: Address;
  readonly tos: number;
  readonly mark: number;
} {
  return { destination, tos: 0, mark: 0 };
}

function withoutRoutes(snapshot: Snapshot, place: Place, address: Address): NeighbourAnswer {
  const holds = holdsAddress(snapshot, place, address);
  // Without its routes a namespace that has the address is taken to answer, as it does by default.
  return holds === 'yes' ? { answers: 'yes' } : { answers: 'unknown', because: 'its routes were not seen' };
}

/** A question without a sender's address (RFC 5227 probe): own addresses alone are answered. */
function unaddressedAnswer(snapshot: Snapshot, place: Place, link: Link, address: Address): NeighbourAnswer {
  const holds = holdsAddress(snapshot, place, address);
  return { answers: and(holds, not(ignores(snapshot, place, link, { address }))) };
}

/** Whether source validation refuses the asker's address on this device: no packet from it would be taken in either. */
function sourceRefusal(walk: Walk, { place, link }: Station, { address, asker }: Question): Truth {
  const cursor: Cursor = {
    place,
    stage: { name: 'route-input' },
    packet: {
      ip: { source: asker!, destination: address, ttl: 64, tos: 0, df: false },
      l4: { protocol: 0 },
      lengthBytes: 28,
    },
    meta: untouched(),
    tracking: NO_CONNECTIONS,
    path: { input: link.name, local: false },
    visited: [],
  };
  const check = martianCheck(walk, cursor, link.name) ?? reversePathCheck(walk, cursor, link.name);
  if (!check.end) return 'no';
  return check.end.end === 'insufficient-information' ? 'unknown' : 'yes';
}

/** arp_ignore of ip-sysctl.rst: the larger of `all` and the device's own. */
function ignores(snapshot: Snapshot, place: Place, link: Link, { address, asker }: Question): Truth {
  const mode = largerOf(snapshot, place, 4, 'arp_ignore', link.name);
  if (!mode) return snapshot.fact('sysctls', place).state === 'unseen' ? 'unknown' : 'no';
  const here = link.addresses.find((one) => one.prefix.address === address);
  switch (mode.value) {
    case 1:
      return truth(!here);
    case 2:
      return truth(!here || asker === undefined || !prefixContains(here.prefix, asker));
    case 3:
      return truth(scopeHere(snapshot, place, address) === 'host');
    case 8:
      return 'yes';
    default:
      return 'no';
  }
}

function scopeHere(snapshot: Snapshot, place: Place, address: Address): string | undefined {
  const links = snapshot.fact('links', place);
  const all = links.state === 'seen' ? links.value.flatMap((link) => link.addresses) : [];
  return all.find((one) => one.prefix.address === address)?.scope;
}

/** arp_filter: only where an answer to the asker would leave by this very device. */
function filters(snapshot: Snapshot, place: Place, link: Link, { address, asker }: Question): Truth {
  const isOn = isSwitchedOn(snapshot, place, 4, 'arp_filter', link.name);
  if (isOn === 'no' || asker === undefined) return isOn;
  const lookup = lookupRoute(snapshot, place, { ...plainKey(asker), source: address });
  if (lookup.state === 'unseen') return 'unknown';
  return and(
    isOn,
    ...lookup.ways.map(({ found, doubt }) => (doubt ? 'unknown' : truth(deviceOf(found) !== link.name))),
  );
}

function deviceOf({ type, hop }: RouteFound): string | undefined {
  return type === 'local' ? 'lo' : hop?.device;
}

/** arp_fwd_proxy, arp_fwd_pvlan, and entries of `ip neigh add proxy`. */
function proxies(snapshot: Snapshot, place: Place, link: Link, { address, asker }: Question, found: RouteFound): Truth {
  if (deviceOf(found) === link.name) {
    return asker === address ? 'no' : isSwitchedOn(snapshot, place, 4, 'proxy_arp_pvlan', link.name);
  }
  const general = and(
    isSwitchedOn(snapshot, place, 4, 'proxy_arp', link.name),
    otherMedium(snapshot, place, link.name, deviceOf(found)),
  );
  return or(general, hasProxyEntry(snapshot, place, link, address));
}

/** medium_id: 0 unless set; devices on one medium, or with -1, are no case for a proxy. */
function otherMedium(snapshot: Snapshot, place: Place, input: string, output: string | undefined): Truth {
  const medium = (device: string | undefined): number | undefined => {
    if (device === undefined) return 0;
    const value = readSysctl(snapshot, place, interfaceKey(4, device, 'medium_id'));
    return value.state === 'seen' ? value.value : value.state === 'absent' ? 0 : undefined;
  };
  const [from, to] = [medium(input), medium(output)];
  if (from === undefined) return 'unknown';
  if (from === 0) return 'yes';
  if (to === undefined) return 'unknown';
  return truth(from !== -1 && to !== -1 && from !== to);
}

function hasProxyEntry(snapshot: Snapshot, place: Place, link: Link, address: Address): Truth {
  const neighbours = snapshot.fact('neighbours', place);
  if (neighbours.state === 'unseen') return 'unknown';
  const has = neighbours.value.some((one) => one.proxy && one.address === address && one.device === link.name);
  return has ? 'yes' : isComplete(neighbours) ? 'no' : 'unknown';
}

/**
 * ndisc_recv_ns in net/ipv6/ndisc.c: only for an address of this very device (or of its VRF) that has passed duplicate
 * detection; for others by an entry of `ip -6 neigh add proxy`, where forwarding and proxy_ndp are on.
 */
function ndAnswer(walk: Walk, { place, link }: Station, { address }: Question): NeighbourAnswer {
  const { snapshot } = walk.world;
  const links = snapshot.fact('links', place);
  if (links.state === 'unseen') return { answers: 'unknown', because: 'its devices were not seen' };
  const vrf = links.value.find((one) => one.name === link.master && one.kind === 'vrf');
  const own = [...link.addresses, ...(vrf?.addresses ?? [])].find((one) => one.prefix.address === address);
  if (own) {
    const isUsable = own.flags.includes('optimistic') || !own.flags.includes('tentative');
    const who = place.namespace === 'host' ? place.node : place.namespace;
    if (isUsable) return { answers: 'yes' };
    return { answers: 'no', because: `${who} has ${address}, which has not passed duplicate detection` };
  }
  if (isRouterAnycast(link, address)) return { answers: 'unknown', because: `${address} may be a router's anycast` };
  const proxied = and(
    switchedOn(readSysctl(snapshot, place, interfaceKey(6, link.name, 'forwarding'))),
    isSwitchedOn(snapshot, place, 6, 'proxy_ndp', link.name),
    hasProxyEntry(snapshot, place, link, address),
  );
  return proxied === 'no' && !isComplete(links) ? { answers: 'unknown' } : { answers: proxied, proxy: true };
}

/** Routers answer for the first address of their networks (RFC 4291 §2.6.1). */
function isRouterAnycast(link: Link, address: Address): boolean {
  return link.addresses.some(({ prefix }) => {
    if (familyOf(prefix.address) !== 6 || prefix.length >= 127 || !prefixContains(prefix, address)) return false;
    return (addressToBits(address) & ((1n << BigInt(128 - prefix.length)) - 1n)) === 0n;
  });
}
