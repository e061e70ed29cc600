import type { Place } from '../net/place.ts';

export type Scalar = string | number | boolean | null;

/** One thing to ask of one place. `action` is a collector's, probe's or capture's id, never an argv. */
export interface Request {
  readonly action: string;
  readonly place: Place;
  readonly args: Readonly<Record<string, Scalar>>;
  /** Which walk-and-collect round asked; AFTER_PROBES marks the second look that gives deltas. */
  readonly round: number;
  /** Which pod a pod's place means on its node (metadata.uid); how to find it, not part of what is asked. */
  readonly podUid?: string;
}

/** `Request.round` of the second look, after the probes: a counter's change is this reply minus the first one. */
export const AFTER_PROBES = 1000;

export type Gap =
  | 'not-asked'
  | 'not-permitted'
  | 'not-installed'
  | 'not-supported'
  | 'timed-out'
  | 'too-large'
  | 'unreachable'
  | 'failed';

export type Reply = { readonly request: Request; readonly startedAtMs: number; readonly tookMs: number } & (
  | {
      readonly got: 'raw';
      readonly raw: Uint8Array;
      readonly exitCode: number;
      readonly truncated: boolean;
      /** Name and version of what answered: `iproute2-6.1.0`, `iptables v1.8.9 (nf_tables)`; '' where unknown. */
      readonly tool: string;
    }
  | { readonly got: 'nothing'; readonly gap: Gap; readonly detail: string }
);

export interface Limits {
  /** Milliseconds from the call on, for all of its requests together; what is not answered by then is a gap 'timed-out'. */
  readonly deadlineMs: number;
  /** Bytes of one reply; a collector's own limit may be smaller. */
  readonly maxBytes: number;
}

/** The one door to the world: local machine, Kubernetes, ssh, or a bundle that replays. Replies come in any order, one per request. */
export interface Host {
  perform(requests: readonly Request[], limits: Limits, signal: AbortSignal): AsyncIterable<Reply>;
  /** Milliseconds since the epoch. */
  nowMs(): number;
  /** Removes what it created; the lines name each thing and what became of it. Never throws. */
  close(): Promise<readonly string[]>;
}
