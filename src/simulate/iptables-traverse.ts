import type { IptablesRuleset } from '../parse/iptables-save.ts';
import type { Seen } from '../snapshot/snapshot.ts';
import { isCertain, isImpossible, mergeWays, opposite, sum } from './chances.ts';
import type { HookInput, HookOutcome, HookVerdict } from './hook.ts';
import type { Backend } from './iptables.ts';
import type { CompiledChain, CompiledRule, CompiledTable } from './iptables-compile.ts';
import type { MatchOutcome } from './iptables-match.ts';
import { passedOverStep } from './iptables-passed-over.ts';
import { policyStep, ruleStep, unparsedStep } from './iptables-steps.ts';
import type { TargetEffect } from './iptables-target.ts';
import type { Chance, Step } from './trace.ts';
import { both, CERTAIN, UNDECIDED } from './truth.ts';

export interface TableContext {
  readonly backend: Backend;
  readonly table: CompiledTable;
  readonly observed: Seen<IptablesRuleset>;
}

/** One way through the table so far. `input` carries the packet and meta as the rules have changed them. */
interface Way {
  readonly chance: Chance;
  readonly fork?: 'random' | 'undecided';
  readonly input: HookInput;
  readonly notrack: boolean;
  readonly steps: readonly Step[];
  readonly end: End;
}

type End =
  | { readonly kind: 'next' }
  /** The chain is left: by RETURN, by its end, or by the end of a chain that it went to. */
  | { readonly kind: 'return' }
  | { readonly kind: 'verdict'; readonly verdict: HookVerdict }
  | { readonly kind: 'nat'; readonly nat: NonNullable<HookOutcome['nat']> };

/** The kernel refuses deeper rule sets and loops (ip_tables.c, mark_source_chains). */
const DEEPEST_CALL = 64;

/** Walks one built-in chain as ipt_do_table does; chance and undecided rules give several outcomes. */
export function evaluateBaseChain(
  context: TableContext,
  chain: CompiledChain,
  input: HookInput,
): readonly HookOutcome[] {
  const entry: Way = { chance: CERTAIN, input, notrack: false, steps: [], end: { kind: 'next' } };
  const ways = walkChain(context, chain, entry, 0).map((way) =>
    way.end.kind === 'return' ? applyPolicy(context, chain, way) : way,
  );
  return mergeWays(ways, CERTAIN, keyOf, join).map(outcomeOf);
}

function applyPolicy(context: TableContext, chain: CompiledChain, way: Way): Way {
  const drops = chain.policy === 'DROP';
  const verdict: HookVerdict = { kind: drops ? 'drop' : chain.policy === 'QUEUE' ? 'queue' : 'accept' };
  const shown = drops || context.table.name === 'filter';
  const steps = shown ? [...way.steps, policyStep(context, chain, way.input)] : way.steps;
  return { ...way, steps, end: { kind: 'verdict', verdict } };
}

function outcomeOf(way: Way): HookOutcome {
  const verdict: HookVerdict = way.end.kind === 'verdict' ? way.end.verdict : { kind: 'accept' };
  return {
    chance: way.chance,
    ...(way.fork && !isCertain(way.chance) ? { fork: way.fork } : {}),
    verdict,
    packet: way.input.packet,
    meta: way.input.meta,
    ...(way.end.kind === 'nat' ? { nat: way.end.nat } : {}),
    ...(way.notrack ? { notrack: true } : {}),
    steps: way.steps,
  };
}

/** All ways through a chain; each ends in a verdict, a translation, or `return`. */
function walkChain(context: TableContext, chain: CompiledChain, entry: Way, depth: number): Way[] {
  if (depth > DEEPEST_CALL) return [unknownEnd(entry, `chains call each other more than ${DEEPEST_CALL} deep`)];
  let live: Way[] = [entry];
  const done: Way[] = [];
  // No target changes address or port before the table is left, so that the rules that can match stay the same.
  const candidates = entry.input.record === 'all' ? undefined : chain.index?.candidates(entry.input.packet);
  const count = candidates?.length ?? chain.ruleCount;
  for (let at = 0; at < count; at++) {
    const rule = chain.rule(candidates === undefined ? at : candidates[at]!);
    const next: Way[] = [];
    for (const way of live) {
      for (const result of applyRule(context, chain, rule, way, depth)) {
        (result.end.kind === 'next' ? next : done).push(result);
      }
    }
    live = next.length > 1 ? mergeLive(next) : next;
    if (live.length === 0) break;
  }
  done.push(...live.flatMap((way) => leaveChain(context, chain, way)));
  return mergeWays(done, entry.chance, keyOf, join);
}

/** Lines of this chain that were not understood may have been rules: from here on nothing is sure. */
function leaveChain(context: TableContext, chain: CompiledChain, way: Way): Way[] {
  const left: Way = { ...way, end: { kind: 'return' } };
  const lines = context.observed.unparsed.filter((line) => mayBelongTo(line.text ?? '', chain.name));
  if (lines.length === 0) return [left];
  const step = unparsedStep(context, chain, lines[0]!);
  const unsure: Way = { ...left, chance: both(way.chance, UNDECIDED), fork: 'undecided', steps: [...way.steps, step] };
  return [unsure, unknownEnd(unsure, `a line of ${chain.name} was not understood: ${lines[0]!.text}`)];
}

