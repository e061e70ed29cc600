import type { IptablesRuleset } from '../parse/iptables-save.ts';
import type { Seen } from '../snapshot/snapshot.ts';
import { isCertain, isImpossible, isPoint, opposite } from './chances.ts';
import type { HookInput, HookOutcome, HookVerdict } from './hook.ts';
import type { Backend } from './iptables.ts';
import { wantsBelow } from './iptables-chainwise.ts';
import type { CompiledChain, CompiledTable } from './iptables-compile.ts';
import type { CompiledRule } from './iptables-compile-rule.ts';
import type { MatchOutcome } from './iptables-match.ts';
import { passedOverStep } from './iptables-passed-over.ts';
import { policyStep, ruleStep, unparsedStep } from './iptables-steps.ts';
import type { TargetEffect } from './iptables-target.ts';
import { type End, merged, mergeLive, NEXT, RETURN, type Way } from './iptables-way.ts';
import type { Step } from './trace.ts';
import { both, CERTAIN, UNDECIDED } from './truth.ts';

export interface TableContext {
  readonly backend: Backend;
  readonly table: CompiledTable;
  /** The reply that shows the table; undefined where each chain has its own. */
  readonly observed: Seen<IptablesRuleset> | undefined;
  readonly policySteps: Map<CompiledChain, Step>;
}

/** The reply that shows this chain. */
export function observedOf(context: TableContext, chain: CompiledChain): Seen<IptablesRuleset> {
  return chain.observed ?? context.observed!;
}

const ACCEPT: HookVerdict = { kind: 'accept' };

/** The kernel refuses deeper rule sets and loops (ip_tables.c, mark_source_chains). */
const DEEPEST_CALL = 64;

/** Walks one built-in chain as ipt_do_table does; chance and undecided rules give several outcomes. */
export function evaluateBaseChain(
  context: TableContext,
  chain: CompiledChain,
  input: HookInput,
): readonly HookOutcome[] {
  const entry: Way = { chance: CERTAIN, fork: undefined, input, notrack: false, steps: [], end: NEXT };
  const ways = walkChain(context, chain, entry, 0, RETURN);
  if (!ways.some((way) => way.end === RETURN)) return ways.map(outcomeOf);
  const ended = ways.map((way) => (way.end === RETURN ? applyPolicy(context, chain, way) : way));
  return merged(ended, CERTAIN).map(outcomeOf);
}

function applyPolicy(context: TableContext, chain: CompiledChain, way: Way): Way {
  const drops = chain.policy === 'DROP';
  const verdict: HookVerdict = drops ? { kind: 'drop' } : chain.policy === 'QUEUE' ? { kind: 'queue' } : ACCEPT;
  const shown = drops || context.table.name === 'filter';
  const steps = shown ? [...way.steps, policyStepOf(context, chain, way.input)] : way.steps;
  return { ...way, steps, end: { kind: 'verdict', verdict } };
}

function policyStepOf(context: TableContext, chain: CompiledChain, input: HookInput): Step {
  const step = context.policySteps.get(chain) ?? policyStep(context, chain, input);
  context.policySteps.set(chain, step);
  return step;
}

function outcomeOf(way: Way): HookOutcome {
  const verdict = way.end.kind === 'verdict' ? way.end.verdict : ACCEPT;
  const { chance, fork, input, end, steps } = way;
  const outcome: { -readonly [K in keyof HookOutcome]: HookOutcome[K] } = {
    chance,
    verdict,
    packet: input.packet,
    meta: input.meta,
    steps,
  };
  if (fork && !isCertain(chance)) outcome.fork = fork;
  if (end.kind === 'nat') outcome.nat = end.nat;
  if (way.notrack) outcome.notrack = true;
  if (input.hasTemplate) outcome.hasTemplate = true;
  if (input.touched && input.touched.length > 0) outcome.touched = input.touched;
  return outcome;
}

/**
 * All ways through a chain, those that are alike as one; each ends in a verdict, a translation, or as the chain is `left`:
 * at its end or by RETURN.
 */
