import type { Request } from '../host/host.ts';
import type { Place } from '../net/place.ts';
import type { FactArgs, FactName, Facts } from '../snapshot/facts.ts';
import type { Observed, Seen, SnapshotChange } from '../snapshot/snapshot.ts';
import type { Derived } from './derived.ts';
import type { Evidence } from './evidence.ts';
import type { AskOnly } from './fact-scope.ts';
import type { LeafRef } from './leaves.ts';

export type ClassId =
  | 'network-unreachable'
  | 'port-unreachable'
  | 'dns-failure'
  | 'large-packet-loss'
  | 'cni-fault'
  | 'intermittent'
  | 'latency';

/** Everything that a cause can need: the snapshot's facts and what the road derives from them. */
export type Known = Facts & Derived;

export interface Fix {
  readonly summary: string;
  /** To copy into a shell; a comment line starts with '#'. */
  readonly commands: readonly string[];
}

export type Finding =
  | {
      readonly is: 'present';
      /** The dead leaves of the walk that this cause accounts for. */
      readonly claims: readonly LeafRef[];
      readonly evidence: readonly [Evidence, ...Evidence[]];
      /** Where the fault sits, when that is another place than the one asked about; `object` names the thing at fault. */
      readonly place?: Place;
      /** The change to the state that would mend it, for the counterfactual. */
      readonly change?: readonly SnapshotChange[];
      readonly fix: Fix;
    }
  | { readonly is: 'absent'; readonly because: readonly Evidence[] | string }
  /** Needs were there but did not decide it: an unmodelled datapath, an incomplete list. */
  | { readonly is: 'unknown'; readonly because: string; readonly wants?: readonly Request[] };

/**
 * One root cause: data and one pure function over declared needs.
 * `at` says what it is checked once for, so that one forbidden node hides nothing elsewhere:
 * question (place CLUSTER), path-node (each node's host place that a walk touches), pod (each pod place of the question and
 * its walks), service (place CLUSTER with object `service/NS/NAME`), node (each node that was looked at).
 * A fact need is read at the place being checked, with the question's family where the fact has one; the engine answers
 * *unknown (missing)* itself when a need is unseen. Needs in `optional` are handed over as Observed.
 */
export interface Cause<N extends keyof Known = keyof Known, O extends keyof Known = never> {
  readonly id: string;
  readonly class: ClassId;
  readonly title: string;
  readonly gravity: 'fault' | 'by-design' | 'risk';
  readonly at: 'question' | 'path-node' | 'pod' | 'service' | 'node';
  readonly needs: readonly N[];
  readonly optional?: readonly O[];
  /** Ids of causes that this one is a narrower true name for: if both are present, they are dropped in favour of it. */
  readonly refines?: readonly string[];
  /** Ids of causes that are this one's consequences: if both are present, they are nested under it. */
  readonly explains?: readonly string[];
  /**
   * Set where no packet walk can show it (CNI state, API objects, DNS data): `check` tests this stated invariant, and
   * with live evidence (plane probe, capture or kernel) it counts as proven.
   */
  readonly invariant?: string;
  check(given: Given<N, O>, place: Place, ask: Ask<N | O>): Finding;
}

/** Facts whose arguments only the asker knows (AskOnly) are not handed over; they are read through `ask`. */
export type Given<N extends keyof Known, O extends keyof Known = never> = {
  readonly [K in Exclude<N, AskOnly>]: K extends keyof Derived ? Derived[K] : Seen<Known[K]>;
} & { readonly [K in Exclude<O, AskOnly>]: K extends keyof Derived ? Derived[K] | undefined : Observed<Known[K]> };

/** The same declared facts at another place or with other arguments; an undeclared fact does not compile. */
export interface Ask<N extends keyof Known> {
  <K extends N & FactName>(name: K, place: Place, args?: FactArgs): Observed<Facts[K]>;
  /** The second look after the probes, for changes of counters. */
  after<K extends N & FactName>(name: K, place: Place, args?: FactArgs): Observed<Facts[K]>;
}

export const defineCause = <const N extends keyof Known, const O extends keyof Known = never>(
  cause: Cause<N, O>,
): Cause<N, O> => cause;
