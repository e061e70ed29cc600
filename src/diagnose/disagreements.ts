import type { Flow } from './derived.ts';
import { isAside } from './is-aside.ts';
import { dropStatement, dropsInSpite } from './kernel-drops.ts';
import { isCertain, type Leaf } from './leaves.ts';
import { tracedInSpite, verdictStatement } from './traced-rules.ts';
import { walkAnswer } from './walk-answer.ts';

/** The walk says that the packet certainly dies, and the probe got through. */
export function isContradicted(flow: Flow, leaf: Leaf): boolean {
  return flow.probe?.passed === 'yes' && (isCertain(leaf.chance) || walkAnswer(flow).passed === 'no');
}

/** An undecided rule may lead here, and the probe shows that it does not. */
export function isDisproved(flow: Flow, leaf: Leaf): boolean {
  return flow.probe?.passed === 'yes' && leaf.chance.min <= 0;
}

/** The endpoint that this branch ends at was probed by itself, and it answered: the walk is wrong there. */
export function endpointAnswers(flows: readonly Flow[], leaf: Leaf): boolean {
  return flows.some(
    (flow) =>
      flow.purpose === 'endpoint' &&
      flow.probe?.passed === 'yes' &&
      leaf.ref.leg === 'forward' &&
      flow.destination === leaf.end.packet.ip.destination,
  );
}

/**
 * Where walk and probe contradict each other: a finding by itself, since one of them is wrong. That a probe fails where
 * the walk is delivered counts only while no fault explains it.
 */
export function disagreementsOf(flows: readonly Flow[], isExplained: boolean): string[] {
  return flows.flatMap((flow) => [
    ...passedInSpite(flow),
    ...capturedInSpite(flow),
    ...dropsInSpite(flow).map((drop) => `${flow.id}: ${walkAnswer(flow).because}, yet ${dropStatement(drop)}`),
    ...tracedInSpite(flow).map((one) => `${flow.id}: ${walkAnswer(flow).because}, yet ${verdictStatement(one)}`),
    ...(isExplained ? [] : failedInSpite(flow)),
  ]);
}

function passedInSpite(flow: Flow): string[] {
  return flow.dead
    .filter((leaf) => isContradicted(flow, leaf))
    .map(
      (leaf) =>
        `${flow.id}: the walk ends in ${leaf.end.end} at ${leaf.end.place.node || 'the network'}, yet ${flow.probe!.statement}`,
    );
}

/** A capture that saw the packet live, or die elsewhere than the walk says. */
function capturedInSpite(flow: Flow): string[] {
  if (flow.capture?.agrees !== 'no') return [];
  return [`${flow.id}: ${walkAnswer(flow).because}, yet a capture saw: ${flow.capture.statement}`];
}

/** Ping is filtered in too many places outside the walk's sight; and a DNS server that answers "no" did get the question. */
function failedInSpite(flow: Flow): string[] {
  if (flow.probe?.passed !== 'no' || isAside(flow)) return [];
  if (flow.purpose.startsWith('dns') && flow.probe.outcome !== 'timed-out' && flow.probe.outcome !== 'unreachable')
    return [];
  if (flow.leaves.some((leaf) => leaf.end.end === 'left-the-cluster')) return [];
  if (walkAnswer(flow).passed !== 'yes') return [];
  return [`${flow.id}: by the walk it is delivered there and back, yet ${flow.probe.statement}`];
}
