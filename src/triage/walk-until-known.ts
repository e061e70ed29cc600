import { requestsForNamespace, requestsForNode, requestsForPod } from '../collect/plan.ts';
import type { Flow } from '../diagnose/derived.ts';
import type { Request } from '../host/host.ts';
import type { Family } from '../net/address.ts';
import { placeKey } from '../net/place.ts';
import type { FactName } from '../snapshot/facts.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { Run } from './run.ts';

/** A walk names the next namespaces to look at; more rounds than this are not made. */
const ROUNDS_MAX = 6;

/** Beside them, so many rounds may ask for nothing but further chains of a rule set that is read chain by chain. */
const CHAIN_ROUNDS_MAX = 24;
const OF_CHAINS: ReadonlySet<string> = new Set<FactName>(['iptables.chain', 'nft.chain', 'nft.chains', 'nft.sets']);

/** The bounded loop: the walk's open ends say what they lack, and are walked again with it. */
export async function walkUntilKnown(
  run: Run,
  family: Family,
  walk: (snapshot: Snapshot) => readonly Flow[],
): Promise<void> {
  let rounds = 0;
  let chainRounds = 0;
  for (let round = 1; rounds < ROUNDS_MAX && chainRounds < CHAIN_ROUNDS_MAX; round++) {
    const snapshot = run.snapshot();
    const flows = await run.timed('walking', () => walk(snapshot));
    const wanted = flows.flatMap((flow) => flow.leaves.flatMap((leaf) => leaf.end.wants));
    const before = run.replies().length;
    await run.collect('reading what the walk met', withTheirPlaces(wanted, family, round));
    if (run.replies().length === before) return;
    if (wanted.every(({ action }) => OF_CHAINS.has(action))) chainRounds++;
    else rounds++;
  }
}

function withTheirPlaces(wanted: readonly Request[], family: Family, round: number): Request[] {
  // A namespace that a walk enters is read wholly at once: causes look at more than the walk needs.
  const places = new Map(wanted.filter(({ place }) => place.node !== '').map(({ place }) => [placeKey(place), place]));
  const whole = [...places.values()].flatMap((place) =>
    place.namespace === 'host'
      ? requestsForNode(place.node, family, round)
      : [...requestsForNamespace(place, family, round), ...requestsForPod(place)],
  );
  return [...wanted, ...whole].map((request) => ({ ...request, round }));
}
