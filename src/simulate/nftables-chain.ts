import type { NftChain, NftRule } from '../parse/nft-json.ts';
import { chainsOf } from '../parse/nft-json-table.ts';
import { groupAlike } from './group-alike.ts';
import type { HookOutcome } from './hook.ts';
import type { NftBranch, NftTurn } from './nftables-branch.ts';
import { unreadOf } from './nftables-chainwise.ts';
import { together } from './nftables-datum.ts';
import { passedOverStep } from './nftables-passed-over.ts';
import { runRule } from './nftables-rule.ts';
import { type NftWalkPlace, policyStep, ruleStep } from './nftables-rule-step.ts';
import { type NftScope, type NftState, stateKey } from './nftables-state.ts';
import { sameValue } from './same-value.ts';
import type { Step } from './trace.ts';
import { both, CERTAIN, UNDECIDED } from './truth.ts';

/** How deep the kernel lets jumps nest (NFT_JUMP_STACK_SIZE, include/net/netfilter/nf_tables.h). */
const JUMPS_MAX = 16;
/** Rules that one walk through a base chain may run; beyond it the rest is not known. A fork counts for several. */
const RULES_MAX = 50_000;
const FORK_COST = 50;
/** Rules that may match on one way without a fork; real rule sets stay below a hundred. */
const STEPS_MAX = 1_000;
/** Rules with several ways that may lie one after the other on one way. */
const FORKS_MAX = 500;

interface Frame {
  readonly chain: NftChain;
  /** Index of the rule that comes next. */
  readonly next: number;
}

interface Walk {
  readonly place: NftWalkPlace;
  readonly chains: ReadonlyMap<string, NftChain>;
  /** By the chain that comes next: few ways come to one. */
  readonly known: Map<NftChain | undefined, KnownEnds[]>;
  rules: number;
  forks: number;
}

interface KnownEnds {
  readonly frames: readonly Frame[];
  readonly state: NftState;
  readonly ends: readonly HookOutcome[];
}

/**
 * What a base chain can do with the packet (nft_do_chain in net/netfilter/nf_tables_core.c). Where a rule draws lots or is
 * not decided, every way is walked; ways that end alike are one outcome again, whose chance is then exact.
 */
export function walkBaseChain(place: NftWalkPlace, state: NftState): readonly HookOutcome[] {
  const walk: Walk = { place, chains: chainsOf(place.scope.table), known: new Map(), rules: 0, forks: 0 };
  return walkOn(walk, [{ chain: place.base, next: 0 }], state);
}

function walkOn(walk: Walk, start: readonly Frame[], startState: NftState): readonly HookOutcome[] {
  const steps: Step[] = [];
  let matched = 0;
  let frames = start;
  let frame = frames.at(-1);
  // The rule that comes next in the last frame's chain.
  let next = frame?.next ?? 0;
  let state = startState;
  let scope: NftScope = { ...walk.place.scope, state };
  while (frame) {
    const { chain }: Frame = frame;
    const unread = next === 0 ? unreadOf(chain) : undefined;
    if (unread) return [outcome(steps, state, { kind: 'unknown', ...unread })];
    const rule = chain.rules[next];
    if (!rule) {
      frames = frames.slice(0, -1);
      frame = frames.at(-1);
      next = frame?.next ?? 0;
      continue;
    }
    walk.rules++;
    if (walk.rules > RULES_MAX || matched > STEPS_MAX)
      return notWalked(walk, steps, state, 'more rules than are walked');
    if (scope.state !== state) scope = { ...walk.place.scope, state };
    const at: RuleAt = { rule, chain, state };
    const branches = runRule(rule, scope);
    if (branches.length !== 1) {
      return withSteps(steps, forked(walk, { ...at, frames: standingAt(frames, next) }, branches));
    }
    const branch = branches[0]!;
    const step = stepOf(walk, at, branch);
    if (step) steps.push(step);
    if (branch.turn.kind !== 'break') matched++;
    state = branch.state;
    if (branch.turn.kind === 'break' || branch.turn.kind === 'next') {
      next++;
      continue;
    }
    const following = follow(walk, standingAt(frames, next), branch.turn);
    if (following === 'verdict') return [finished(branch, steps, state)];
    if (following === 'lost') return notWalked(walk, steps, state, lostText(branch.turn));
    frames = following;
    frame = frames.at(-1);
    next = frame?.next ?? 0;
  }
  return [ended(walk, steps, state)];
}

/** The frames with the last one's rule as it is. */
function standingAt(frames: readonly Frame[], next: number): readonly Frame[] {
  const last = frames.at(-1)!;
  return last.next === next ? frames : [...frames.slice(0, -1), { chain: last.chain, next }];
}

