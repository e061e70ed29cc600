import type { Scalar } from '../host/host.ts';
import type { NftChain, NftRule } from '../parse/nft-json.ts';
import type { Source } from '../snapshot/snapshot.ts';
import type { HookVerdict } from './hook.ts';
import type { NftBranch, NftTurn } from './nftables-branch.ts';
import { sourceOfChain } from './nftables-chainwise.ts';
import { changesBetween, type NftScope, type NftState } from './nftables-state.ts';
import type { Step } from './trace.ts';

/** Where a base chain is being walked. */
export interface NftWalkPlace {
  readonly scope: Omit<NftScope, 'state'>;
  readonly base: NftChain;
  readonly source: Source;
}

/** What the rule did, as a step; undefined where it certainly did not match or, after all, did nothing. */
export function ruleStep(
  rule: NftRule,
  chain: NftChain,
  branch: NftBranch,
  before: NftState,
  place: NftWalkPlace,
): Step | undefined {
  const undecided = branch.doubts.length > 0;
  if (branch.turn.kind === 'break' && branch.turn.behind === undefined && !undecided) return undefined;
  // A rule that only says where to go on says it in the same words to every packet.
  const isPlain = !undecided && branch.state === before && branch.features.length === 0;
  return isPlain ? plainStep(rule, chain, branch, before, place) : newRuleStep(rule, chain, branch, before, place);
}

const plainSteps = new WeakMap<NftRule, PlainStep[]>();
const PLAIN_STEPS_MAX = 64;

interface PlainStep extends Kept {
  readonly base: NftChain;
  readonly kind: NftTurn['kind'];
  readonly where: string | undefined;
  readonly chance: number | undefined;
}

function plainStep(rule: NftRule, chain: NftChain, branch: NftBranch, before: NftState, place: NftWalkPlace): Step {
  const { request } = place.source;
  const { hook } = place.scope.input;
  const { turn } = branch;
  const { base } = place;
  const { kind } = turn;
  const where = whereOf(turn);
  const chance = branch.fork === 'random' ? branch.chance.max : undefined;
  const steps = plainSteps.get(rule) ?? [];
  const known = steps.find(
    (one) =>
      one.base === base &&
      one.kind === kind &&
      one.where === where &&
      one.chance === chance &&
      one.hook === hook &&
      one.request === request,
  );
  if (known) return known.step;
  const step = newRuleStep(rule, chain, branch, before, place);
  if (steps.length >= PLAIN_STEPS_MAX) steps.length = 0;
  steps.push({ base, kind, where, chance, hook, request, step });
  plainSteps.set(rule, steps);
  return step;
}

/** All that a turn says beside its kind. */
function whereOf(turn: NftTurn): string | undefined {
  if (turn.kind === 'jump' || turn.kind === 'goto') return turn.chain;
  if (turn.kind === 'break') return turn.behind;
  return turn.kind === 'verdict' ? verdictKey(turn.verdict) : undefined;
}

function verdictKey(verdict: HookVerdict): string {
  return verdict.kind === 'accept' || verdict.kind === 'drop' ? verdict.kind : JSON.stringify(verdict);
}

function newRuleStep(rule: NftRule, chain: NftChain, branch: NftBranch, before: NftState, place: NftWalkPlace): Step {
  const undecided = branch.doubts.length > 0;
  const { input, table } = place.scope;
  const effect = effectText(branch, before);
  return {
    kind: 'rule',
    at: `${input.hook} nft ${table.family} ${table.name} ${chain.name}#${rule.number}`,
    matched: undecided ? 'unknown' : 'yes',
    source: { request: (sourceOfChain(chain) ?? place.source).request, text: rule.text },
    values: {
      ...placeValues(place),
      chain: chain.name,
      handle: rule.handle,
      ruleNumber: rule.number,
      ruleText: rule.text,
      ...(rule.comment === undefined ? {} : { comment: rule.comment }),
      ...(rule.packets === undefined ? {} : { packets: rule.packets }),
      ...turnValues(branch.turn, branch.state.nat !== before.nat),
      ...natValues(branch.state, before),
      ...(branch.fork === 'random' ? { probability: branch.chance.max } : {}),
      ...(undecided ? { undecided: branch.doubts.join('; ') } : {}),
    },
    text: undecided ? undecidedText(branch, effect) : effect || 'nothing that decides',
    changes: changesBetween(before, branch.state),
    features: [...new Set([...branch.doubts, ...branch.features])],
  };
}

interface Kept {
  readonly request: Source['request'];
  readonly hook: string;
  readonly step: Step;
}

const policySteps = new WeakMap<NftChain, Kept>();

