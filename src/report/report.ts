import type { Confidence } from '../diagnose/evidence.ts';
import type { WorkflowStep } from '../diagnose/symptom.ts';
import type { Scalar } from '../host/host.ts';
import type { Chance, RoundTrip } from '../simulate/trace.ts';
import type { CaptureSection } from './capture-report.ts';

export const REPORT_SCHEMA = 'podtriage.report/v1';

export interface ReportPlace {
  readonly node: string;
  readonly namespace: string;
  readonly object?: string;
}

export interface ReportEvidence {
  readonly kind: string;
  readonly plane: string;
  readonly place: ReportPlace;
  /** The request in words: `ip route (host of worker-1)`. */
  readonly source: string;
  readonly line?: number;
  /** The very line. */
  readonly text?: string;
  readonly statement: string;
  readonly values: Readonly<Record<string, Scalar>>;
}

export interface ReportCause {
  readonly id: string;
  readonly class: string;
  readonly confidence: Confidence;
  readonly gravity: 'fault' | 'by-design' | 'risk';
  readonly title: string;
  /** Found only once the causes before it were undone: it lies behind them. */
  readonly behind?: true;
  readonly place: ReportPlace;
  readonly evidence: readonly ReportEvidence[];
  readonly counterfactual?: { readonly change: string; readonly disposition: string };
  readonly fix: { readonly summary: string; readonly commands: readonly string[] };
  readonly explains: readonly ReportCause[];
}

/** A dead end that no cause claims. */
export interface ReportUnexplained {
  readonly disposition: string;
  readonly flow: string;
  readonly place: ReportPlace;
  readonly at: string;
  readonly text: string;
  /** Of the connections, the share that ends here; from 0 where only an undecided rule may lead to it. */
  readonly chance: Chance;
}

export interface ReportProbe {
  readonly id: string;
  readonly from: ReportPlace;
  readonly to: string;
  readonly outcome: string;
  readonly latencyMs?: number;
  readonly statement: string;
}

/** Others' traffic counts there, too. */
export interface ReportMoved {
  readonly place: ReportPlace;
  readonly counter: string;
  readonly rose: number;
}

export interface Report {
  readonly schema: typeof REPORT_SCHEMA;
  readonly verdict: 'fault' | 'healthy' | 'inconclusive';
  readonly class: string | null;
  readonly summary: string;
  readonly target: {
    readonly source: string;
    readonly destination: string;
    readonly flow: string;
    readonly notes: readonly string[];
  };
  readonly causes: readonly ReportCause[];
  readonly unexplained: readonly ReportUnexplained[];
  readonly disagreements: readonly string[];
  readonly ruledOut: readonly { readonly id: string; readonly because: string }[];
  readonly notChecked: readonly { readonly id: string; readonly because: string }[];
  readonly paths: readonly { readonly flow: string; readonly description: string; readonly trip: RoundTrip }[];
  readonly probes: readonly ReportProbe[];
  readonly captures: readonly CaptureSection[];
  /** Counters of loss that rose while the probes ran, in the network namespaces of the flows that failed. */
  readonly moved: readonly ReportMoved[];
  readonly workflow: readonly WorkflowStep[];
  readonly datapath: readonly string[];
  readonly created: readonly string[];
  readonly timings: Readonly<Record<string, number>>;
  readonly durationMs: number;
}
