import type { AtHook, Cursor, Move, Walk, Way } from './cursor.ts';
import { go, unknownEnd } from './cursor.ts';
import type { HookEntry, HookOutcome } from './hook.ts';
import { hookInputOf, masqueradeAddress, redirectAddress } from './hook-input.ts';
import { inEveryOrder, moveOf, natOutcomes, wayOf } from './hook-rules.ts';
import { bind, bindNull, isDecided, natChanges, natKindAt, translate } from './nat.ts';
import { makeStep, sourceAt } from './steps.ts';
import type { Step } from './trace.ts';
import { type Connection, translationsOf, withCurrent, withoutCurrent } from './tracking.ts';
import { both, chanceOf } from './truth.ts';

/**
 * Only the first packet of a connection meets the nat chains; the first that translates decides, else none does. Every
 * later packet, and every answer, is rewritten as the connection says (nf_nat_inet_fn in nf_nat_core.c).
 */
export function runNat(walk: Walk, cursor: AtHook, entries: readonly HookEntry[]): Move {
  const { current } = cursor.tracking;
  if (!current) return go(cursor);
  const { hook } = cursor.stage;
  const kind = natKindAt(hook);
  const isFirst = cursor.meta.conntrack === 'new' && !current.reply && !isDecided(current.connection, kind);
  if (!isFirst && leavesElsewhere(cursor)) return droppedElsewhere(cursor);
  // What is in the table already is translated no more (nf_nat_setup_info).
  if (!isFirst || current.connection.confirmed) {
    const { to, steps } = rewritten(cursor);
    return go(to, steps);
  }
  const input = hookInputOf(walk.world, cursor, hook);
  const outcomes = inEveryOrder(entries, (order) => natOutcomes(order, input));
  const ways = outcomes.flatMap((outcome) => natWays(walk, cursor, outcome));
  return moveOf(outcomes, ways);
}

function natWays(walk: Walk, cursor: AtHook, outcome: HookOutcome): readonly Way[] {
  const way = wayOf(cursor, outcome);
  if ('end' in way.to) return [way];
  const { tracking } = cursor;
  const { connection } = tracking.current!;
  const { hook } = cursor.stage;
  if (!outcome.nat) {
    const bound = bindNull(connection, natKindAt(hook), tracking.connections);
    return [rewrittenWay(way, bound, outcome)];
  }
  const { snapshot } = walk.world;
  const own = (): ReturnType<typeof redirectAddress> =>
    outcome.nat!.masquerade ? masqueradeAddress(snapshot, cursor) : redirectAddress(snapshot, cursor);
  const binding = bind(connection, outcome.nat, own, tracking.connections);
  if (binding.kind === 'unknown') return [{ ...way, to: unknownEnd(way.to, binding.because) }];
  if (binding.kind === 'dropped') {
    const end = { end: 'dropped-by-rule', cursor: way.to, senderSees: 'nothing', because: binding.because } as const;
    return [{ ...way, to: end }];
  }
  const device = outcome.nat.masquerade ? cursor.path.output : undefined;
  return binding.ways.map((bound) => {
    const kept: Connection = device === undefined ? bound : { ...bound, masqueradeDevice: device };
    const chance = both(way.chance, chanceOf(1 / binding.ways.length));
    return rewrittenWay({ ...way, chance }, kept, outcome);
  });
}

function rewrittenWay(way: Way, bound: Connection, outcome: HookOutcome): Way {
  const before = way.to as AtHook;
  const { to, steps } = rewritten({ ...before, tracking: withCurrent(before.tracking, bound) }, outcome);
  return { chance: way.chance, steps: steps.length === 0 ? way.steps : [...way.steps, ...steps], to };
}

interface Rewritten {
  readonly to: Cursor;
  readonly steps: readonly Step[];
}

function rewritten(cursor: AtHook, outcome?: HookOutcome): Rewritten {
  const { hook } = cursor.stage;
  const { connection, reply } = cursor.tracking.current!;
  const packet = translate(cursor.packet, connection, reply, hook);
  const nat = translationsOf(connection);
  const meta = cursor.meta.nat === nat ? cursor.meta : { ...cursor.meta, nat };
  if (packet === cursor.packet) return { to: { ...cursor, meta }, steps: [] };
  const path = reroutedBy(cursor, packet);
  const { changes, text } = natChanges(cursor.packet, packet);
  if (changes.length === 0) return { to: { ...cursor, packet, meta, path }, steps: [] };
  const last = outcome?.steps.findLast((step) => step.kind === 'rule' && step.matched !== 'no');
  const step = makeStep({
    kind: 'nat',
    at: `${hook} nat`,
    source: last?.source ?? sourceAt(cursor.place, 'conntrack.statistics'),
    values: {
      nat: natKindAt(hook),
      from: changes[0]!.from,
      to: changes[0]!.to,
      by: outcome?.nat ? 'rule' : reply ? 'reversal' : outcome ? 'clash' : 'connection',
      masquerade: outcome?.nat?.masquerade,
      redirect: outcome?.nat?.redirect,
    },
    text: textOf(text, reply, outcome),
    changes,
    features: ['nat'],
  });
  return { to: { ...cursor, packet, meta, path }, steps: [step] };
}

function textOf(text: string, reply: boolean, outcome: HookOutcome | undefined): string {
  if (reply) return `${text} (the connection's translation turned)`;
  return outcome && !outcome.nat ? `${text}, since another connection has that source port` : text;
}

/** A destination that is translated in output is routed anew (nf_nat_ipv4_local_fn). */
function reroutedBy(cursor: AtHook, packet: AtHook['packet']): AtHook['path'] {
  if (cursor.stage.hook !== 'output' || packet.ip.destination === cursor.packet.ip.destination) return cursor.path;
  return { ...cursor.path, reroute: { packet, mark: cursor.meta.mark } };
}

/** A masqueraded connection that leaves by another device than it began by (nf_nat_oif_changed). */
function leavesElsewhere(cursor: AtHook): boolean {
  const { connection, reply } = cursor.tracking.current!;
  const { masqueradeDevice } = connection;
  if (cursor.stage.hook !== 'postrouting' || reply || masqueradeDevice === undefined) return false;
  return !('about' in cursor.packet.l4 && cursor.packet.l4.about) && masqueradeDevice !== cursor.path.output;
}

function droppedElsewhere(cursor: AtHook): Move {
  const { masqueradeDevice } = cursor.tracking.current!.connection;
  const step = makeStep({
    kind: 'conntrack',
    at: 'postrouting nat',
    matched: 'no',
    source: sourceAt(cursor.place, 'conntrack.statistics'),
    values: { state: 'device-changed', device: cursor.path.output, zone: cursor.meta.zone },
    text: `the connection is masqueraded as an address of ${masqueradeDevice} and now leaves by ${cursor.path.output}: dropped, and forgotten`,
    features: ['nat'],
  });
  const gone = { ...cursor, tracking: withoutCurrent(cursor.tracking) };
  return {
    ways: [
      { chance: chanceOf(1), steps: [step], to: { end: 'conntrack-refused', cursor: gone, senderSees: 'nothing' } },
    ],
  };
}
