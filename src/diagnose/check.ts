import { CLUSTER, hostOf, type Place, placeKey } from '../net/place.ts';
import type { FactArgs, FactName } from '../snapshot/facts.ts';
import { isComplete, type Snapshot, type Unseen } from '../snapshot/snapshot.ts';
import type { Ask, Cause, Finding, Given, Known } from './cause.ts';
import type { Derived, Flow } from './derived.ts';
import { factScope, isAskOnly } from './fact-scope.ts';
import { flowsTo } from './service-flows.ts';

/** What the engine works on: the snapshot and what the road derived from it. */
export interface Case extends Derived {
  readonly snapshot: Snapshot;
}

export interface Checked {
  readonly cause: Cause;
  readonly place: Place;
  readonly finding: Finding;
}

const DERIVED: ReadonlySet<string> = new Set<keyof Derived>(['question', 'flows', 'gate']);

/** Checks one cause at every place that it is about; where there is none, it is said once why. */
export function checkCause(cause: Cause, given: Case): Checked[] {
  const places = placesFor(cause.at, given);
  if (places.length === 0) return [{ cause, place: CLUSTER, finding: nowhereToCheck(cause.at, given) }];
  return places.map((place) => ({ cause, place, finding: checkAt(cause, place, given) }));
}

/** No place of this kind: a no only where it is known that there is none. */
function nowhereToCheck(at: Cause['at'], given: Case): Finding {
  if (at === 'service') {
    const services = given.snapshot.fact('api.services', CLUSTER);
    if (services.state === 'unseen') return missing('api.services', CLUSTER, services);
    if (isComplete(services)) return { is: 'absent', because: 'no Service is involved' };
    return { is: 'unknown', because: 'api.services of the cluster: not read wholly' };
  }
  const unplaced = [given.question.source, given.question.destination].find(
    (end) => end.kind === 'pod' && end.place === undefined,
  );
  if (unplaced?.kind === 'pod')
    return { is: 'unknown', because: `pod/${unplaced.namespace}/${unplaced.name} has no network namespace` };
  if (at === 'pod' && isWalked(given)) return { is: 'absent', because: 'no pod’s network namespace is on the way' };
  return { is: 'unknown', because: at === 'pod' ? 'no walk reached a pod' : 'no node was looked at' };
}

function isWalked(given: Case): boolean {
  return given.flows.length > 0 && given.flows.every((flow) => flow.unknown.length === 0);
}

function missing(need: string, place: Place, observed: Unseen): Finding {
  return { is: 'unknown', because: `${need} of ${placeName(place)}: ${observed.gap}, ${observed.detail}` };
}

function checkAt(cause: Cause, place: Place, given: Case): Finding {
  const handed: Record<string, unknown> = {};
  for (const need of cause.needs) {
    if (isAskOnly(need)) continue;
    const observed = read(need, place, given);
    if (observed.state === 'unseen') return missing(need, observed.want.place, observed);
    handed[need] = observed.state === 'derived' ? observed.value : observed;
  }
  for (const need of (cause.optional ?? []) as readonly (keyof Known)[]) {
    if (isAskOnly(need)) continue;
    const observed = read(need, place, given);
    handed[need] = observed.state === 'derived' ? observed.value : observed;
  }
  try {
    return cause.check(handed as Given<keyof Known, never>, place, askOf(given.snapshot));
  } catch (error) {
    return {
      is: 'unknown',
      because: `the check of ${cause.id} failed: ${error instanceof Error ? error.message : String(error)}`,
    };
  }
}

function read(need: keyof Known, place: Place, given: Case) {
  if (DERIVED.has(need)) return { state: 'derived', value: given[need as keyof Derived] } as const;
  const scope = factScope(need as FactName, place, given.question.family);
  return given.snapshot.fact(need as FactName, scope.place, scope.args);
}

function askOf(snapshot: Snapshot): Ask<keyof Known> {
  const ask = <K extends FactName>(name: K, place: Place, args?: FactArgs) => snapshot.fact(name, place, args);
  return Object.assign(ask, {
    after: <K extends FactName>(name: K, place: Place, args?: FactArgs) => snapshot.after(name, place, args),
  }) as Ask<keyof Known>;
}

function placeName(place: Place): string {
  return place.node === ''
    ? 'the cluster'
    : place.namespace === 'host'
      ? place.node
      : `${place.namespace} on ${place.node}`;
}

/** The places at which a cause of this kind is checked. */
export function placesFor(at: Cause['at'], given: Case): Place[] {
  if (at === 'question') return [CLUSTER];
  if (at === 'service') return servicesInvolved(given);
  if (at === 'node')
    return given.snapshot
      .nodes()
      .filter((node) => node !== '')
      .map(hostOf);
  const places = placesOnTheWay(given);
  if (at === 'pod') return unique(places.filter((place) => place.namespace !== 'host'));
  return unique(places.map((place) => hostOf(place.node)));
}

function placesOnTheWay(given: Case): Place[] {
  const ends = [given.question.source, given.question.destination].flatMap((end) => {
    if (end.kind !== 'pod' && end.kind !== 'node') return [];
    // A pod that was never started has no network of its own, but its node may tell why.
    return end.place ? [end.place] : end.kind === 'pod' && end.node ? [hostOf(end.node)] : [];
  });
  return [...ends, ...given.flows.flatMap(placesOfFlow)].filter((place) => place.node !== '');
}

/** Every network namespace that a flow's walks touch. */
export function placesOfFlow(flow: Flow): Place[] {
  const traces = [flow.trip.forward, ...flow.trip.replies.map((reply) => reply.trace)];
  return unique(
    traces.flatMap((trace) =>
      trace.segments.flatMap((segment) =>
        segment.hops.map((hop) => ({ node: hop.place.node, namespace: hop.place.namespace })),
      ),
    ),
  );
}

function servicesInvolved(given: Case): Place[] {
  const observed = given.snapshot.fact('api.services', CLUSTER);
  if (observed.state === 'unseen') return [];
  const { destination } = given.question;
  return observed.value
    .filter((service) => {
      const { name, namespace } = service.metadata;
      if (destination.kind === 'service' && destination.name === name && destination.namespace === namespace)
        return true;
      return flowsTo(service, given.flows).length > 0;
    })
    .map((service) => ({ ...CLUSTER, object: `service/${service.metadata.namespace}/${service.metadata.name}` }));
}

function unique(places: readonly Place[]): Place[] {
  return [...new Map(places.map((place) => [placeKey(place), place])).values()];
}
