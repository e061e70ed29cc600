import { familyOf } from '../../src/net/address.ts';
import type { L4, Packet } from '../../src/net/packet.ts';
import type { World } from '../../src/simulate/cursor.ts';
import type { DatapathGate } from '../../src/simulate/datapath.ts';
import type { Snapshot } from '../../src/snapshot/snapshot.ts';
import type { CasePacket, CaseSocket, KernelCase } from './case.ts';
import { placeOf } from './collect-case.ts';
import { type Left, simulateTalk, type Talk, type TalkQuestion } from './conversation.ts';
import { countedRules, type Hits, hitsOf, ruleKey } from './counters.ts';
import { type Agreement, isSeveral, judge, type Observation } from './judge.ts';
import type { RealRun } from './run-case.ts';
import { namespaceOf, type Story, storiesOf } from './story.ts';
import { wiringOf, worthComparing } from './wiring.ts';

const GATE: DatapathGate = { parts: [], podAddressesRoutable: 'no' };

export interface CheckedPacket {
  readonly packet: CasePacket;
  readonly agreement: Agreement;
  readonly talk: Talk;
  readonly seen: Observation;
}

export interface CheckedCase {
  readonly packets: readonly CheckedPacket[];
  /** Rules whose counters are not what the walks say. */
  readonly counters: readonly string[];
  /** Every way of each packet. */
  readonly walked: readonly (readonly Story[] | undefined)[];
}

/** A packet held against its walks, and what it leaves behind. */
interface Held extends CheckedPacket {
  readonly stories: readonly Story[] | undefined;
}

/**
 * One packet after the other. `same`: what is known of a packet that no change has come to before; undefined from the first that has
 * to be walked on.
 */
function* heldPackets(one: KernelCase, run: RealRun, same?: (index: number) => Held | undefined): Generator<Held> {
  const wiring = wiringOf(one);
  const sockets = socketsOf(one);
  let left: Left = { connections: [], learnt: [] };
  let isSame = same !== undefined;
  for (const [index, packet] of one.packets.entries()) {
    const known = isSame ? same!(index) : undefined;
    isSame = known !== undefined;
    const held = known ?? heldPacket();
    if (held.agreement.kind === 'agrees') left = leftAfter(left, held.agreement.stories[0]);
    yield held;

    function heldPacket(): Held {
      const seen = worthComparing(run.seen[index]!, wiring);
      const talk = talkOf(one, run.before, packet, left);
      const stories = storiesOf(talk, wiring.wires);
      const agreement: Agreement = seen.setup
        ? { kind: 'agrees', stories: [] }
        : judge({ protocol: packet.protocol, stories, seen, sockets });
      return { packet, agreement, talk, seen, stories };
    }
  }
}

function leftAfter(left: Left, story: Story | undefined): Left {
  return story ? { ...story, learnt: [...left.learnt, ...story.learnt] } : left;
}

/** Holds what the kernel did with a case against the simulator's traces. */
export function checkCase(one: KernelCase, run: RealRun): CheckedCase {
  const packets = [...heldPackets(one, run)];
  return { packets, counters: countersOf(one, run, packets), walked: packets.map(({ stories }) => stories) };
}

/** Where not all that follows is told, it is not told what that counts at. */
function isUncounted({ isOpen, events }: Story): boolean {
  return isOpen || events.some(isSeveral);
}

/** Counters are compared where every packet's way is known to its end. */
function countersOf(one: KernelCase, run: RealRun, packets: readonly CheckedPacket[]): readonly string[] {
  const hits: ReadonlyMap<string, Hits>[] = [];
  for (const { agreement } of packets) {
    if (agreement.kind !== 'agrees' || agreement.stories.some(isUncounted)) return [];
    hits.push(hitsOf(agreement.stories));
  }
  return counterObjections(one, run, hits, packets);
}

/** What another state's walks say beside those of the state itself. */
export interface Comparison {
  /** They say something else of a packet. */
  readonly differs: boolean;
  /** What was seen does not fit them. */
  readonly disagrees: boolean;
}

export interface CompareOptions {
  /** A rule whose own counter is not looked at. */
  readonly except?: string | undefined;
  /** All that was changed: what has not met this rule is as it was. */
  readonly only?: string | undefined;
  /** Which of the two is asked for. */
  readonly wants: Comparison;
}