/** The base chain's policy, which decides where no rule has. */
export function policyStep(place: NftWalkPlace): Step {
  const { request } = place.source;
  const { hook } = place.scope.input;
  const known = policySteps.get(place.base);
  if (known && known.request === request && known.hook === hook) return known.step;
  const step = newPolicyStep(place);
  policySteps.set(place.base, { request, hook, step });
  return step;
}

function newPolicyStep(place: NftWalkPlace): Step {
  const { input, table } = place.scope;
  const policy = place.base.base?.policy ?? 'accept';
  return {
    kind: 'policy',
    at: `${input.hook} nft ${table.family} ${table.name} ${place.base.name} policy`,
    matched: 'yes',
    source: { request: place.source.request, text: `policy ${policy}` },
    values: { ...placeValues(place), chain: place.base.name, policy: policy === 'drop' ? 'DROP' : 'ACCEPT' },
    text: `${table.family} ${table.name} ${place.base.name}: policy ${policy}`,
    changes: [],
    features: [],
  };
}

export function placeValues(place: NftWalkPlace): Record<string, Scalar> {
  const { input, table } = place.scope;
  return {
    backend: 'nft',
    family: table.family,
    table: table.name,
    baseChain: place.base.name,
    hook: input.hook,
    priority: place.base.base?.priority ?? 0,
  };
}

/** `verdict` where the rule ends the walk through its chain, `target` where it calls or goes to another (step-values.ts). */
function turnValues(turn: NftTurn, hasNat: boolean): Record<string, Scalar> {
  switch (turn.kind) {
    case 'verdict':
      return { verdict: hasNat ? 'nat' : turn.verdict.kind, ...rejectValues(turn.verdict) };
    case 'jump':
    case 'goto':
      return { target: turn.chain };
    case 'return':
      return { verdict: 'return' };
    default:
      return {};
  }
}

function rejectValues(verdict: HookVerdict): Record<string, Scalar> {
  if (verdict.kind !== 'reject') return {};
  return { rejectWith: verdict.with === 'tcp-reset' ? 'tcp-reset' : `icmp ${verdict.with.type}/${verdict.with.code}` };
}

function natValues(state: NftState, before: NftState): Record<string, Scalar> {
  const { nat } = state;
  if (!nat || nat === before.nat) return {};
  return {
    nat: nat.masquerade ? 'masquerade' : nat.redirect ? 'redirect' : nat.kind,
    ...(nat.to.address === undefined ? {} : { toAddress: nat.to.address }),
    ...(nat.to.port === undefined ? {} : { toPort: nat.to.port }),
  };
}

function effectText(branch: NftBranch, before: NftState): string {
  const changes = changesBetween(before, branch.state).map((change) =>
    change.field.endsWith('mark')
      ? `${change.field} ${hex(change.from)} → ${hex(change.to)}`
      : `${change.field} ${change.from} → ${change.to}`,
  );
  const turn = turnText(branch.turn, branch.state, before);
  return [...changes, ...(turn === '' ? [] : [turn])].join(', ');
}

/** The step stands on one way out of the rule: what it does there, or that it is taken not to match. */
function undecidedText(branch: NftBranch, effect: string): string {
  const what = `not decided (${branch.doubts.join('; ')})`;
  if (branch.turn.kind === 'break') return `${what}; here: does not match`;
  return effect === '' ? `${what}; either way the packet goes on` : `${what}; here: ${effect}`;
}

function hex(value: Scalar): string {
  return typeof value === 'number' ? `0x${value.toString(16)}` : String(value);
}

function turnText(turn: NftTurn, state: NftState, before: NftState): string {
  switch (turn.kind) {
    case 'jump':
    case 'goto':
      return `${turn.kind} ${turn.chain}`;
    case 'return':
      return 'return';
    case 'break':
      return turn.behind === undefined ? '' : `counts, and is left at: ${turn.behind}`;
    case 'verdict':
      return state.nat && state.nat !== before.nat ? natText(state.nat) : verdictText(turn.verdict);
    default:
      return '';
  }
}

function natText(nat: NonNullable<NftState['nat']>): string {
  if (nat.masquerade) return 'masquerade';
  const address = nat.to.address ?? '';
  const port = nat.to.port === undefined ? '' : `:${nat.to.port}`;
  if (nat.redirect) return `redirect to this host${port}`;
  return `${nat.kind} NAT to ${address.includes(':') && port !== '' ? `[${address}]` : address}${port}`;
}

function verdictText(verdict: HookVerdict): string {
  if (verdict.kind === 'tproxy') return `TPROXY to ${verdict.address ?? 'this host'}:${verdict.port ?? 'same port'}`;
  if (verdict.kind !== 'reject') return verdict.kind;
  return `reject with ${verdict.with === 'tcp-reset' ? 'a TCP reset' : `ICMP ${verdict.with.type}/${verdict.with.code}`}`;
}
