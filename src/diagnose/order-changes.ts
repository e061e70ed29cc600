import { placeKey } from '../net/place.ts';
import type { SnapshotChange } from '../snapshot/snapshot.ts';

/**
 * Changes that were found on one and the same state, in an order in which each still means what it meant: two causes'
 * equal changes once, and of one chain the rule with the highest number removed first, so that no number shifts.
 */
export function orderChanges(changes: readonly SnapshotChange[]): SnapshotChange[] {
  const different = [...new Map(changes.map((change) => [JSON.stringify(change), change])).values()];
  const byChain = Map.groupBy(different.filter(isRemoval), chainOf);
  for (const removals of byChain.values()) removals.sort((a, b) => b.number - a.number);
  return different.map((change) => (isRemoval(change) ? byChain.get(chainOf(change))!.shift()! : change));
}

type Removal = Extract<SnapshotChange, { op: 'rule' }>;

function isRemoval(change: SnapshotChange): change is Removal {
  return change.op === 'rule' && change.act === 'remove';
}

function chainOf({ place, backend, family, table, chain }: Removal): string {
  return JSON.stringify([placeKey(place), backend, family, table, chain]);
}
