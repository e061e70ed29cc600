import type { Times } from '../probe/describe-times.ts';
import type { SampleOutcome } from '../probe/probe-sample.ts';
import type { ProbeState } from '../probe/state-watch.ts';
import type { HistogramBin } from '../probe/time-histogram.ts';

export const PROBE_SCHEMA = 'podtriage.probe/v1';

/** Attempts that ended alike. */
export interface ProbeReportOutcome {
  readonly outcome: SampleOutcome;
  readonly count: number;
  /** What the first of them met. */
  readonly statement: string;
}

/** Connections that took as long as a SYN waits before it is sent again. */
export interface ProbeReportRepeat {
  readonly aroundMs: number;
  readonly count: number;
}

/** A destination that was tried again and again. */
export interface ProbeReportTarget {
  /** asked: what the question asks for; backend: of the Service that it asks for, past that. */
  readonly role: 'asked' | 'backend';
  readonly name: string;
  /** Attempts of which something is known. */
  readonly sent: number;
  readonly answered: number;
  readonly failed: number;
  /** They prove nothing, or nothing is known of them. */
  readonly unknown: number;
  /** Of those that were answered or failed; absent where none did. */
  readonly lossPercent?: number;
  readonly outcomes: readonly ProbeReportOutcome[];
  /** Of those that were answered. */
  readonly times?: Times;
  readonly histogram: readonly HistogramBin[];
  readonly repeatedSyns: readonly ProbeReportRepeat[];
  /** ICMP: answers beyond the first one to the same request. */
  readonly duplicates: number;
}

/** The moment at which a destination began, or ceased, to answer. */
export interface ProbeReportChange {
  /** The destination's name. */
  readonly target: string;
  /** ISO 8601, UTC, by the clock of the machine that podtriage runs on. */
  readonly at: string;
  readonly to: ProbeState;
  /** How long the former state was seen. */
  readonly formerMs: number;
  readonly statement: string;
}

export interface ProbeReportShare {
  readonly explains: 'backend' | 'way' | 'none' | 'unknown';
  /** What the backends, tried by themselves, would make fail through the Service, in percent. */
  readonly expectedPercent: number;
  readonly statement: string;
}

/** What `podtriage probe` saw. */
export interface ProbeReport {
  readonly schema: typeof PROBE_SCHEMA;
  readonly kind: 'tcp' | 'ping';
  /** answered: all were; failed: some, or all, certainly were not; unknown: it could not be told. */
  readonly verdict: 'answered' | 'failed' | 'unknown';
  readonly summary: string;
  /** What the numbers mean, one sentence each. */
  readonly findings: readonly string[];
  /** First the one that was asked for. */
  readonly targets: readonly ProbeReportTarget[];
  /** Through the Service against its backends by themselves. */
  readonly share?: ProbeReportShare;
  /** `--watch`: in the order of time; the first 200 of them. */
  readonly changes: readonly ProbeReportChange[];
  readonly changesLeftOut: number;
  readonly intervalMs: number;
  /** How long each attempt waited for its answer. */
  readonly waitMs: number;
  /** TCP: every connection came from this port. */
  readonly sourcePort?: number;
  readonly target: {
    readonly source: string;
    readonly destination: string;
    readonly flow: string;
    readonly notes: readonly string[];
  };
  readonly created: readonly string[];
  readonly durationMs: number;
}
