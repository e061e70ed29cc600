import type { Packet } from '../../src/net/packet.ts';
import type { CaseSocket } from './case.ts';
import type { Expected, Story } from './story.ts';
import { namespaceOf } from './story.ts';
import type { WireEvent } from './wire-event.ts';

/** What the kernel did with one packet and all that followed from it. */
export interface Observation {
  /** The errno of sending; null: it was sent. */
  readonly error: string | null;
  /** The socket could not be made as asked: no packet at all. */
  readonly setup?: boolean;
  readonly soError: string | null;
  readonly connected: boolean;
  /** Error queue: errno, origin (1 local, 2 ICMP, 3 ICMPv6), type, code. */
  readonly queue: readonly (readonly [string, number, number, number])[];
  readonly answers?: readonly (readonly [string, number, number])[];
  readonly received: readonly { readonly socket: number }[];
  readonly events: readonly WireEvent[];
  /** `NS FAMILY` whose own talk was seen meanwhile: its packets meet the rules as well. */
  readonly talkative: readonly string[];
}

export type Agreement =
  | { readonly kind: 'agrees'; readonly stories: readonly Story[] }
  | { readonly kind: 'undecided'; readonly because: string }
  | { readonly kind: 'disagrees'; readonly because: string };

export interface Judged {
  readonly protocol: 'tcp' | 'udp' | 'icmp';
  readonly stories: readonly Story[] | undefined;
  readonly seen: Observation;
  readonly sockets: readonly (CaseSocket & { readonly ns: string })[];
}

/** Holds what the kernel did against the ways that the simulator says are possible. */
export function judge(judged: Judged): Agreement {
  const { stories, seen } = judged;
  if (!stories) return { kind: 'undecided', because: 'more ways than are compared' };
  const reasons = stories.map((story) => objection(judged, story));
  const fitting = stories.filter((_, index) => reasons[index] === undefined);
  const certain = fitting.filter((story) => !story.isUnknown);
  if (certain.length > 0) return { kind: 'agrees', stories: certain };
  if (fitting.length > 0) return { kind: 'undecided', because: fitting[0]!.because };
  const distinct = [...new Set(reasons)];
  return { kind: 'disagrees', because: `${distinct.slice(0, 3).join('; or: ')} (error ${seen.error})` };
}

/** Why this story is not what happened; undefined where it is. */
function objection(judged: Judged, story: Story): string | undefined {
  return (
    eventObjection(judged.seen.events, story) ??
    (story.isUnknown || story.isOpen ? undefined : endObjection(judged, story))
  );
}

/** Of each namespace the order of its events is known, between namespaces it is not. */
function eventObjection(seen: readonly WireEvent[], story: Story): string | undefined {
  const names = new Set([...seen.map((one) => one.ns), ...story.events.map((one) => one.ns)]);
  for (const ns of names) {
    const why = namespaceObjection(
      seen.filter((one) => one.ns === ns),
      story.events.filter((one) => one.ns === ns),
      story.isUnknown || story.isOpen,
    );
    if (why !== undefined) return why;
  }
  return undefined;
}

function namespaceObjection(
  seen: readonly WireEvent[],
  expected: readonly Expected[],
  more: boolean,
): string | undefined {
  let at = 0;
  const late: Expected[] = [];
  const several: Expected[] = [];
  const passSeveral = (): void => {
    while (seen[at] && several.some((one) => differenceOf(seen[at]!, one) === undefined)) at++;
  };
  /** Those of a series that have come meanwhile. */
  const passLate = (): void => {
    for (let event = seen[at]; event; event = seen[at]) {
      const found = late.findIndex((one) => differenceOf(event!, one) === undefined);
      if (found === -1) return;
      late.splice(found, 1);
      at++;
    }
  };
  for (const one of expected) {
    if (seen[at] && differenceOf(seen[at]!, one) !== undefined) passLate();
    if (seen[at] && differenceOf(seen[at]!, one) !== undefined) passSeveral();
    const event = seen[at];
    const why = event ? differenceOf(event, one) : 'nothing was seen';
    if (why === undefined) {
      at++;
      if (isSeveral(one)) several.push(one);
    } else if (one.later) late.push(one);
    else if (!one.maybe) return objectionTo(one, why);
  }
  passLate();
  passSeveral();
  const missing = late.find((one) => !one.maybe);
  if (missing) return objectionTo(missing, seen[at] ? differenceOf(seen[at]!, missing)! : 'nothing was seen');
  const extra = seen[at];
  if (extra === undefined || more) return undefined;
  return `${extra.ns}/${extra.device} ${extra.way} ${extra.source} > ${extra.destination} ${extra.what} was seen too`;
}

/** Each fragment of a datagram of IPv6 has an error of its own, those behind the first as well; the walk tells of the first. */
export function isSeveral({ packet: { l4 } }: Pick<Expected, 'packet'>): boolean {
  const about = 'about' in l4 ? l4.about : undefined;
  return about?.fragmentBytes !== undefined && about.ip.source.includes(':');
}

function objectionTo({ ns, device, way, packet }: Expected, why: string): string {
  return `${ns}/${device} ${way} ${showPacket(packet)}: ${why}`;
}

