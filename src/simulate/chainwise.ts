import type { Request } from '../host/host.ts';
import type { Observed } from '../snapshot/snapshot.ts';

/*
 * A rule set of 10,000 Services is more than its tool can list on a node: iptables-nft-save 1.8.9 takes 30 s and 200 MiB
 * for 170,000 rules in 60,000 chains, `nft -j list table` 194 MiB for 24,000 rules. One chain takes a few milliseconds. So
 * where the whole could not be had, the base chains are read, and then those that the packet comes to.
 */

/** A chain that is there, and whose rules are not at hand. */
export interface Unread {
  readonly because: string;
  /** What would tell them; empty where it was asked in vain. */
  readonly wants: readonly Request[];
}

/** Whether the whole was more than the tool's time, its memory or a reply's bytes allow. */
export function isTooMuch(observed: Observed<unknown>): boolean {
  if (observed.state === 'seen') return !observed.complete;
  return observed.gap === 'timed-out' || observed.gap === 'too-large' || observed.gap === 'failed';
}

/** Why the whole is not at hand, for a sentence. */
export function whyNotWhole(observed: Observed<unknown>): string {
  return observed.state === 'seen' ? 'the list was cut short' : `${observed.gap} ${observed.detail}`.trim();
}

export function unreadBecause(what: string, observed: Observed<unknown>): Unread {
  if (observed.state === 'seen') return { because: `${what} was not read wholly`, wants: [] };
  if (observed.gap === 'not-asked') return { because: `${what} was not asked for yet`, wants: [observed.want] };
  return { because: `${what}: ${observed.gap} ${observed.detail}`.trim(), wants: [] };
}

/** Chains of at most so many rules have all that they call read at once, which saves rounds. */
export const SHORT_CHAIN_RULES = 32;
/** Chains that are read so ahead of the packet; real rule sets have some thirty. */
export const CHAINS_AHEAD = 128;
