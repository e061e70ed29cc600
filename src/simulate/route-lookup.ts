import type { Family } from '../net/address.ts';
import type { Place } from '../net/place.ts';
import type { NextHop, Route } from '../parse/ip-route.ts';
import type { RoutingRule } from '../parse/ip-rule.ts';
import type { Snapshot, Unseen } from '../snapshot/snapshot.ts';
import type { RouteKey } from './route-rule.ts';
import type { Chance } from './trace.ts';

/** What a look-up found: a route with the one next hop that is taken, or nothing. */
export interface RouteFound {
  readonly type: string; // unicast, local, broadcast, multicast, anycast, blackhole, unreachable, prohibit, none
  readonly route?: Route;
  readonly hop?: NextHop;
  readonly rule?: RoutingRule;
}

export interface RouteWay {
  readonly chance: Chance;
  readonly fork?: 'multipath' | 'undecided';
  readonly found: RouteFound;
  /** Why this way is not sure: the rule's undecided selectors, or lines that were not understood. */
  readonly doubt?: string;
}

/** One look-up under way. */
export interface LookupContext {
  readonly snapshot: Snapshot;
  readonly place: Place;
  readonly family: Family;
  readonly key: RouteKey;
  readonly routes: readonly Route[];
  readonly rules: readonly RoutingRule[];
  /** Set where a fact that nobody asked for would tell the answer. */
  readonly missing: { unseen?: Unseen };
}

/** What one table gave; nothing where the next rule is tried. */
export interface TableHit {
  readonly ways: readonly RouteWay[];
  /** The route is an error, which no rule suppresses (fib_rules_lookup). */
  readonly refuses: boolean;
}

/** Route types that the look-up returns as an error. */
export const REFUSING: ReadonlySet<string> = new Set(['blackhole', 'unreachable', 'prohibit']);
