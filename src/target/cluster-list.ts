import { CLUSTER } from '../net/place.ts';
import type { Facts } from '../snapshot/facts.ts';
import type { Observed, Snapshot } from '../snapshot/snapshot.ts';

export type ListFact =
  | 'api.pods'
  | 'api.nodes'
  | 'api.namespaces'
  | 'api.services'
  | 'api.endpointslices'
  | 'api.daemonsets'
  | 'api.deployments';

/** The cluster's list of these objects; where only one namespace could be read, that namespace's part of it. */
export function clusterList<K extends ListFact>(snapshot: Snapshot, name: K, namespace?: string): Observed<Facts[K]> {
  const whole = snapshot.fact(name, CLUSTER);
  if (whole.state === 'seen' || namespace === undefined) return whole;
  const part = snapshot.fact(name, CLUSTER, { namespace });
  return part.state === 'seen' ? part : whole;
}

/** The list's items, or none where it was not seen: for looking things *up*, never for concluding that they are not there. */
export function seenItems<T>(observed: Observed<readonly T[]>): readonly T[] {
  return observed.state === 'seen' ? observed.value : [];
}