/** A rule that does not match leaves no trace, unless the walk is to tell of every rule. */
function passedOver(walk: Walk, at: RuleAt, branch: NftBranch): Step | undefined {
  if (walk.place.scope.input.record !== 'all' || branch.turn.kind !== 'break') return undefined;
  return passedOverStep(at.rule, at.chain, at.state, walk.place);
}

interface RuleAt {
  readonly rule: NftRule;
  readonly chain: NftChain;
  /** As the packet came to the rule. */
  readonly state: NftState;
}

interface ForkAt extends RuleAt {
  readonly frames: readonly Frame[];
}

function stepOf(walk: Walk, at: RuleAt, branch: NftBranch): Step | undefined {
  return ruleStep(at.rule, at.chain, branch, at.state, walk.place) ?? passedOver(walk, at, branch);
}

function forked(walk: Walk, at: ForkAt, branches: readonly NftBranch[]): readonly HookOutcome[] {
  if (walk.forks >= FORKS_MAX) return notWalked(walk, [], at.state, `more than ${FORKS_MAX} forks`);
  walk.rules += FORK_COST;
  walk.forks++;
  const ways = branches.map((branch) => ({ branch, ends: take(walk, at, branch) }));
  walk.forks--;
  return combine(ways);
}

/** One way out of a rule that has several, to its ends; chances are as from this rule on. */
function take(walk: Walk, at: ForkAt, branch: NftBranch): readonly HookOutcome[] {
  const step = stepOf(walk, at, branch);
  const steps = step ? [step] : [];
  const following = follow(walk, at.frames, branch.turn);
  if (following === 'verdict') return [finished(branch, steps, branch.state)];
  if (following === 'lost') return notWalked(walk, steps, branch.state, lostText(branch.turn));
  return withSteps(steps, endsFrom(walk, following, branch.state));
}

/** Ways that meet again are walked on once. */
function endsFrom(walk: Walk, frames: readonly Frame[], state: NftState): readonly HookOutcome[] {
  const chain = frames.at(-1)?.chain;
  const known = walk.known.get(chain) ?? [];
  walk.known.set(chain, known);
  const former = known.find((one) => isSamePlace(one.frames, frames) && isSameState(one.state, state));
  if (former) return former.ends;
  const ends = walkOn(walk, frames, state);
  known.push({ frames, state, ends });
  return ends;
}

function isSamePlace(a: readonly Frame[], b: readonly Frame[]): boolean {
  if (a.length !== b.length) return false;
  return a.every(({ chain, next }, index) => chain === b[index]!.chain && next === b[index]!.next);
}

function isSameState(a: NftState, b: NftState): boolean {
  return a === b || stateKey(a) === stateKey(b);
}

/** Where a rule's turn leads: the frames to go on with, a verdict, or a chain that is not there. */
function follow(walk: Walk, frames: readonly Frame[], turn: NftTurn): readonly Frame[] | 'verdict' | 'lost' {
  const callers = frames.slice(0, -1);
  const frame = frames.at(-1)!;
  const here = { chain: frame.chain, next: frame.next + 1 };
  switch (turn.kind) {
    case 'next':
    case 'break':
      return [...callers, here];
    case 'return':
      return callers;
    case 'jump':
    case 'goto': {
      const chain = walk.chains.get(turn.chain);
      if (!chain || frames.length > JUMPS_MAX) return 'lost';
      // A goto leaves nothing to come back to in its own chain.
      return turn.kind === 'jump' ? [...callers, here, { chain, next: 0 }] : [...callers, { chain, next: 0 }];
    }
    case 'verdict':
      return 'verdict';
  }
}

function lostText(turn: NftTurn): string {
  return `chain ${'chain' in turn ? turn.chain : ''} is not among the chains that were read`;
}

function ended(walk: Walk, steps: readonly Step[], state: NftState): HookOutcome {
  const drops = walk.place.base.base?.policy === 'drop';
  return outcome([...steps, policyStep(walk.place)], state, { kind: drops ? 'drop' : 'accept' });
}

function finished(branch: NftBranch, steps: readonly Step[], state: NftState): HookOutcome {
  return outcome(steps, state, branch.turn.kind === 'verdict' ? branch.turn.verdict : { kind: 'accept' });
}

function outcome(steps: readonly Step[], state: NftState, verdict: HookOutcome['verdict']): HookOutcome {
  return {
    chance: CERTAIN,
    verdict: verdict.kind === 'accept' && state.tproxy ? state.tproxy : verdict,
    packet: state.packet,
    meta: state.meta,
    ...(state.nat ? { nat: state.nat } : {}),
    ...(state.notrack ? { notrack: true } : {}),
    ...(state.touched.length > 0 ? { touched: state.touched } : {}),
    steps,
  };
}

