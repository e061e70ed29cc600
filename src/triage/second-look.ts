import { requestsForNamespace } from '../collect/plan.ts';
import { placesOfFlow } from '../diagnose/check.ts';
import type { Flow } from '../diagnose/derived.ts';
import { AFTER_PROBES, type Request } from '../host/host.ts';
import { type Place, placeKey } from '../net/place.ts';
import type { Question } from '../target/question.ts';
import type { Run } from './run.ts';

/** Facts whose change over the probes' time tells what dropped; totals tell nothing. */
const COUNTED: ReadonlySet<string> = new Set([
  'links',
  'counters',
  'conntrack.statistics',
  'iptables.nft',
  'iptables.legacy',
  'qdiscs',
]);

/** Where a probe failed, reads the counters of every namespace on its way once more. */
export async function secondLook(run: Run, question: Question, flows: readonly Flow[]): Promise<void> {
  const failed = flows.filter((flow) => flow.probe?.passed === 'no');
  if (failed.length === 0) return;
  const places = [...new Map(failed.flatMap(placesOfFlow).map((place) => [placeKey(place), place])).values()];
  await run.collect(
    'reading counters again',
    places.flatMap((place) => countersOf(place, question)),
  );
}

function countersOf(place: Place, question: Question): Request[] {
  return requestsForNamespace(place, question.family, AFTER_PROBES).filter((request) => COUNTED.has(request.action));
}
