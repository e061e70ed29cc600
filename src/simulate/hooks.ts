import type { AtHook, Cursor, End, Move, Walk, Way } from './cursor.ts';
import { familyAt, go, prefixed, stop, unknownEnd } from './cursor.ts';
import { wantsAt } from './enter-namespace.ts';
import { frameHookList } from './frame-hook.ts';
import { confirmAtHook, trackAtHook } from './hook-conntrack.ts';
import { runRulesOnFragments } from './hook-fragments.ts';
import { type HookItem, type HookList, hookList } from './hook-list.ts';
import { runNat } from './hook-nat.ts';
import { ipvsIn, ipvsOut } from './ipvs.ts';
import { joinOrders } from './join-steps.ts';
import { reroute } from './output.ts';
import { isDiscarding } from './refusal.ts';
import { sameValue } from './same-value.ts';
import type { Step } from './trace.ts';
import { both, UNDECIDED } from './truth.ts';

/** Runs what is registered at one netfilter hook, in the kernel's order, until something forks or ends the walk. */
export function runHook(walk: Walk, start: Cursor): Move {
  let cursor = start as AtHook;
  const { hook } = cursor.stage;
  const { layer } = cursor.stage;
  const list = layer
    ? frameHookList(walk.world.snapshot, cursor.place, hook, layer)
    : hookList(walk.world.snapshot, cursor.place, familyAt(cursor), hook);
  if (list.incomplete.length > 0) {
    const wants = wantsAt(walk.world.snapshot, cursor.place, cursor);
    return stop(unknownEnd(cursor, list.incomplete.join('; '), wants));
  }
  let steps: readonly Step[] = [];
  for (let index = cursor.stage.next; index < list.items.length; index++) {
    const item = list.items[index]!;
    const at = item.kind === 'ipvs' ? advanced(cursor, index + 1) : cursor;
    const move = reroutedNow(walk, at, runItem(walk, at, item, list));
    const way = move.ways[0]!;
    if (move.ways.length > 1 || 'end' in way.to) {
      return prefixed(steps, goingOn(move, at.stage, index + 1 === list.items.length ? undefined : index + 1));
    }
    steps = steps.length === 0 ? way.steps : [...steps, ...way.steps];
    cursor = way.to as AtHook;
    // ipvs sends a packet on through another hook: what remains of this one is not run.
    if (cursor.stage !== at.stage) return go(cursor, steps);
  }
  return go({ ...cursor, stage: cursor.stage.after }, steps);
}

/**
 * A rule set of the output hook has what it changed routed anew at once: where no route serves, what remains of the hook is
 * not run (ip_route_me_harder in iptable_mangle.c, nft_chain_route.c and nf_nat_proto.c). The route itself is taken at the end.
 */
function reroutedNow(walk: Walk, { path }: AtHook, move: Move): Move {
  const ways = move.ways.map((way): Way => {
    if ('end' in way.to || way.to.stage.name !== 'hook' || way.to.path.reroute === path.reroute) return way;
    const [only, ...others] = reroute(walk, { ...way.to, stage: { name: 'reroute' } }).ways;
    if (others.length > 0 || !only || !('end' in only.to) || isTakenFirst(only.to)) return way;
    return { ...way, steps: [...way.steps, ...only.steps], to: only.to };
  });
  return { ...move, ways };
}

/** It says that it leads nowhere when it is taken, not when it is looked up. */
function isTakenFirst({ cursor }: End): boolean {
  return cursor.path.route !== undefined && isDiscarding(cursor.path.route);
}

/** Ways that are still at this hook go on with its item of that number, or behind it. */
function goingOn(move: Move, at: AtHook['stage'], next: number | undefined): Move {
  const ways = move.ways.map((way): Way => {
    if ('end' in way.to || way.to.stage !== at) return way;
    return { ...way, to: { ...way.to, stage: next === undefined ? at.after : { ...at, next } } };
  });
  return { ...move, ways };
}

function advanced(cursor: AtHook, next: number): AtHook {
  return { ...cursor, stage: { ...cursor.stage, next } };
}

/** Both orders, where they do not come to the same. */
function runTie(walk: Walk, cursor: AtHook, items: readonly HookItem[], list: HookList): Move {
  const [one, other] = [items, items.toReversed()].map((order) => inOrder(walk, cursor, order, list));
  const [first, second] = [one!.ways[0]!, other!.ways[0]!];
  const isSure = one!.ways.length === 1 && other!.ways.length === 1;
  if (isSure && sameValue(first.to, second.to)) {
    return { ways: [{ ...first, steps: joinOrders(first.steps, second.steps, 'end' in first.to) }] };
  }
  const ways = [...one!.ways, ...other!.ways].map((way): Way => ({ ...way, chance: both(way.chance, UNDECIDED) }));
  return { fork: 'undecided', ways };
}

function inOrder(walk: Walk, cursor: AtHook, items: readonly HookItem[], list: HookList): Move {
  return items.reduce((move: Move, item): Move => {
    const moves = move.ways.map((way): Move => {
      if ('end' in way.to || way.to.stage !== cursor.stage) return { ways: [way] };
      const next = prefixed(way.steps, runItem(walk, way.to as AtHook, item, list));
      return { ...next, ways: next.ways.map((one) => ({ ...one, chance: both(way.chance, one.chance) })) };
    });
    const fork = moves.find((one) => one.fork)?.fork ?? move.fork;
    return { ...(fork ? { fork } : {}), ways: moves.flatMap(({ ways }) => ways) };
  }, go(cursor));
}

function runItem(walk: Walk, cursor: AtHook, item: HookItem, list: HookList): Move {
  const { translates, defragments } = list;
  switch (item.kind) {
    case 'tie':
      return runTie(walk, cursor, item.items, list);
    case 'conntrack':
      return trackAtHook(walk, cursor);
    case 'confirm':
      return confirmAtHook(cursor);
    case 'rules':
      return runRulesOnFragments(walk, cursor, item.entries, defragments);
    case 'ipvs':
      return item.direction === 'in' ? ipvsIn(walk, cursor) : ipvsOut(walk, cursor);
    case 'nat':
      return translates ? runNat(walk, cursor, item.entries) : go(cursor);
  }
}