function mayBelongTo(line: string, chain: string): boolean {
  const named = /-A (?<chain>\S+)/.exec(line)?.groups?.chain;
  return named === undefined || named === chain;
}

function unknownEnd(way: Way, because: string): Way {
  return { ...way, end: { kind: 'verdict', verdict: { kind: 'unknown', because } } };
}

/** What becomes of one way at one rule: matched, passed over, or both. */
function applyRule(context: TableContext, chain: CompiledChain, rule: CompiledRule, way: Way, depth: number): Way[] {
  const match = rule.matches.evaluate(way.input);
  if (isImpossible(match.chance)) return [passedOver(context, chain, rule, way)];
  const effect = rule.target(way.input);
  const undecided = effect.kind === 'unmodelled' ? [...match.undecided, rule.rule.target!.name] : match.undecided;
  const step = ruleStep(context, chain, rule.rule, { ...match, undecided }, effect, way.input);
  const fork = forkOf(way, match, undecided.length > 0);
  const hit: Way = { ...way, ...fork, chance: both(way.chance, match.chance), steps: [...way.steps, step] };
  const hits = applyEffect(context, effect, hit, depth);
  if (isCertain(match.chance)) return mergeWays(hits, way.chance, keyOf, join);
  const steps = match.undecided.length > 0 ? hit.steps : way.steps;
  const missed: Way = { ...way, ...fork, chance: both(way.chance, opposite(match.chance)), steps };
  return mergeWays([...hits, missed], way.chance, keyOf, join);
}

/** A rule that does not match leaves no trace, unless the walk is to tell of every rule. */
function passedOver(context: TableContext, chain: CompiledChain, rule: CompiledRule, way: Way): Way {
  if (way.input.record !== 'all') return way;
  return { ...way, steps: [...way.steps, passedOverStep(context, chain, rule.rule, way.input)] };
}

function forkOf(way: Way, match: MatchOutcome, undecided: boolean): Pick<Way, 'fork'> {
  if (undecided || way.fork === 'undecided') return { fork: 'undecided' };
  return match.probability !== undefined || way.fork ? { fork: 'random' } : {};
}

function applyEffect(context: TableContext, effect: TargetEffect, way: Way, depth: number): Way[] {
  switch (effect.kind) {
    case 'continue':
      return [continued(way, effect)];
    case 'return':
      return [{ ...way, end: { kind: 'return' } }];
    case 'verdict': {
      const input = effect.meta ? { ...way.input, meta: effect.meta } : way.input;
      return [{ ...way, input, end: { kind: 'verdict', verdict: effect.verdict } }];
    }
    case 'nat':
      return [{ ...way, end: { kind: 'nat', nat: effect.nat } }];
    case 'either':
      return effect.verdicts.map((verdict) => ({
        ...way,
        fork: 'undecided',
        chance: both(way.chance, UNDECIDED),
        end: { kind: 'verdict', verdict },
      }));
    case 'chain':
      return callChain(context, effect, way, depth);
    case 'unmodelled': {
      const unsure: Way = { ...way, fork: 'undecided', chance: both(way.chance, UNDECIDED) };
      return [unsure, unknownEnd(unsure, `the target of ${way.steps.at(-1)!.at} is not modelled`)];
    }
  }
}

function continued(way: Way, effect: TargetEffect & { kind: 'continue' }): Way {
  const packet = effect.packet ?? way.input.packet;
  const meta = effect.notrack ? { ...way.input.meta, conntrack: 'untracked' as const } : effect.meta;
  if (packet === way.input.packet && meta === undefined) return way;
  const input = { ...way.input, packet, meta: meta ?? way.input.meta };
  return { ...way, input, notrack: way.notrack || effect.notrack === true };
}

/** After a jump the next rule of this chain follows; a goto leaves this chain with the one that it went to. */
function callChain(context: TableContext, effect: TargetEffect & { kind: 'chain' }, way: Way, depth: number): Way[] {
  const callee = context.table.chain(effect.name)!;
  const ways = walkChain(context, callee, way, depth + 1);
  if (effect.goto) return ways;
  return ways.map((result) => (result.end.kind === 'return' ? { ...result, end: { kind: 'next' } } : result));
}

function keyOf(way: Way): string {
  return JSON.stringify([way.end, way.notrack, way.input.packet, way.input.meta]);
}

function join(a: Way, b: Way): Way {
  const fork = a.fork === 'undecided' || b.fork === 'undecided' ? 'undecided' : (a.fork ?? b.fork);
  return { ...a, ...(fork ? { fork } : {}), steps: [...new Set([...a.steps, ...b.steps])] };
}

/** Ways of different origin that stand alike before the next rule. */
function mergeLive(ways: readonly Way[]): Way[] {
  const groups = new Map<string, Way>();
  for (const way of ways) {
    const key = keyOf(way);
    const former = groups.get(key);
    groups.set(key, former ? { ...join(former, way), chance: sum(former.chance, way.chance) } : way);
  }
  return [...groups.values()];
}
