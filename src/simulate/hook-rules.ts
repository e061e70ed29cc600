import type { Meta } from '../net/packet.ts';
import { isCertain, isPoint, mergeWays } from './chances.ts';
import type { AtHook, Cursor, Move, Walk, Way } from './cursor.ts';
import type { HookEntry, HookInput, HookOutcome, HookVerdict } from './hook.ts';
import { hookInputOf } from './hook-input.ts';
import { joinOrders } from './join-steps.ts';
import { withMark, withTouched } from './tracking.ts';
import { both, CERTAIN } from './truth.ts';
import { verdictEnd } from './verdict-end.ts';

/** The rule sets of one priority at a hook. */
export function runRules(walk: Walk, cursor: AtHook, entries: readonly HookEntry[]): Move {
  const outcomes = outcomesOf(entries, hookInputOf(walk.world, cursor, cursor.stage.hook));
  const ways = outcomes.map((outcome) => wayOf(cursor, outcome));
  return moveOf(outcomes, ways);
}

export function outcomesOf(entries: readonly HookEntry[], input: HookInput): readonly HookOutcome[] {
  return inEveryOrder(entries, (order) => runInOrder(order, input));
}

/** The outcomes, and where the order of equal priorities makes them differ, those of either order as a fork. */
export function inEveryOrder(
  entries: readonly HookEntry[],
  run: (order: readonly HookEntry[]) => readonly HookOutcome[],
): readonly HookOutcome[] {
  const inOrders = ordersOf(entries);
  if (inOrders.length === 1) return run(inOrders[0]!);
  const orders = inOrders.map(run);
  const differ = orders.some((outcomes) => resultKey(outcomes) !== resultKey(orders[0]!));
  return differ ? mergedOrders(orders) : withStepsOfAll(orders);
}

/** The orders come to the same, perhaps by other rules. */
function withStepsOfAll(orders: readonly (readonly HookOutcome[])[]): readonly HookOutcome[] {
  const [first, ...others] = orders;
  return first!.map((outcome) => {
    const key = first!.length === 1 ? '' : outcomeKey(outcome);
    const steps = others.reduce((joined, order) => {
      const same = first!.length === 1 ? order[0] : order.find((one) => outcomeKey(one) === key);
      return same ? joinOrders(joined, same.steps, isEnd(outcome)) : joined;
    }, outcome.steps);
    return { ...outcome, steps };
  });
}

function isEnd({ verdict }: HookOutcome): boolean {
  return verdict.kind === 'drop' || verdict.kind === 'reject';
}

const ORDERS_MAX = 24;

/** Every order of equal priorities that what is known of their registration leaves open, as many as are worth walking. */
function ordersOf(entries: readonly HookEntry[]): readonly (readonly HookEntry[])[] {
  if (entries.length < 2) return [entries];
  const groups = [...Map.groupBy(entries, (entry) => entry.priority)].toSorted(([a], [b]) => a - b);
  let orders: (readonly HookEntry[])[] = [[]];
  for (const [, group] of groups) {
    const inGroup = permutations(group).filter(isRegisteredSo);
    orders = orders.flatMap((order) => inGroup.map((next) => [...order, ...next])).slice(0, ORDERS_MAX);
  }
  return orders;
}

function permutations(entries: readonly HookEntry[]): (readonly HookEntry[])[] {
  if (entries.length < 2) return [entries];
  // Of many, both ends of the order stand for all.
  if (entries.length > 4) return [entries, entries.toReversed()].map(withKnownOrder);
  return entries.flatMap((first) =>
    permutations(entries.filter((entry) => entry !== first)).map((rest) => [first, ...rest]),
  );
}

/** The later registered of a group runs first (nf_hook_entries_grow). */
function isRegisteredSo(order: readonly HookEntry[]): boolean {
  return order.every((entry, index) => order.slice(index + 1).every((later) => !runsAfter(entry, later)));
}

function runsAfter(a: HookEntry, b: HookEntry): boolean {
  if (!a.registered || a.registered.group !== b.registered?.group) return false;
  return a.registered.order < b.registered.order;
}

/** Entries of one group in their known order, in the places that the group has. */
function withKnownOrder(entries: readonly HookEntry[]): readonly HookEntry[] {
  const queues = new Map<string, HookEntry[]>();
  for (const [group, members] of Map.groupBy(entries, (entry) => entry.registered?.group ?? '')) {
    queues.set(group, group === '' ? members : members.toSorted((a, b) => b.registered!.order - a.registered!.order));
  }
  return entries.map((entry) => queues.get(entry.registered?.group ?? '')!.shift()!);
}

