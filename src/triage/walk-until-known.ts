import { requestsForNamespace, requestsForNode, requestsForPod } from '../collect/plan.ts';
import type { Flow } from '../diagnose/derived.ts';
import type { Request } from '../host/host.ts';
import type { Family } from '../net/address.ts';
import { placeKey } from '../net/place.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { Run } from './run.ts';

/** A walk names the next namespaces to look at; more rounds than this are not made. */
const ROUNDS_MAX = 6;

/** The bounded loop: the walk's open ends say what they lack, and are walked again with it. */
export async function walkUntilKnown(
  run: Run,
  family: Family,
  walk: (snapshot: Snapshot) => readonly Flow[],
): Promise<void> {
  for (let round = 1; round <= ROUNDS_MAX; round++) {
    const snapshot = run.snapshot();
    const flows = await run.timed('walking', () => walk(snapshot));
    const before = run.replies().length;
    await run.collect('reading what the walk met', wantsOf(flows, family, round));
    if (run.replies().length === before) return;
  }
}

function wantsOf(flows: readonly Flow[], family: Family, round: number): Request[] {
  const wanted = flows.flatMap((flow) => flow.leaves.flatMap((leaf) => leaf.end.wants));
  // A namespace that a walk enters is read wholly at once: causes look at more than the walk needs.
  const places = new Map(wanted.filter(({ place }) => place.node !== '').map(({ place }) => [placeKey(place), place]));
  const whole = [...places.values()].flatMap((place) =>
    place.namespace === 'host'
      ? requestsForNode(place.node, family, round)
      : [...requestsForNamespace(place, family, round), ...requestsForPod(place)],
  );
  return [...wanted, ...whole].map((request) => ({ ...request, round }));
}