/** From here on nothing is known: the packet may be accepted or dropped. */
function notWalked(walk: Walk, steps: readonly Step[], state: NftState, why: string): readonly HookOutcome[] {
  const { values } = policyStep(walk.place);
  const unknown: Step = {
    ...policyStep(walk.place),
    kind: 'filter',
    matched: 'unknown',
    values: { ...values, reason: 'unseen' },
    text: why,
    features: [why],
  };
  return (['accept', 'drop'] as const).map((kind) => ({
    ...outcome([...steps, unknown], state, { kind }),
    chance: UNDECIDED,
    fork: 'undecided',
  }));
}

function withSteps(steps: readonly Step[], ends: readonly HookOutcome[]): readonly HookOutcome[] {
  if (steps.length === 0) return ends;
  return ends.map((end) => ({ ...end, steps: [...steps, ...end.steps] }));
}

interface Way {
  readonly branch: NftBranch;
  readonly ends: readonly HookOutcome[];
}

/** The ends of all ways of one fork; an end that several ways share is told once. */
function combine(ways: readonly Way[]): readonly HookOutcome[] {
  const all = ways.flatMap((way, index) => way.ends.map((end): EndOfWay => ({ end, way: index })));
  const groups = groupAlike(all, faresAlike, ({ end }) => endKey(end));
  return groups.map((group) => {
    const row = new Array<HookOutcome | undefined>(ways.length).fill(undefined);
    for (const { end, way } of group) row[way] = end;
    return combined(row, ways, groups.length);
  });
}

interface EndOfWay {
  readonly end: HookOutcome;
  readonly way: number;
}

function combined(row: readonly (HookOutcome | undefined)[], ways: readonly Way[], ends: number): HookOutcome {
  const shown = row.findLast((end) => end !== undefined)!;
  const { fork: _, ...rest } = { ...shown, steps: sharedSteps(row) };
  const chance = ends === 1 ? CERTAIN : chanceOf(row, ways);
  if (chance.min === 1) return { ...rest, chance };
  const undecided = row.some((end, way) => end && (end.fork === 'undecided' || ways[way]!.branch.fork === 'undecided'));
  return { ...rest, chance, fork: undecided || chance.min !== chance.max ? 'undecided' : 'random' };
}

/**
 * The steps of ways that come to the same end: the last way's (there the rule was not taken, so they also show what
 * decided in its place), and before them what only the others met. What not all ways met is not certain to have been met.
 */
function sharedSteps(row: readonly (HookOutcome | undefined)[]): readonly Step[] {
  const lists = row.flatMap((end) => (end ? [end.steps] : []));
  const last = lists.at(-1)!;
  if (lists.length === 1) return last;
  const places = lists.map((steps) => new Set(steps.map((step) => step.at)));
  const isMetByAll = (step: Step): boolean => places.every((met) => met.has(step.at));
  const others = new Map<string, Step>();
  for (const step of lists.slice(0, -1).flat()) if (!places.at(-1)!.has(step.at)) others.set(step.at, step);
  return [...[...others.values()].map(perhapsMet), ...last.map((step) => (isMetByAll(step) ? step : perhapsMet(step)))];
}

function perhapsMet(step: Step): Step {
  return step.matched === 'yes' ? { ...step, matched: 'unknown' } : step;
}

/** One of the ways is taken: if all are undecided the bounds are the outermost ones, otherwise they add up. */
function chanceOf(row: readonly (HookOutcome | undefined)[], ways: readonly Way[]): HookOutcome['chance'] {
  const within = row.map((end) => end?.chance ?? { min: 0, max: 0 });
  if (ways.every((way) => way.branch.chance.min === 0 && way.branch.chance.max === 1)) {
    return { min: Math.min(...within.map((c) => c.min)), max: Math.max(...within.map((c) => c.max)) };
  }
  return together(within.map((chance, index) => both(ways[index]!.branch.chance, chance)));
}

/** Outcomes are alike if the packet fares alike; for one that ends here, only if the same rule or policy ended it. */
function faresAlike({ end: a }: EndOfWay, { end: b }: EndOfWay): boolean {
  return (
    sameValue(a.nat, b.nat) &&
    sameValue(a.verdict, b.verdict) &&
    sameValue(a.packet, b.packet) &&
    sameValue(a.meta, b.meta) &&
    a.notrack === b.notrack &&
    sameValue(a.touched, b.touched) &&
    endedBy(a) === endedBy(b)
  );
}

function endKey(end: HookOutcome): string {
  return JSON.stringify([end.verdict, end.packet, end.meta, end.nat, end.notrack, end.touched, endedBy(end)]);
}

function endedBy({ verdict, steps }: HookOutcome): string {
  return verdict.kind === 'accept' ? '' : (steps.at(-1)?.at ?? '');
}