/** Each rule set gets the packet as the one before left it, unless that one kept it. */
function runInOrder(entries: readonly HookEntry[], input: HookInput): readonly HookOutcome[] {
  const [first] = entries;
  let outcomes = firstOutcomes(first, input);
  if (!isPutTogether(first, outcomes)) outcomes = merged(outcomes);
  for (const entry of entries.slice(1)) {
    outcomes = merged(
      outcomes.flatMap((former) => (goesOn(former.verdict) ? evaluateAfter(entry, input, former) : [former])),
    );
  }
  return outcomes;
}

/** A packet that was given to a socket meets the other rule sets all the same. */
function goesOn({ kind }: HookVerdict): boolean {
  return kind === 'accept' || kind === 'tproxy';
}

/** Before the first rule set nothing has happened that its outcomes would have to be put together with. */
function firstOutcomes(entry: HookEntry | undefined, input: HookInput): readonly HookOutcome[] {
  const { packet, meta } = input;
  const untouched: HookOutcome = { chance: CERTAIN, verdict: { kind: 'accept' }, packet, meta, steps: [] };
  if (!entry) return [untouched];
  if (entry.reroutes && input.hook === 'output') return evaluateAfter(entry, input, untouched);
  const results = entry.evaluate(input);
  if (results.every((result) => result.touched === undefined)) return results;
  return results.map((result) => ({ ...result, ...touchedBy(untouched, result) }));
}

/** Within one rule set what is accepted alike is one outcome already; what ends there may have ended by several rules. */
function isPutTogether(entry: HookEntry | undefined, outcomes: readonly HookOutcome[]): boolean {
  if (entry?.distinct) return true;
  return outcomes.every(({ verdict, chance }) => verdict.kind === 'accept' && isPoint(chance));
}

/** Outcomes that are alike as one. */
function merged(outcomes: readonly HookOutcome[]): readonly HookOutcome[] {
  const [first] = outcomes;
  if (outcomes.length === 1 && isCertain(first!.chance)) return outcomes;
  const haveOnePacket = outcomes.every(({ packet, meta }) => packet === first?.packet && meta === first.meta);
  return mergeWays(outcomes, CERTAIN, haveOnePacket ? effectKey : outcomeKey, joinOutcomes);
}

function evaluateAfter(entry: HookEntry, input: HookInput, former: HookOutcome): HookOutcome[] {
  const before = [...(input.touched ?? []), ...(former.touched ?? [])];
  const touching = before.length > 0 ? { touched: before } : {};
  const bearing = former.hasTemplate ? { hasTemplate: true } : {};
  const { packet, meta } = former;
  const results = entry.evaluate({ ...input, ...touching, ...bearing, packet, meta });
  return results.map((result) => ({
    ...result,
    verdict: result.verdict.kind === 'accept' ? former.verdict : result.verdict,
    chance: both(former.chance, result.chance),
    ...(former.fork === 'undecided' || result.fork === 'undecided'
      ? { fork: 'undecided' as const }
      : (former.fork ?? result.fork) === undefined
        ? {}
        : { fork: 'random' as const }),
    ...(former.notrack || result.notrack ? { notrack: true } : {}),
    ...(former.hasTemplate || result.hasTemplate ? { hasTemplate: true } : {}),
    ...rerouted(entry, input, former, result),
    ...touchedBy(former, result),
    ...(former.wants || result.wants ? { wants: [...(former.wants ?? []), ...(result.wants ?? [])] } : {}),
    steps: [...former.steps, ...result.steps],
  }));
}

function touchedBy(former: HookOutcome, result: HookOutcome): Pick<HookOutcome, 'touched'> {
  const touched = [...new Set([...(former.touched ?? []), ...(result.touched ?? [])])].toSorted();
  return touched.length > 0 ? { touched } : {};
}

/** What ip_route_me_harder looks at again behind a rule set of the output hook that can change it. */
function rerouted(
  entry: HookEntry,
  input: HookInput,
  former: HookOutcome,
  { verdict, packet, meta }: HookOutcome,
): Pick<HookOutcome, 'reroute'> {
  const kept = former.reroute ? { reroute: former.reroute } : {};
  if (input.hook !== 'output' || !entry.reroutes || verdict.kind !== 'accept') return kept;
  const before = former.packet.ip;
  const { source, destination, tos } = packet.ip;
  const isSame =
    before.source === source &&
    before.destination === destination &&
    before.tos === tos &&
    former.meta.mark === meta.mark;
  return isSame ? kept : { reroute: { packet, mark: meta.mark } };
}

