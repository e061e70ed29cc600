import { answeredBy } from './answered-by.ts';
import type { Case } from './check.ts';
import type { Flow } from './derived.ts';
import { endpointAnswers, isContradicted, isDisproved } from './disagreements.ts';
import type { Diagnosis } from './engine.ts';
import { isAside } from './is-aside.ts';
import { type Leaf, leafKey } from './leaves.ts';
import { claimedFlows, claimedLeaves, hasLiveEvidence, hasOwnEvidence, type Named } from './named.ts';
import { walkAnswer } from './walk-answer.ts';

/**
 * A fault is reported only with a symptom: a dead end that it claims and that no probe contradicts, or live evidence.
 * What is odd but harms nobody is no finding, and neither is what only ping meets while the port answers.
 */
export function isReportable(named: Named, given: Case): boolean {
  if (named.cause.gravity !== 'fault') return true;
  if (named.behind) return true;
  if (named.finding.claims.length > 0)
    return (
      hasOwnEvidence(named.finding, given) ||
      claimedFlows(named.finding, given).some((flow) => suffers(flow, named, given))
    );
  if (hasLiveEvidence(named.finding)) return true;
  // An invariant that is broken while nothing that was probed fails is not this question's fault.
  if (named.cause.invariant === undefined) return false;
  const probed = given.flows.filter((flow) => flow.probe && !(isAside(flow) && mainAnswers(given)));
  return probed.length === 0 || probed.some((flow) => flow.probe && answeredBy(flow.probe) === 'no');
}

function suffers(flow: Flow, named: Named, given: Case): boolean {
  if (isAside(flow) && mainAnswers(given)) return false;
  return claimedLeaves(named.finding, given).some(
    (leaf) =>
      leaf.ref.flow === flow.id &&
      !isContradicted(flow, leaf) &&
      !isDisproved(flow, leaf) &&
      // Where the Service's own flow fails, its way may be the fault, such as a hairpin.
      (flow.probe?.passed === 'no' || !endpointAnswers(given.flows, leaf)),
  );
}

function mainAnswers({ flows }: Case): boolean {
  const main = flows.find((flow) => flow.purpose === 'main');
  return main !== undefined && (main.probe ?? walkAnswer(main)).passed === 'yes';
}

/** Dead ends that nothing accounts for: neither a cause of the case as it is, nor a probe that got through. */
export function unexplained(given: Case, named: readonly Named[]): Diagnosis['unexplained'] {
  const claimed = new Set(
    named
      .filter((one) => !one.behind && one.confidence !== 'suspected')
      .flatMap((one) => one.finding.claims.map(leafKey)),
  );
  return given.flows.flatMap((flow) =>
    flow.dead
      .filter((leaf) => !claimed.has(leafKey(leaf.ref)) && leaf.chance.max > 0)
      .filter((leaf) => !isContradicted(flow, leaf) && !isDisproved(flow, leaf) && !isHarmless(flow, leaf, given))
      .map((leaf) => ({ flow, leaf })),
  );
}

/** What only ping or the like meets while the asked flow is answered; and a sender that is told to send smaller packets, which is path MTU discovery at work (RFC 1191, RFC 8201). */
function isHarmless(flow: Flow, leaf: Leaf, given: Case): boolean {
  if (isAside(flow)) return mainAnswers(given);
  const isTold = leaf.end.senderSees === 'icmp 3/4' || leaf.end.senderSees === 'icmp 2/0';
  return flow.purpose === 'large' && isTold && flow.probe?.passed !== 'no';
}
