import type { Place } from '../net/place.ts';
import type { Link } from '../parse/ip-link.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { Station } from './cables.ts';
import { frameHookList } from './frame-hook.ts';
import type { HookEntry, HookInput, HookLayer, HookName, HookOutcome } from './hook.ts';
import { type HookItem, hookList } from './hook-list.ts';
import { outcomesOf } from './hook-rules.ts';
import { ND_HOP_LIMIT, type NeighbourMessage } from './neighbour-message.ts';
import { nftHookEntries } from './nftables.ts';
import { nftTableNames } from './nftables-tables.ts';
import { perPlace } from './per-place.ts';
import { addressTypeOf } from './routes.ts';
import type { Step } from './trace.ts';
import { reversed, tupleOf } from './tuple.ts';

/*
 * Neighbours' questions and answers meet rules like any frame: chains of family arp (NF_ARP_IN in arp_rcv, NF_ARP_OUT in
 * arp_xmit, net/ipv4/arp.c; nftables', and arptables-nft's, which are such), IPv6's hooks (ndisc_send_skb, ip6_mc_input), those
 * of devices and of bridges, and by br_netfilter IPv6's in a bridge. Where a namespace's rules were not seen, the walk learns of it
 * at the hooks to which the packet itself goes next.
 */

/** One hook on the way, with what it is told of devices. */
export interface Hurdle extends Pick<HookInput, 'input' | 'output' | 'physicalInput' | 'physicalOutput'> {
  readonly hook: HookName;
  readonly layer?: HookLayer;
}

export type Passage =
  | { readonly passes: 'yes'; readonly message: NeighbourMessage }
  | { readonly passes: 'no'; readonly because: string; readonly steps: readonly Step[] }
  | { readonly passes: 'unknown'; readonly because: string; readonly message: NeighbourMessage };

/** Whether a message gets over all of these, one after the other, and how it has come out. */
export function throughHurdles(
  snapshot: Snapshot,
  place: Place,
  message: NeighbourMessage,
  hurdles: readonly Hurdle[],
): Passage {
  let passage: Passage = { passes: 'yes', message };
  let doubt: string | undefined;
  for (const hurdle of hurdles) {
    passage = throughHurdle(snapshot, place, passage.message, hurdle);
    // Whoever does not get so far in any case is not kept for sure.
    if (passage.passes === 'no') return doubt === undefined ? passage : { passes: 'unknown', because: doubt, message };
    if (passage.passes === 'unknown') doubt ??= passage.because;
  }
  return doubt === undefined ? passage : { ...passage, passes: 'unknown', because: doubt };
}

/** Out of the namespace's own stack. */
export function sentByStack(snapshot: Snapshot, { place, link }: Station, message: NeighbourMessage): Passage {
  const output = link.name;
  const hooks: readonly HookName[] = message.arp ? ['output'] : ['output', 'postrouting'];
  return throughHurdles(
    snapshot,
    place,
    message,
    hooks.map((hook) => ({ hook, output })),
  );
}

/** Into it. */
export function takenByStack(snapshot: Snapshot, { place, link }: Station, message: NeighbourMessage): Passage {
  const input = link.name;
  const hooks: readonly HookName[] = message.arp || message.sabotaged ? ['input'] : ['prerouting', 'input'];
  const passage = throughHurdles(
    snapshot,
    place,
    message,
    hooks.map((hook) => ({ hook, input })),
  );
  const because = passage.passes === 'no' ? undefined : voidBecause(passage.message);
  if (passage.passes === 'no' || because === undefined) return passage;
  return passage.passes === 'yes' ? { passes: 'no', because, steps: [] } : { ...passage, because };
}

/** Why a message does not count, though no rule has dropped it. */
export function voidBecause({ arp, packet }: NeighbourMessage): string | undefined {
  if (arp || packet.ip.ttl === ND_HOP_LIMIT) return undefined;
  return `a rule has set its hop limit to ${packet.ip.ttl}: only 255 counts (RFC 4861 §7.1)`;
}

/** The hook of a device. */
export function atDevice(hook: 'ingress' | 'egress', { name }: Link): readonly Hurdle[] {
  const layer = { kind: 'device', device: name } as const;
  return [{ hook, layer, ...(hook === 'ingress' ? { input: name } : { output: name }) }];
}

const arpAt = perPlace((snapshot: Snapshot, place: Place) => {
  const { entries, incomplete } = nftHookEntries(snapshot, place, 'arp');
  return { incomplete, input: grouped(entries, 'input'), output: grouped(entries, 'output') };
});

function grouped(entries: readonly (HookEntry & { readonly hook: HookName })[], hook: HookName): readonly HookItem[] {
  const here = entries.filter((entry) => entry.hook === hook).toSorted((a, b) => a.priority - b.priority);
  return [...Map.groupBy(here, (entry) => entry.priority).values()].map((group) => ({ kind: 'rules', entries: group }));
}

