import type { RuleVerdict } from '../capture/rule-verdicts.ts';
import { placeKey } from '../net/place.ts';
import type { Case } from './check.ts';
import type { Flow } from './derived.ts';
import type { Evidence } from './evidence.ts';
import { claimedFlows, claimedLeaves, type Present } from './named.ts';

export function refusals({ rules }: Pick<Flow, 'rules'>): RuleVerdict[] {
  return (rules ?? []).filter(({ verdict }) => verdict === 'drop');
}

/** `w2, ip filter FORWARD: dropped by its policy, 4 packets on the way there`. */
export function verdictStatement({ place, base, chain, by, verdict, leg, packets }: RuleVerdict): string {
  const where = place.namespace === 'host' ? place.node : `${place.namespace} on ${place.node}`;
  const done = verdict === 'drop' ? 'dropped' : verdict === 'accept' ? 'let through' : verdict;
  const through = by === 'policy' ? 'by its policy' : `by “${by}”${base.endsWith(` ${chain}`) ? '' : ` in ${chain}`}`;
  return `${where}, ${base}: ${packets === 1 ? 'a packet' : `${packets} packets`} on the way ${leg} ${done} ${through}`;
}

function verdictEvidence(verdict: RuleVerdict): Evidence {
  const { place, base, chain, by, leg, packets, request } = verdict;
  return {
    kind: 'rule-trace',
    plane: 'kernel',
    place,
    source: { request },
    values: { base, chain, by, leg, packets },
    statement: `traced by the kernel: ${verdictStatement(verdict)}`,
  };
}

/** The claimed packets were dropped by a rule where the walk says so, on the same leg. */
export function traceEvidenceFor(finding: Present, given: Case): Evidence[] {
  const leaves = claimedLeaves(finding, given);
  return claimedFlows(finding, given)
    .flatMap(refusals)
    .filter((verdict) => leaves.some((leaf) => isRefusedAt(leaf, verdict)))
    .map(verdictEvidence);
}

/** Drops by rules that no end of the walk is. */
export function tracedInSpite(flow: Flow): RuleVerdict[] {
  if (flow.unknown.length > 0) return [];
  return refusals(flow).filter((verdict) => !flow.dead.some((leaf) => isRefusedAt(leaf, verdict)));
}

function isRefusedAt({ end, ref }: Flow['leaves'][number], { place, leg }: RuleVerdict): boolean {
  const isRule = end.end === 'dropped-by-rule' || end.end === 'rejected-by-rule';
  return isRule && (leg === 'there') === (ref.leg === 'forward') && placeKey(end.place) === placeKey(place);
}
