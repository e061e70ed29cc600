import { placeKey } from '../net/place.ts';
import type { Snapshot, SnapshotChange } from '../snapshot/snapshot.ts';
import type { Cause } from './cause.ts';
import { type Case, type Checked, checkCause } from './check.ts';
import type { Flow } from './derived.ts';
import type { Present } from './named.ts';

/** Faults that hide one another are uncovered one layer at a time; more layers than this are not looked for. */
const LAYERS_MAX = 4;

export interface Layered {
  readonly checked: Checked;
  readonly finding: Present;
  /** How many layers of faults were undone before it showed. */
  readonly layer: number;
}

/** The causes of the case as it is, then those that show only once these are undone. */
export function uncoverLayers(
  first: readonly Checked[],
  given: Case,
  causes: readonly Cause[],
  walkAgain: (snapshot: Snapshot) => readonly Flow[],
): Layered[] {
  const found: Layered[] = first.flatMap((checked) => present(checked, 0));
  const claimedFlows = (): Set<string> =>
    new Set(found.flatMap((layered) => layered.finding.claims.map((claim) => claim.flow)));
  for (let layer = 1; layer < LAYERS_MAX; layer++) {
    if (changesOf(found).length === 0 || claimedFlows().size === 0) break;
    const snapshot = mendedBy(found, given.snapshot);
    const flows = walkAgain(snapshot).filter((flow) => claimedFlows().has(flow.id));
    if (flows.every((flow) => flow.dead.length === 0)) break;
    const next = causes
      .flatMap((cause) => checkCause(cause, { ...given, snapshot, flows }))
      .flatMap((checked) => present(checked, layer))
      .filter((layered) => layered.finding.claims.length > 0 && !found.some((known) => sameFault(known, layered)));
    if (next.length === 0) break;
    found.push(...next);
  }
  return found;
}

function present(checked: Checked, layer: number): Layered[] {
  return checked.finding.is === 'present' ? [{ checked, finding: checked.finding, layer }] : [];
}

/** The same cause at the same place with the same change: a second rule that drops behind the first is another fault. */
function sameFault(a: Layered, b: Layered): boolean {
  return (
    a.checked.cause.id === b.checked.cause.id &&
    placeKey(a.checked.place) === placeKey(b.checked.place) &&
    a.checked.place.object === b.checked.place.object &&
    JSON.stringify(a.finding.change ?? []) === JSON.stringify(b.finding.change ?? [])
  );
}

/**
 * The snapshot with all changes of these faults. A later layer's were found with the earlier ones made, and are made on
 * top of them: a rule's number means what it meant where the rule was seen.
 */
export function mendedBy(layers: readonly Layered[], snapshot: Snapshot): Snapshot {
  const byLayer = Map.groupBy(layers, (layered) => layered.layer);
  return [...byLayer.keys()]
    .sort((a, b) => a - b)
    .reduce((mended, layer) => mended.with(changesOf(byLayer.get(layer)!)), snapshot);
}

export function changesOf(layers: readonly Layered[]): SnapshotChange[] {
  return layers.flatMap((layered) => layered.finding.change ?? []);
}
