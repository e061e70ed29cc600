import { mergeWays } from './chances.ts';
import { confirm, track, translationsOf, withCurrent } from './conntrack.ts';
import type { Cursor, Move, Walk, Way } from './cursor.ts';
import { familyAt, go, prefixed, stop, unknownEnd } from './cursor.ts';
import { wantsAt } from './enter-namespace.ts';
import type { HookEntry, HookInput, HookName, HookOutcome } from './hook.ts';
import { hookInputOf, masqueradeAddress, redirectAddress } from './hook-input.ts';
import { type HookItem, hookList } from './hook-list.ts';
import { bind, decided, isDecided, natChanges, natKindAt, translate } from './nat.ts';
import { makeStep, sourceAt } from './steps.ts';
import type { Step } from './trace.ts';
import { both, CERTAIN } from './truth.ts';
import { verdictEnd } from './verdict-end.ts';

type AtHook = Cursor & { readonly stage: Extract<Cursor['stage'], { name: 'hook' }> };

/** Runs what is registered at one netfilter hook, in the kernel's order, until something forks or ends the walk. */
export function runHook(walk: Walk, start: Cursor): Move {
  let cursor = start as AtHook;
  const { hook } = cursor.stage;
  const list = hookList(walk.world.snapshot, cursor.place, familyAt(cursor), hook);
  if (list.incomplete.length > 0) {
    const wants = wantsAt(walk.world.snapshot, cursor.place, cursor);
    return stop(unknownEnd(cursor, list.incomplete.join('; '), wants));
  }
  const steps: Step[] = [];
  for (let index = cursor.stage.next; index < list.items.length; index++) {
    const move = runItem(walk, advanced(cursor, index + 1), list.items[index]!, hook);
    const way = move.ways[0]!;
    if (move.ways.length > 1 || 'end' in way.to) return prefixed(steps, move);
    steps.push(...way.steps);
    cursor = way.to as AtHook;
  }
  return go({ ...cursor, stage: cursor.stage.after }, steps);
}

function advanced(cursor: AtHook, next: number): AtHook {
  return { ...cursor, stage: { ...cursor.stage, next } };
}

function runItem(walk: Walk, cursor: AtHook, item: HookItem, hook: HookName): Move {
  switch (item.kind) {
    case 'conntrack':
      return tracked(cursor, hook);
    case 'confirm':
      return go({ ...cursor, tracking: confirm(cursor.tracking, cursor.meta) });
    case 'rules':
      return runRules(walk, cursor, item.entries);
    case 'nat':
      return runNat(walk, cursor, item.entries, hook);
  }
}

/** An invalid packet is told, since rules drop it and NAT leaves it alone. */
function tracked(cursor: AtHook, hook: HookName): Move {
  const next = { ...cursor, ...track(cursor.place, cursor.packet, cursor.meta, cursor.tracking) };
  if (next.meta.conntrack !== 'invalid') return go(next);
  const step = makeStep({
    kind: 'conntrack',
    at: `${hook} conntrack`,
    source: sourceAt(cursor.place, 'conntrack.statistics'),
    values: { state: 'invalid', zone: cursor.meta.zone },
    text: 'belongs to no connection that this host knows, and can begin none: INVALID',
    features: ['conntrack invalid'],
  });
  return go(next, [step]);
}

function runRules(walk: Walk, cursor: AtHook, entries: readonly HookEntry[]): Move {
  const input = hookInputOf(walk.world, cursor, cursor.stage.hook);
  const outcomes = inEveryOrder(entries, (order) => runInOrder(order, input));
  return moveOf(outcomes.map((outcome) => ({ outcome, way: wayOf(cursor, outcome) })));
}

/** The outcomes, and where the order of equal priorities makes them differ, those of either order as a fork. */
function inEveryOrder(
  entries: readonly HookEntry[],
  run: (order: readonly HookEntry[]) => readonly HookOutcome[],
): readonly HookOutcome[] {
  const orders = ordersOf(entries).map(run);
  const differ = orders.some((outcomes) => resultKey(outcomes) !== resultKey(orders[0]!));
  return differ ? mergedOrders(orders) : orders[0]!;
}

/** Both ends of the order stand for all of them. */
function ordersOf(entries: readonly HookEntry[]): readonly (readonly HookEntry[])[] {
  if (entries.length < 2) return [entries];
  return [entries, entries.toReversed().toSorted((a, b) => a.priority - b.priority)];
}

/** Each rule set gets the packet as the one before left it, unless that one kept it. */
function runInOrder(entries: readonly HookEntry[], input: HookInput): readonly HookOutcome[] {
  let outcomes: HookOutcome[] = [
    { chance: CERTAIN, verdict: { kind: 'accept' }, packet: input.packet, meta: input.meta, steps: [] },
  ];
  for (const entry of entries) {
    outcomes = outcomes.flatMap((former) =>
      former.verdict.kind === 'accept' ? evaluateAfter(entry, input, former) : [former],
    );
    outcomes = mergeWays(outcomes, CERTAIN, outcomeKey, joinOutcomes);
  }
  return outcomes;
}