function outcomeKey(outcome: HookOutcome): string {
  return `${effectKey(outcome)} ${JSON.stringify([outcome.packet, outcome.meta])}`;
}

/** All that tells outcomes apart but the packet and what is kept beside it. */
function effectKey({ verdict, nat, notrack, reroute, touched, hasTemplate }: HookOutcome): string {
  const isPlain = !notrack && !reroute && !touched && !hasTemplate;
  const rest = isPlain
    ? ''
    : JSON.stringify([notrack ?? false, reroute ?? null, touched ?? null, hasTemplate ?? false]);
  return `${contentKey(verdict)} ${nat ? contentKey(nat) : ''} ${rest}`;
}

const contentKeys = new WeakMap<object, string>();

/** Verdicts and translations are mostly a rule's own, the same object each time. */
function contentKey(content: object): string {
  const key = contentKeys.get(content) ?? JSON.stringify(content);
  contentKeys.set(content, key);
  return key;
}

function joinOutcomes(a: HookOutcome, b: HookOutcome): HookOutcome {
  const fork = a.fork === 'undecided' || b.fork === 'undecided' ? 'undecided' : (a.fork ?? b.fork);
  return { ...a, ...(fork ? { fork } : {}), steps: joinOrders(a.steps, b.steps, isEnd(a)) };
}

function resultKey(outcomes: readonly HookOutcome[]): string {
  return outcomes
    .map((outcome) => `${outcomeKey(outcome)} ${outcome.chance.min} ${outcome.chance.max}`)
    .toSorted()
    .join('\n');
}

function mergedOrders(orders: readonly (readonly HookOutcome[])[]): HookOutcome[] {
  const all = orders.flat().map((outcome): HookOutcome => {
    return { ...outcome, chance: { min: 0, max: outcome.chance.max }, fork: 'undecided' };
  });
  return mergeWays(all, CERTAIN, outcomeKey, joinOutcomes);
}

/** The ways that the outcomes were made of, each of one or more. */
export function moveOf(outcomes: readonly HookOutcome[], ways: readonly Way[]): Move {
  if (ways.length === 1) return { ways };
  const undecided = outcomes.some((outcome) => outcome.fork === 'undecided');
  return { fork: undecided ? 'undecided' : 'random', ways };
}

export function wayOf(cursor: AtHook, outcome: HookOutcome): Way {
  const meta = metaAfter(cursor, outcome);
  const tracking = withTouched(withMark(cursor.tracking, meta), cursor.place, outcome.touched ?? []);
  const path = pathAfter(cursor, outcome);
  const wants = outcome.wants ? { wants: [...(cursor.wants ?? []), ...outcome.wants] } : {};
  const next: Cursor = { ...cursor, packet: outcome.packet, meta, tracking, path, ...wants };
  const end = verdictEnd(next, outcome.verdict);
  return { chance: outcome.chance, steps: outcome.steps, to: end ?? next };
}

function pathAfter({ path }: AtHook, { reroute, verdict, hasTemplate }: HookOutcome): Cursor['path'] {
  const bearing = hasTemplate && !path.hasTemplate ? { ...path, hasTemplate } : path;
  const routed = reroute ? { ...bearing, reroute } : bearing;
  if (verdict.kind !== 'tproxy') return routed;
  const { kind: _, ...tproxy } = verdict;
  return { ...routed, tproxy };
}

/** A packet that has its connection keeps it and its zone: what would forgo it does nothing (xt_CT.c, nft_ct.c). */
function metaAfter({ tracking, meta }: AtHook, outcome: HookOutcome): Meta {
  if (outcome.meta === meta && (tracking.current || !outcome.notrack)) return meta;
  if (!tracking.current) return outcome.notrack ? { ...outcome.meta, conntrack: 'untracked' } : outcome.meta;
  const { zoneDirection: _set, ...rest } = outcome.meta;
  const { conntrack, zone, zoneDirection } = meta;
  return { ...rest, conntrack, zone, ...(zoneDirection === undefined ? {} : { zoneDirection }) };
}

/** The nat chains in their order, until one translates or decides. */
export function natOutcomes(entries: readonly HookEntry[], input: HookInput): readonly HookOutcome[] {
  const [first, ...others] = entries;
  let outcomes = firstOutcomes(first, input);
  if (others.length === 0 && isPutTogether(first, outcomes)) return outcomes;
  for (const entry of others) {
    outcomes = outcomes.flatMap((former) =>
      former.verdict.kind === 'accept' && !former.nat ? evaluateAfter(entry, input, former) : [former],
    );
  }
  return merged(outcomes);
}