function walkChain(context: TableContext, chain: CompiledChain, entry: Way, depth: number, left: End): readonly Way[] {
  if (depth > DEEPEST_CALL) return [unknownEnd(entry, `chains call each other more than ${DEEPEST_CALL} deep`)];
  let live: readonly Way[] = [entry];
  const done: Way[] = [];
  // No target changes address or port before the table is left, so that the rules that can match stay the same.
  const candidates = entry.input.record === 'all' ? undefined : chain.index?.candidates(entry.input.packet);
  const count = candidates?.length ?? chain.ruleCount;
  for (let at = 0; at < count && live.length > 0; at++) {
    const rule = chain.rule(candidates === undefined ? at : candidates[at]!);
    const isUndivided = done.length === 0 && live.length === 1 && live[0]!.chance === entry.chance;
    live = passRule(context, chain, rule, depth, live, done);
    // What one rule makes of the only way was put together there; mostly it is what a chain made that it calls.
    if (isUndivided && live.length === 0) return leftBy(done, left);
  }
  const { unparsed } = observedOf(context, chain);
  const behind = unparsed.length === 0 ? live : live.flatMap((way) => leaveChain(context, chain, way));
  return merged(leftBy(done.length === 0 ? behind : [...done, ...behind], left), entry.chance);
}

/** Ways that went on to the chain's end, or were returned from it. */
function leftBy(ways: readonly Way[], left: End): readonly Way[] {
  const stays = ways.every(({ end }) => end === left || (end.kind !== 'next' && end.kind !== 'return'));
  if (stays) return ways;
  return ways.map((way) => (way.end.kind === 'next' || way.end.kind === 'return' ? { ...way, end: left } : way));
}

/** The ways that go on behind a rule; those that it ends are put to `done`. Mostly it is one, which the rule is not about. */
function passRule(
  context: TableContext,
  chain: CompiledChain,
  rule: CompiledRule,
  depth: number,
  live: readonly Way[],
  done: Way[],
): readonly Way[] {
  let next: Way[] | undefined;
  for (let index = 0; index < live.length; index++) {
    const way = live[index]!;
    const match = rule.matches.evaluate(way.input);
    const isPassedOver = isImpossible(match.chance);
    if (isPassedOver && next === undefined && way.input.record === undefined) continue;
    const results = isPassedOver
      ? [passedOver(context, chain, rule, way)]
      : applyRule(context, chain, rule, match, way, depth);
    if (live.length === 1 && results.length === 1 && results[0]!.end === NEXT) return results;
    next ??= live.slice(0, index);
    for (const result of results) (result.end === NEXT ? next : done).push(result);
  }
  if (next === undefined) return live;
  return next.length > 1 ? mergeLive(next) : next;
}

/** Lines of this chain that were not understood may have been rules: from here on nothing is sure. */
function leaveChain(context: TableContext, chain: CompiledChain, way: Way): readonly Way[] {
  const lines = observedOf(context, chain).unparsed.filter((line) => mayBelongTo(line.text ?? '', chain.name));
  if (lines.length === 0) return [way];
  const step = unparsedStep(context, chain, lines[0]!);
  const unsure: Way = { ...way, chance: both(way.chance, UNDECIDED), fork: 'undecided', steps: [...way.steps, step] };
  return [unsure, unknownEnd(unsure, `a line of ${chain.name} was not understood: ${lines[0]!.text}`)];
}

/** A remark tells of tables and base chains that are not iptables' own: those are read from nft's list. */
function mayBelongTo(line: string, chain: string): boolean {
  if (line.startsWith('#')) return false;
  const named = /-A (?<chain>\S+)/.exec(line)?.groups?.chain;
  return named === undefined || named === chain;
}

function unknownEnd(way: Way, because: string): Way {
  return { ...way, end: { kind: 'verdict', verdict: { kind: 'unknown', because } } };
}

/** What becomes of one way at a rule that may match it: the target's doing, and the way past it. */
function applyRule(
  context: TableContext,
  chain: CompiledChain,
  rule: CompiledRule,
  match: MatchOutcome,
  way: Way,
  depth: number,
): readonly Way[] {
  const effect = rule.target(way.input);
  const undecided = effect.kind === 'unmodelled' ? [...match.undecided, rule.rule.target!.name] : match.undecided;
  const step =
    undecided.length > 0
      ? ruleStep(context, chain, rule.rule, { ...match, undecided }, effect, way.input)
      : decidedStep(context, chain, rule, match, effect, way.input);
  const fork = forkOf(way, match, undecided.length > 0);
  const certain = isCertain(match.chance);
  const steps = [...way.steps, step];
  const hit: Way = { ...way, fork, chance: certain ? way.chance : both(way.chance, match.chance), steps };
  const hits = applyEffect(context, chain, rule, effect, hit, depth);
  // The ways through a chain have been put together there.
  if (certain) return effect.kind === 'chain' ? hits : merged(hits, way.chance);
  const kept = match.undecided.length > 0 ? steps : passedOver(context, chain, rule, way).steps;
  const missed: Way = { ...way, fork, chance: both(way.chance, opposite(match.chance)), steps: kept };
  // Where lots are drawn, both ways are sure of their chances, and one that ends is not the one that goes on.
  const isDrawn = isPoint(missed.chance) && hits.every((one) => one.end.kind !== 'next' && isPoint(one.chance));
  return isDrawn ? [...hits, missed] : merged([...hits, missed], way.chance);
}

