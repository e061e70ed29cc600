import type { Gap, Request } from '../host/host.ts';
import type { Place } from '../net/place.ts';
import type { FactArgs, FactName, Facts } from './facts.ts';

/** Where a statement comes from: the request that was answered, and the line of the answer. */
export interface Source {
  readonly request: Request;
  readonly line?: number;
  readonly text?: string;
}

/**
 * A value with its source, or the reason why it was not seen; never a bare undefined for "we don't know".
 * *Absence* ("no route", "no rule") may be claimed only where `isComplete` says so.
 */
export type Observed<T> = Seen<T> | Unseen;

export interface Seen<T> {
  readonly state: 'seen';
  readonly value: T;
  readonly source: Source;
  /** False where the reply was truncated or known to be a part. */
  readonly complete: boolean;
  readonly unparsed: readonly Source[];
}

export interface Unseen {
  readonly state: 'unseen';
  readonly gap: Gap;
  readonly detail: string;
  /** The request that would have told it. */
  readonly want: Request;
}

export function isComplete<T>(observed: Observed<T>): observed is Seen<T> {
  return observed.state === 'seen' && observed.complete && observed.unparsed.length === 0;
}

export interface Snapshot {
  /** The first reply to this question, parsed on first ask and kept. */
  fact<K extends FactName>(name: K, place: Place, args?: FactArgs): Observed<Facts[K]>;
  /** The reply of the second look after the probes (AFTER_PROBES); unseen where there was none. */
  after<K extends FactName>(name: K, place: Place, args?: FactArgs): Observed<Facts[K]>;
  /** Every network namespace of this node that some reply speaks of. */
  placesOf(node: string): readonly Place[];
  nodes(): readonly string[];
  /** An overlay with these changes applied to the parsed values; the snapshot itself does not change. */
  with(changes: readonly SnapshotChange[]): Snapshot;
}

export type SnapshotChange = { readonly place: Place; readonly text: string } & (
  | {
      readonly op: 'rule';
      readonly backend: 'iptables.legacy' | 'iptables.nft' | 'nft';
      readonly family: 4 | 6;
      readonly table: string;
      readonly chain: string;
      readonly act: 'remove' | 'insert';
      /** remove: the rule's number (iptables) or handle (nft); insert: before this number. */
      readonly number: number;
      /** insert: the rule in iptables-save's or nft's JSON syntax. */
      readonly rule?: string;
    }
  | {
      readonly op: 'policy';
      readonly backend: 'iptables.legacy' | 'iptables.nft' | 'nft';
      readonly family: 4 | 6;
      readonly table: string;
      readonly chain: string;
      readonly verdict: 'accept' | 'drop';
    }
  | { readonly op: 'sysctl'; readonly key: string; readonly value: string }
  /** A line in the tool's own syntax (`ip route`, `ip neigh`, `bridge fdb`, `ip addr`, `ss`), read by the same parser. */
  | {
      readonly op: 'route' | 'neighbour' | 'fdb' | 'address' | 'socket';
      readonly act: 'add' | 'remove';
      readonly line: string;
    }
  | {
      readonly op: 'link';
      readonly device: string;
      readonly set: {
        readonly up?: boolean;
        readonly mtu?: number;
        readonly hairpin?: boolean;
        readonly isolated?: boolean;
        readonly master?: string;
        readonly mac?: string;
      };
    }
  /** A merge patch (RFC 7386) on an API object: `pods/NS/NAME`. */
  | { readonly op: 'object'; readonly fact: FactName; readonly ref: string; readonly patch: unknown }
);