/** Walks another state, as far as it takes to tell. */
export function compareCase(one: KernelCase, run: RealRun, checked: CheckedCase, options: CompareOptions): Comparison {
  const { except, only, wants } = options;
  const met = checked.walked.map((stories) => {
    return stories?.some(({ steps }) => steps.some((step) => ruleKey(step) === only)) ?? true;
  });
  // A rule about neighbours' questions is no step of any packet's way.
  const isTold = only !== undefined && met.includes(true);
  const same = (index: number): Held | undefined =>
    met[index] ? undefined : { ...checked.packets[index]!, stories: checked.walked[index] };
  let differs = false;
  let disagrees = false;
  const packets: Held[] = [];
  for (const held of heldPackets(one, run, isTold ? same : undefined)) {
    const before = checked.walked[packets.length];
    differs ||= wants.differs && before !== held.stories && gistOf(before, except) !== gistOf(held.stories, except);
    disagrees ||= held.agreement.kind === 'disagrees';
    if ((differs || !wants.differs) && (disagrees || !wants.disagrees)) return { differs, disagrees };
    packets.push(held);
  }
  disagrees ||= wants.disagrees && countersOf(one, run, packets).length > 0;
  return { differs, disagrees };
}

export function talkOf(one: KernelCase, snapshot: Snapshot, packet: CasePacket, left: Left): Talk {
  const world: World = { snapshot, gate: GATE };
  const from = placeOf(one.namespaces.find(({ name }) => name === packet.ns)!);
  const silent = socketsOf(one).some((socket) => socket.silent && socket.port === packet.destinationPort);
  return simulateTalk(world, {
    from,
    packet: packetOf(packet),
    left,
    answers: !silent,
    ...(packet.mark && { mark: packet.mark }),
    ...(packet.device !== undefined && { device: packet.device }),
    broadcast: packet.broadcast === true,
    ...ownerOf(packet),
  });
}

function ownerOf({ uid, gid }: CasePacket): Pick<TalkQuestion, 'owner'> {
  return uid === undefined ? {} : { owner: { uid, gid: gid ?? 0 } };
}

function socketsOf(one: KernelCase): readonly (CaseSocket & { readonly ns: string })[] {
  return one.items.flatMap((item) => (item.kind === 'socket' ? [{ ...item.socket, ns: item.ns }] : []));
}

const DEFAULT_TTL = 64;

/** The packet as the client's socket makes it. */
export function packetOf(one: CasePacket): Packet {
  const six = one.family === 6;
  const source = one.source ?? (six ? '::' : '0.0.0.0');
  if (familyOf(source) !== one.family) throw new Error(`${source} is no address of IPv${one.family}`);
  const header = six ? 40 : 20;
  const payload = one.protocol === 'tcp' ? 40 : one.payloadBytes + (one.protocol === 'udp' ? 8 : 0);
  return {
    ip: {
      source,
      destination: one.destination,
      ttl: one.ttl ?? DEFAULT_TTL,
      tos: one.tos ?? 0,
      df: one.protocol === 'tcp' ? true : one.df,
    },
    l4: l4Of(one),
    lengthBytes: header + payload,
  };
}

function l4Of(one: CasePacket): L4 {
  const { sourcePort, destinationPort, protocol } = one;
  if (protocol === 'icmp') {
    return one.family === 6
      ? { protocol: 'icmpv6', type: 128, code: 0, id: sourcePort }
      : { protocol: 'icmp', type: 8, code: 0, id: sourcePort };
  }
  if (protocol === 'udp') return { protocol, sourcePort, destinationPort };
  return { protocol, sourcePort, destinationPort, flags: ['syn'] };
}

/** `NS FAMILY TABLE` */
function tableOf(key: string): string {
  const [ns, , family, table] = key.split(' ');
  return [ns, family, table].join(' ');
}

/**
 * Tables that both backends have: their chains have one priority, and which comes first cannot be read back. Of a packet
 * that either of them would drop it is not known which one counts it.
 */
function tablesOfBoth(one: KernelCase, run: RealRun): ReadonlySet<string> {
  const backends = Map.groupBy(countedRules(one, run.after), (rule) => tableOf(rule.key));
  return new Set(
    [...backends].flatMap(([table, rules]) =>
      new Set(rules.map((rule) => rule.key.split(' ')[1])).size > 1 ? [table] : [],
    ),
  );
}

