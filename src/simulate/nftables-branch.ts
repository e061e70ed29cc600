import type { HookVerdict } from './hook.ts';
import type { NftTest } from './nftables-match.ts';
import type { NftState } from './nftables-state.ts';
import type { Chance } from './trace.ts';
import { CERTAIN, UNDECIDED } from './truth.ts';

export type NftTurn =
  /** The next statement, or after the last one the next rule. */
  | { readonly kind: 'next' }
  /** The rule is left: it does not match. `behind`: its counter has counted, and this statement behind that leaves it. */
  | { readonly kind: 'break'; readonly behind?: string }
  | { readonly kind: 'return' }
  | { readonly kind: 'jump' | 'goto'; readonly chain: string }
  | { readonly kind: 'verdict'; readonly verdict: HookVerdict };

/** One way in which a statement, or a whole rule, can go. Ways exclude each other. */
export interface NftBranch {
  readonly turn: NftTurn;
  readonly state: NftState;
  readonly chance: Chance;
  readonly fork?: 'random' | 'undecided';
  /** What could not be decided on this way, in nft's words. */
  readonly doubts: readonly string[];
  /** What was met that is not modelled and does not decide where the packet goes. */
  readonly features: readonly string[];
}

export const ACCEPT: NftTurn = { kind: 'verdict', verdict: { kind: 'accept' } };
export const DROP: NftTurn = { kind: 'verdict', verdict: { kind: 'drop' } };
export const NEXT: NftTurn = { kind: 'next' };
export const BREAK: NftTurn = { kind: 'break' };

const NONE: readonly string[] = [];

export function one(turn: NftTurn, state: NftState): NftBranch {
  return { turn, state, chance: CERTAIN, doubts: NONE, features: NONE };
}

/** What becomes of the packet is not modelled. */
export function lost(state: NftState, because: string): NftBranch {
  return one({ kind: 'verdict', verdict: { kind: 'unknown', because } }, state);
}

export function fromTest(test: NftTest, state: NftState): readonly NftBranch[] {
  // Mostly it is sure.
  if (test.no.max === 0 && test.yes === CERTAIN && !test.fork && test.doubts.length === 0) return [one(NEXT, state)];
  if (test.yes.max === 0 && test.no === CERTAIN && !test.fork && test.doubts.length === 0) return [one(BREAK, state)];
  const shared = { state, doubts: test.doubts, features: NONE, ...(test.fork ? { fork: test.fork } : {}) };
  const branches: NftBranch[] = [];
  if (test.yes.max > 0) branches.push({ ...shared, turn: NEXT, chance: test.yes });
  if (test.no.max > 0) branches.push({ ...shared, turn: BREAK, chance: test.no });
  return branches;
}

/** A statement that is not understood may let the packet go on, accept it or drop it. */
export function unknownEffect(state: NftState, what: string): readonly NftBranch[] {
  return [ACCEPT, DROP, NEXT].map((turn) => ({
    turn,
    state,
    chance: UNDECIDED,
    fork: 'undecided',
    doubts: [what],
    features: [],
  }));
}