const UNSEEN = 'chains of family arp were not read wholly';

function throughHurdle(snapshot: Snapshot, place: Place, message: NeighbourMessage, hurdle: Hurdle): Passage {
  const { hook, layer } = hurdle;
  if (layer)
    return throughItems(
      frameHookList(snapshot, place, hook, layer).items,
      inputOf(snapshot, place, message, hurdle),
      message,
    );
  if (!message.arp) {
    return throughItems(hookList(snapshot, place, 6, hook).items, inputOf(snapshot, place, message, hurdle), message);
  }
  if (nftTableNames(snapshot, place).state === 'unseen') return { passes: 'yes', message };
  const chains = arpAt(snapshot, place);
  if (chains.incomplete.length > 0) return { passes: 'unknown', because: UNSEEN, message };
  const items = hook === 'input' ? chains.input : chains.output;
  return throughItems(items, inputOf(snapshot, place, message, hurdle), message);
}

function throughItems(items: readonly HookItem[], input: () => HookInput, message: NeighbourMessage): Passage {
  if (items.length === 0) return { passes: 'yes', message };
  if (!items.some(({ kind }) => kind === 'tie')) return inOrder(items, input(), message);
  const [one, other] = [items.flatMap(untied), items.flatMap((item) => untied(item).toReversed())].map((order) =>
    inOrder(order, input(), message),
  );
  if (one!.passes === other!.passes) return one!;
  return { passes: 'unknown', because: 'chains of one priority: which comes first is not known', message };
}

function untied(item: HookItem): readonly HookItem[] {
  return item.kind === 'tie' ? item.items : [item];
}

/** Connection tracking leaves such messages alone (nf_conntrack_icmpv6_error); NAT and ipvs do not look at them then. */
function inOrder(items: readonly HookItem[], input: HookInput, message: NeighbourMessage): Passage {
  let { packet, meta } = message;
  for (const item of items) {
    if (item.kind === 'conntrack' && !message.arp) meta = { ...meta, conntrack: 'untracked' };
    if (item.kind !== 'rules') continue;
    const outcomes = outcomesOf(item.entries, { ...input, packet, meta });
    const [first] = outcomes;
    const passing = outcomes.filter(isPassing);
    const now = { ...message, packet: passing[0]?.packet ?? packet, meta: passing[0]?.meta ?? meta };
    if (passing.length === 0 && outcomes.every(isDropped)) return dropped(first!);
    if (outcomes.length > 1 || !isPassing(first!))
      return { passes: 'unknown', because: undecided(outcomes), message: now };
    ({ packet, meta } = now);
  }
  if (packet === message.packet && meta === message.meta) return { passes: 'yes', message };
  return { passes: 'yes', message: { ...message, packet, meta } };
}

function isPassing({ verdict }: HookOutcome): boolean {
  return verdict.kind === 'accept' || verdict.kind === 'tproxy';
}

function isDropped({ verdict }: HookOutcome): boolean {
  return verdict.kind === 'drop' || verdict.kind === 'reject';
}

function dropped({ steps }: HookOutcome): Passage {
  const told = steps.map((step): Step => ({ ...step, values: { ...step.values, question: true } }));
  const last = told.at(-1);
  return { passes: 'no', because: `${last?.source.text ?? 'a rule'} drops it (${last?.at ?? ''})`, steps: told };
}

function undecided(outcomes: readonly HookOutcome[]): string {
  const steps = outcomes.flatMap((outcome) => outcome.steps);
  const step = steps.find(({ matched }) => matched === 'unknown') ?? steps.at(-1);
  return `${step?.source.text ?? 'a rule'} (${step?.at ?? ''}) may drop it`;
}

/** Nothing of the kind is asked where no rule stands. */
function inputOf(snapshot: Snapshot, place: Place, message: NeighbourMessage, hurdle: Hurdle): () => HookInput {
  return () => {
    const { arp, packet, meta } = message;
    return {
      ...hurdle,
      ...(arp && { arp }),
      family: arp ? 4 : 6,
      place,
      snapshot,
      packet,
      meta,
      addressType: (address, device) => (arp ? 'unknown' : addressTypeOf(snapshot, place, address, device)),
      connection: connectionOf(message),
      masqueradeAddress: () => undefined,
    };
  };
}

function connectionOf({ arp, packet }: NeighbourMessage): HookInput['connection'] {
  if (arp) return { original: { source: '0.0.0.0', destination: '0.0.0.0' }, reply: false };
  const original = tupleOf(packet);
  return { original, reply: false, answer: reversed(original) };
}