function differenceOf(event: WireEvent, { device, way, packet }: Expected): string | undefined {
  const { ip } = packet;
  const pairs: readonly (readonly [string, unknown, unknown])[] = [
    ['device', `${event.device} ${event.way}`, `${device} ${way}`],
    ['source', event.source, ip.source],
    ['destination', event.destination, ip.destination],
    ['kind', event.what, kindOf(packet)],
    ['TTL', event.ttl, ip.ttl],
    ['TOS', event.tos, ip.tos],
    ...portPairs(event, packet),
    ...(event.lengthBytes === undefined || 'about' in packet.l4 || isReset(packet)
      ? []
      : [['length', event.lengthBytes, packet.lengthBytes] as const]),
  ];
  const different = pairs.find(([, a, b]) => a !== b);
  return different && `${different[0]} is ${different[1]}, not ${different[2]}`;
}

function isReset({ l4 }: Packet): boolean {
  return l4.protocol === 'tcp' && 'flags' in l4 && (l4.flags?.includes('rst') ?? false);
}

function portPairs(event: WireEvent, { l4, tunnel }: Packet): (readonly [string, unknown, unknown])[] {
  if (!('sourcePort' in l4)) return [];
  const source = ['source port', event.sourcePort, l4.sourcePort] as const;
  const destination = ['destination port', event.destinationPort, l4.destinationPort] as const;
  return [
    ...(l4.sourcePort === 'ephemeral' || tunnel ? [] : [source]),
    ...(l4.destinationPort === 'ephemeral' ? [] : [destination]),
  ];
}

const FLAG_ORDER = ['fin', 'syn', 'rst', 'psh', 'ack'];

export function kindOf({ l4 }: Packet): string {
  if ('type' in l4) return `icmp ${l4.type}/${l4.code}`;
  if (l4.protocol === 'tcp' && 'flags' in l4) {
    return `tcp ${FLAG_ORDER.filter((flag) => l4.flags?.includes(flag)).join(' ')}`;
  }
  return typeof l4.protocol === 'number' ? `protocol ${l4.protocol}` : l4.protocol;
}

function showPacket(packet: Packet): string {
  return `${packet.ip.source} > ${packet.ip.destination} ${kindOf(packet)} ttl ${packet.ip.ttl}`;
}

/** The sockets' word: who received it, and what the sender was told. */
function endObjection(judged: Judged, story: Story): string | undefined {
  const { seen, protocol, sockets } = judged;
  const [first, answer] = story.ends as [Story['ends'][number], Story['ends'][number] | undefined];
  if (protocol === 'udp') {
    const at = seen.received.map(({ socket }) => sockets[socket]!.ns);
    // The process that a rule hands a packet to is a socket here (TPROXY); it may get the answer, too.
    const taken = [first.end === 'delivered' ? first : undefined, handedOver(first), handedOver(answer)];
    const wanted = taken.flatMap((end) => (end ? [namespaceOf(end.place)] : []));
    if (at.join() !== wanted.join()) return `received at [${at}], not at [${wanted}]`;
  }
  const answered = protocol === 'tcp' ? seen.connected : (seen.answers?.length ?? 0) > 0;
  const isAnswered = answer?.end === 'delivered' && first.end === 'delivered';
  // An error about the third packet ends a connection that was there.
  const isUndone = protocol === 'tcp' && isError(story.ends[2]?.senderSees ?? '');
  if (answered !== isAnswered && !isUndone)
    return `the sender ${answered ? 'got an answer' : 'got no answer'} (${first.end})`;
  return toldObjection(seen, toldOf(story), first);
}

function handedOver<T extends Story['ends'][number]>(end: T | undefined): T | undefined {
  return end?.end === 'handed-to-userspace' && end.because?.includes('TPROXY') ? end : undefined;
}

/** What the client is told: an error that the server meets when it answers is the server's own. */
function toldOf(story: Story): string {
  const [first, answer, third] = story.ends;
  if (first!.end !== 'delivered') return first!.senderSees;
  return answer?.end === 'delivered' ? (third?.senderSees ?? answer.senderSees) : 'nothing';
}

function isError(senderSees: string): boolean {
  return senderSees.startsWith('icmp') || senderSees.startsWith('error') || senderSees === 'reset';
}

function toldObjection(seen: Observation, senderSees: string, first: Story['ends'][number]): string | undefined {
  const remote = seen.queue.find(([, origin]) => origin === 2 || origin === 3);
  // A device that drops the frame tells a socket that asks for errors of its own host (net_xmit_errno).
  const isRefused = seen.error !== null && seen.error !== 'ENOBUFS';
  const isTold = isRefused || seen.soError !== null || remote !== undefined;
  const mustBe = isError(senderSees);
  const refused = ['dropped-by-rule', 'rejected-by-rule', 'conntrack-refused'].includes(first.end);
  // What a rule keeps on its way out of its own host is told by EPERM as well (NF_DROP_GETERR).
  if (seen.error === 'EPERM' && refused) return undefined;
  if (isTold !== mustBe) {
    const errors = `${seen.error} ${seen.soError} ${remote?.join(' ')}`;
    return `the sender ${isTold ? `was told ${errors}` : 'was told nothing'}, not ${senderSees}`;
  }
  const exact = remote && `icmp ${remote[2]}/${remote[3]}`;
  return exact && exact !== senderSees ? `the sender was told ${exact}, not ${senderSees}` : undefined;
}