const TALKS = ['4', '6', 'arp'] as const;

function mayMeet(key: string, family: (typeof TALKS)[number]): boolean {
  const ruleFamily = key.split(' ')[2]!;
  if (family === 'arp') return ruleFamily === 'netdev' || ruleFamily === 'bridge';
  return { '4': '4', '6': '6', ip: '4', ip6: '6' }[ruleFamily] === family || !/^(4|6|ip6?)$/.test(ruleFamily);
}

/** Questions that a rule drops on their way out are seen on no cable. */
function isAskedInVain({ kind, values: { reason } }: Story['steps'][number]): boolean {
  return kind === 'neighbour' && (reason === 'filtered' || reason === 'no-owner');
}

function stepNamespace({ source }: Story['steps'][number]): string {
  return namespaceOf(source.request.place);
}

/** The namespace in which a rule ended the packet. */
function deathAt({ end, place }: Story['ends'][number]): string {
  return end === 'dropped-by-rule' || end === 'rejected-by-rule' ? namespaceOf(place) : '';
}

function counterObjections(
  one: KernelCase,
  run: RealRun,
  hits: readonly ReadonlyMap<string, Hits>[],
  packets: readonly CheckedPacket[],
): string[] {
  const before = new Map(countedRules(one, run.before).map((rule) => [rule.key, rule.packets]));
  const unordered = tablesOfBoth(one, run);
  const deaths = new Set(
    packets.flatMap(({ agreement }) =>
      agreement.kind === 'agrees' ? agreement.stories.flatMap((story) => story.ends.map(deathAt)) : [],
    ),
  );
  const told = packets.flatMap(({ agreement }) =>
    agreement.kind === 'agrees' ? agreement.stories.flatMap(({ steps }) => steps) : [],
  );
  // A walk tells whether a question or an answer gets through, not how often it is asked.
  const asked = new Set(told.flatMap((step) => (step.values.question === true ? [ruleKey(step)] : [])));
  const inVain = told.flatMap((step) => (isAskedInVain(step) ? [stepNamespace(step)] : []));
  const talkative = new Set([
    ...run.seen.flatMap((seen) => seen.talkative),
    ...inVain.flatMap((ns) => [`${ns} 6`, `${ns} arp`]),
  ]);
  return countedRules(one, run.after).flatMap((rule) => {
    const moved = rule.packets - (before.get(rule.key) ?? 0);
    const all = hits.map((each) => each.get(rule.key) ?? { min: 0, max: 0 });
    const min = all.reduce((sum, one) => sum + one.min, 0);
    const max = all.reduce((sum, one) => sum + one.max, 0);
    if (asked.has(rule.key)) return [];
    if (unordered.has(tableOf(rule.key)) && deaths.has(rule.ns)) return [];
    // A walk tells whether a neighbour is found, not how often it is asked.
    if (rule.key.split(' ')[2] === 'arp') return [];
    const isTalk = TALKS.some((family) => talkative.has(`${rule.ns} ${family}`) && mayMeet(rule.key, family));
    if (moved >= min && (moved <= max || isTalk)) return [];
    const wanted = min === max ? String(min) : `${min} to ${max}`;
    return [`${rule.ns}: ${rule.text} counted ${moved}, the walks say ${wanted}`];
  });
}

/** What the walks of a packet say, for comparing two of them; without what they say of `except`, a rule's key. */
function gistOf(stories: readonly Story[] | undefined, except: string | undefined): string {
  if (!stories) return '*';
  return [...new Set(stories.map((story) => gistOfStory(story, except)))].toSorted().join('\n');
}

function gistOfStory(story: Story, except: string | undefined): string {
  return JSON.stringify([
    story.events.map(({ ns, device, way, packet }) => [ns, device, way, packet.ip, packet.l4, packet.lengthBytes]),
    story.ends.map(({ end, place, senderSees, packet, meta }) => [
      end,
      namespaceOf(place),
      senderSees,
      packet.ip,
      meta,
    ]),
    [...hitsOf([story])].filter(([key]) => key !== except).map(([key, { min }]) => `${key} ${min}`),
  ]);
}