/** What a rule does and says at a hook is mostly the same for every packet that it matches: an effect that is the same object changes nothing that depends on the packet. */
function decidedStep(
  context: TableContext,
  chain: CompiledChain,
  rule: CompiledRule,
  match: MatchOutcome,
  effect: TargetEffect,
  input: HookInput,
): Step {
  const { told } = rule;
  if (told?.effect === effect && told.context === context) return told.step;
  const step = ruleStep(context, chain, rule.rule, match, effect, input);
  if (!('meta' in effect) && !('packet' in effect)) rule.told = { context, effect, step };
  return step;
}

/** A rule that does not match leaves no trace, unless the walk is to tell of every rule. */
function passedOver(context: TableContext, chain: CompiledChain, rule: CompiledRule, way: Way): Way {
  if (way.input.record !== 'all') return way;
  return { ...way, steps: [...way.steps, passedOverStep(context, chain, rule.rule, way.input)] };
}

function forkOf(way: Way, match: MatchOutcome, undecided: boolean): Way['fork'] {
  if (undecided || way.fork === 'undecided') return 'undecided';
  return match.probability !== undefined ? 'random' : way.fork;
}

function applyEffect(
  context: TableContext,
  chain: CompiledChain,
  rule: CompiledRule,
  effect: TargetEffect,
  way: Way,
  depth: number,
): readonly Way[] {
  switch (effect.kind) {
    case 'continue':
      return [continued(way, effect)];
    case 'return':
      return [{ ...way, end: RETURN }];
    case 'verdict': {
      const input = effect.meta ? { ...way.input, meta: effect.meta } : way.input;
      return [{ ...way, input, end: { kind: 'verdict', verdict: effect.verdict } }];
    }
    case 'nat':
      return [{ ...way, end: { kind: 'nat', nat: effect.nat } }];
    case 'either':
      return effect.verdicts.map((verdict) => ({
        ...way,
        input: effect.meta ? { ...way.input, meta: effect.meta } : way.input,
        fork: 'undecided',
        chance: both(way.chance, UNDECIDED),
        end: { kind: 'verdict', verdict },
      }));
    case 'chain':
      return callChain(context, chain, rule, effect, way, depth);
    case 'unmodelled': {
      const unsure: Way = { ...way, fork: 'undecided', chance: both(way.chance, UNDECIDED) };
      return [unsure, unknownEnd(unsure, `the target of ${way.steps.at(-1)!.at} is not modelled`)];
    }
  }
}

function continued(way: Way, effect: TargetEffect & { kind: 'continue' }): Way {
  const packet = effect.packet ?? way.input.packet;
  const meta = effect.notrack ? { ...way.input.meta, conntrack: 'untracked' as const } : effect.meta;
  const { touched = [] } = way.input;
  const adds = effect.touched !== undefined && !touched.includes(effect.touched);
  if (packet === way.input.packet && meta === undefined && !effect.template && !adds) return way;
  const input: HookInput = {
    ...way.input,
    packet,
    meta: meta ?? way.input.meta,
    ...(effect.template ? { hasTemplate: true } : {}),
    ...(adds ? { touched: [...touched, effect.touched!].toSorted() } : {}),
  };
  return { ...way, input, notrack: way.notrack || effect.notrack === true };
}

/** After a jump the next rule of this chain follows; a goto leaves this chain with the one that it went to. */
function callChain(
  context: TableContext,
  chain: CompiledChain,
  rule: CompiledRule,
  effect: TargetEffect & { kind: 'chain' },
  way: Way,
  depth: number,
): readonly Way[] {
  rule.callee ??= context.table.chain(effect.name)!;
  const { callee } = rule;
  if (callee.unread) {
    const { because, wants } = callee.unread;
    const verdict = { kind: 'unknown', because, wants: [...wants, ...wantsBelow(context.table, chain)] } as const;
    return [{ ...way, end: { kind: 'verdict', verdict } }];
  }
  // kube-proxy calls some chains that are mostly empty.
  const left = effect.goto ? RETURN : NEXT;
  if (callee.ruleCount === 0 && observedOf(context, callee).unparsed.length === 0) return leftBy([way], left);
  return walkChain(context, callee, way, depth + 1, left);
}