function evaluateAfter(entry: HookEntry, input: HookInput, former: HookOutcome): HookOutcome[] {
  const results = entry.evaluate({ ...input, packet: former.packet, meta: former.meta });
  return results.map((result) => ({
    ...result,
    chance: both(former.chance, result.chance),
    ...(former.fork === 'undecided' || result.fork === 'undecided'
      ? { fork: 'undecided' as const }
      : (former.fork ?? result.fork) === undefined
        ? {}
        : { fork: 'random' as const }),
    ...(former.notrack || result.notrack ? { notrack: true } : {}),
    steps: [...former.steps, ...result.steps],
  }));
}

function outcomeKey(outcome: HookOutcome): string {
  return JSON.stringify([outcome.verdict, outcome.packet, outcome.meta, outcome.nat ?? null, outcome.notrack ?? false]);
}

function joinOutcomes(a: HookOutcome, b: HookOutcome): HookOutcome {
  const fork = a.fork === 'undecided' || b.fork === 'undecided' ? 'undecided' : (a.fork ?? b.fork);
  return { ...a, ...(fork ? { fork } : {}), steps: [...new Set([...a.steps, ...b.steps])] };
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

interface Outgoing {
  readonly outcome: HookOutcome;
  readonly way: Way;
}

function moveOf(outgoing: readonly Outgoing[]): Move {
  const ways = outgoing.map((one) => one.way);
  if (ways.length === 1) return { ways };
  const undecided = outgoing.some((one) => one.outcome.fork === 'undecided');
  return { fork: undecided ? 'undecided' : 'random', ways };
}

function wayOf(cursor: AtHook, outcome: HookOutcome): Way {
  const meta = outcome.notrack ? { ...outcome.meta, conntrack: 'untracked' as const } : outcome.meta;
  const next: Cursor = { ...cursor, packet: outcome.packet, meta };
  const end = verdictEnd(next, outcome.verdict);
  return { chance: outcome.chance, steps: outcome.steps, to: end ?? next };
}

/**
 * Only the first packet of a connection meets the nat chains; the first that translates decides, else none does. Every
 * later packet, and every answer, is rewritten as the connection says.
 */
function runNat(walk: Walk, cursor: AtHook, entries: readonly HookEntry[], hook: HookName): Move {
  const { current } = cursor.tracking;
  if (!current) return go(cursor);
  const kind = natKindAt(hook);
  const isFirst = cursor.meta.conntrack === 'new' && !current.reply && !isDecided(current.connection, kind);
  if (!isFirst) return rewritten(cursor, hook);
  const input = hookInputOf(walk.world, cursor, hook);
  const outcomes = inEveryOrder(entries, (order) => runNatChains(order, input));
  return moveOf(outcomes.map((outcome) => ({ outcome, way: natWay(walk, cursor, outcome, hook) })));
}

function runNatChains(entries: readonly HookEntry[], input: HookInput): readonly HookOutcome[] {
  let outcomes: HookOutcome[] = [
    { chance: CERTAIN, verdict: { kind: 'accept' }, packet: input.packet, meta: input.meta, steps: [] },
  ];
  for (const entry of entries) {
    outcomes = outcomes.flatMap((former) =>
      former.verdict.kind === 'accept' && !former.nat ? evaluateAfter(entry, input, former) : [former],
    );
  }
  return mergeWays(outcomes, CERTAIN, outcomeKey, joinOutcomes);
}

function natWay(walk: Walk, cursor: AtHook, outcome: HookOutcome, hook: HookName): Way {
  const way = wayOf(cursor, outcome);
  if ('end' in way.to) return way;
  const { connection } = cursor.tracking.current!;
  const bound = outcome.nat
    ? bind(connection, outcome.nat, () => ownAddress(walk, cursor, outcome))
    : decided(connection, natKindAt(hook));
  if (!bound) return { ...way, to: unknownEnd(way.to, 'the address that NAT would take is not known') };
  const after = rewritten({ ...(way.to as AtHook), tracking: withCurrent(cursor.tracking, bound) }, hook, outcome);
  return { ...after.ways[0]!, chance: way.chance, steps: [...way.steps, ...after.ways[0]!.steps] };
}

function ownAddress(walk: Walk, cursor: AtHook, outcome: HookOutcome): string | undefined {
  const { snapshot } = walk.world;
  return outcome.nat?.masquerade ? masqueradeAddress(snapshot, cursor) : redirectAddress(snapshot, cursor);
}

function rewritten(cursor: AtHook, hook: HookName, outcome?: HookOutcome): Move {
  const { connection, reply } = cursor.tracking.current!;
  const packet = translate(cursor.packet, connection, reply, hook);
  const meta = { ...cursor.meta, nat: translationsOf(connection) };
  if (packet === cursor.packet) return go({ ...cursor, meta });
  const { changes, text } = natChanges(cursor.packet, packet);
  if (changes.length === 0) return go({ ...cursor, meta });
  const last = outcome?.steps.findLast((step) => step.kind === 'rule' && step.matched !== 'no');
  const step = makeStep({
    kind: 'nat',
    at: `${hook} nat`,
    source: last?.source ?? sourceAt(cursor.place, 'conntrack.statistics'),
    values: {
      nat: natKindAt(hook),
      from: changes[0]!.from,
      to: changes[0]!.to,
      by: outcome?.nat ? 'rule' : reply ? 'reversal' : 'connection',
      masquerade: outcome?.nat?.masquerade,
      redirect: outcome?.nat?.redirect,
    },
    text: reply ? `${text} (the connection's translation turned)` : text,
    changes,
    features: ['nat'],
  });
  return go({ ...cursor, packet, meta }, [step]);
}
