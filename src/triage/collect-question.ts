import { gateRequests } from '../cni/gate.ts';
import { requestsForCluster, requestsForNamespace, requestsForNode, requestsForPod } from '../collect/plan.ts';
import type { Request } from '../host/host.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { isTargetProblem, type Question, type TargetProblem } from '../target/question.ts';
import { type QuestionWords, resolveQuestion } from '../target/resolve-question.ts';
import { placesAsked } from './places-asked.ts';
import type { Run } from './run.ts';

/** One batch of requests; what takes longer is a gap, and the run goes on. */
export const BATCH_DEADLINE_MS = 15_000;
export const REQUEST_MAX_BYTES = 32 << 20;

/** The cluster's objects, then what the question's own ends need. `prepare`: starts what these nodes need, before they are asked. */
export async function collectQuestion(
  run: Run,
  words: QuestionWords,
  prepare: (nodes: readonly string[]) => void,
): Promise<Question | TargetProblem> {
  await run.collect('reading the cluster', requestsForCluster());
  const question = resolveQuestion(run.snapshot(), words);
  if (isTargetProblem(question)) return question;
  prepare([...new Set(placesAsked(run.snapshot(), question).map((place) => place.node))]);
  await run.collect('reading nodes and pods', requestsForQuestion(run.snapshot(), question));
  return question;
}

export function requestsForQuestion(snapshot: Snapshot, question: Question): Request[] {
  const places = placesAsked(snapshot, question).flatMap((place) =>
    place.namespace === 'host'
      ? requestsForNode(place.node, question.family, 0)
      : [...requestsForNamespace(place, question.family, 0), ...requestsForPod(place)],
  );
  return [...gateRequests(snapshot), ...places];
}
