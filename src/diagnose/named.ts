import type { Cause, Finding } from './cause.ts';
import type { Case, Checked } from './check.ts';
import type { Flow } from './derived.ts';
import type { Confidence } from './evidence.ts';
import { type Leaf, leafKey } from './leaves.ts';

export type Present = Extract<Finding, { is: 'present' }>;

/** A cause that holds, with the engine's own judgement of how well it is shown. */
export interface Named {
  readonly cause: Cause;
  readonly checked: Checked;
  readonly finding: Present;
  readonly confidence: Confidence;
  readonly counterfactual?: { readonly change: string; readonly disposition: string; readonly holds: boolean };
  /** Found only after the causes before it were undone: it lies behind them. */
  readonly behind: boolean;
  readonly explains: readonly Named[];
}

export function claimedFlows(finding: Present, given: Case): Flow[] {
  const ids = new Set(finding.claims.map((claim) => claim.flow));
  return given.flows.filter((flow) => ids.has(flow.id));
}

export function claimedLeaves(finding: Present, given: Case): Leaf[] {
  const keys = new Set(finding.claims.map(leafKey));
  return given.flows.flatMap((flow) => flow.leaves.filter((leaf) => keys.has(leafKey(leaf.ref))));
}

export function hasLiveEvidence(finding: Present): boolean {
  return finding.evidence.some(
    (evidence) => evidence.plane === 'probe' || evidence.plane === 'capture' || evidence.plane === 'kernel',
  );
}

/** Live evidence beside the flows' own probes: that a flow fails speaks for every cause that claims it, and for none more. */
export function hasOwnEvidence(finding: Present, given: Case): boolean {
  const ofFlows = new Set(given.flows.map((flow) => flow.probe?.evidence));
  const evidence = finding.evidence.filter((one) => !ofFlows.has(one));
  const [first, ...rest] = evidence;
  return first !== undefined && hasLiveEvidence({ ...finding, evidence: [first, ...rest] });
}
