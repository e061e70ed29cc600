import type { LeafRef } from '../diagnose/leaves.ts';
import type { Chance, Disposition, RoundTrip } from '../simulate/trace.ts';
import type { ReportPlace } from './report.ts';

export const TRACE_SCHEMA = 'podtriage.trace/v1';

/** One end of the way there or of a way back. */
export interface TraceEnd {
  readonly leg: LeafRef['leg'];
  readonly segment: number;
  /** Of the connections, the share that ends here; an interval where something was not decided. */
  readonly chance: Chance;
  readonly disposition: Disposition;
  /** Whether the packet got to where it was meant to. */
  readonly fate: 'passed' | 'lost' | 'unknown';
  readonly place: ReportPlace;
  /** In plain words. */
  readonly text: string;
}

/** How a walk ended, taken together. */
export interface TraceResult {
  /** delivered: on every way, there and back; lost: a share of the connections certainly dies; unknown: neither. */
  readonly verdict: 'delivered' | 'lost' | 'unknown';
  /** One sentence. */
  readonly summary: string;
  readonly ends: readonly TraceEnd[];
  /** Every stage, step and branch, there and back. */
  readonly trip: RoundTrip;
}

/** A change of the state that the walk was made with: `--with`, `--without`. */
export interface TraceChange {
  readonly change: string;
  readonly place: ReportPlace;
}

/** What `podtriage simulate` found: the walk of one packet there and back. */
export interface TraceReport extends TraceResult {
  readonly schema: typeof TRACE_SCHEMA;
  readonly target: {
    readonly source: string;
    readonly destination: string;
    readonly flow: string;
    readonly notes: readonly string[];
  };
  /** With what-if changes: what they are, and the walk without them. */
  readonly whatIf?: { readonly changes: readonly TraceChange[]; readonly before: TraceResult };
  readonly datapath: readonly string[];
  /** What the run made in the cluster, and that it is gone. */
  readonly created: readonly string[];
  readonly durationMs: number;
}
