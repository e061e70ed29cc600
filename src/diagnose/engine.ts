import type { Snapshot } from '../snapshot/snapshot.ts';
import type { Cause } from './cause.ts';
import { type Case, type Checked, checkCause } from './check.ts';
import type { Flow } from './derived.ts';
import { disagreementsOf } from './disagreements.ts';
import { judge } from './judge.ts';
import type { Leaf } from './leaves.ts';
import type { Named } from './named.ts';
import { dropRefined, nest, rank } from './order-causes.ts';
import { isReportable, unexplained } from './reportable.ts';
import { uncoverLayers } from './uncover-layers.ts';

export interface Diagnosis {
  readonly causes: readonly Named[];
  /** Dead ends that no cause claims. */
  readonly unexplained: readonly { readonly flow: Flow; readonly leaf: Leaf }[];
  /** Where walk and probe contradict each other. */
  readonly disagreements: readonly string[];
  readonly ruledOut: readonly { readonly id: string; readonly because: string }[];
  readonly notChecked: readonly { readonly id: string; readonly because: string }[];
}

/**
 * Names the causes of a case.
 *
 * @param walkAgain walks every flow anew on a changed snapshot, without probes: the counterfactual.
 */
export function diagnose(
  given: Case,
  causes: readonly Cause[],
  walkAgain: (snapshot: Snapshot) => readonly Flow[],
): Diagnosis {
  const first = causes.flatMap((cause) => checkCause(cause, given));
  const layers = uncoverLayers(first, given, causes, walkAgain);
  const reportable = judge(layers, given, walkAgain).filter((named) => isReportable(named, given));
  const kept = dropRefined(reportable);
  const isExplained = kept.some((named) => named.cause.gravity === 'fault' && named.confidence !== 'suspected');
  return {
    causes: nest(rank(kept, given)),
    unexplained: unexplained(given, reportable),
    disagreements: disagreementsOf(given.flows, isExplained),
    ...verdictsOfTheRest(first, kept, reportable),
  };
}

function verdictsOfTheRest(
  checked: readonly Checked[],
  kept: readonly Named[],
  reportable: readonly Named[],
): Pick<Diagnosis, 'ruledOut' | 'notChecked'> {
  const named = new Set(kept.map((one) => one.cause.id));
  const byId = Map.groupBy(checked, (one) => one.cause.id);
  const ruledOut: { id: string; because: string }[] = [];
  const notChecked: { id: string; because: string }[] = [];
  for (const [id, all] of byId) {
    if (named.has(id)) continue;
    const narrower = kept.find((one) => (one.cause.refines ?? []).includes(id));
    const unknown = all.find((one) => one.finding.is === 'unknown');
    if (narrower && reportable.some((one) => one.cause.id === id))
      ruledOut.push({ id, because: `${narrower.cause.id} is the narrower name for it` });
    else if (unknown?.finding.is === 'unknown') notChecked.push({ id, because: unknown.finding.because });
    else ruledOut.push({ id, because: absenceOf(all) });
  }
  return { ruledOut, notChecked };
}

function absenceOf(all: readonly Checked[]): string {
  const reasons = all.flatMap((one) => {
    if (one.finding.is === 'present') return ['present, but nothing that was tried fails by it'];
    if (one.finding.is !== 'absent') return [];
    const { because } = one.finding;
    return typeof because === 'string' ? [because] : because.map((evidence) => evidence.statement);
  });
  return [...new Set(reasons)].slice(0, 3).join('; ') || 'nothing speaks for it';
}
