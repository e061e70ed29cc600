import { type Place, placeKey } from '../net/place.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';

interface Kept<T> {
  /** A walk goes on with the very same place, which needs no key. */
  readonly byPlace: WeakMap<Place, T>;
  readonly byKey: Map<string, T>;
}

/** What depends on a snapshot and a network namespace alone is made once: a snapshot never changes. */
export function perPlace<T extends object>(
  make: (snapshot: Snapshot, place: Place) => T,
): (snapshot: Snapshot, place: Place) => T {
  const kept = new WeakMap<Snapshot, Kept<T>>();
  // Mostly it is the very place of the question before, within one walk.
  let last: { readonly snapshot: Snapshot; readonly place: Place; readonly value: T } | undefined;
  return (snapshot, place) => {
    if (last?.place === place && last.snapshot === snapshot) return last.value;
    const value = valueAt(snapshot, place);
    last = { snapshot, place, value };
    return value;
  };

  function valueAt(snapshot: Snapshot, place: Place): T {
    let known = kept.get(snapshot);
    if (!known) {
      known = { byPlace: new WeakMap(), byKey: new Map() };
      kept.set(snapshot, known);
    }
    const former = known.byPlace.get(place);
    if (former) return former;
    const key = placeKey(place);
    const value = known.byKey.get(key) ?? make(snapshot, { node: place.node, namespace: place.namespace });
    known.byKey.set(key, value);
    known.byPlace.set(place, value);
    return value;
  }
}

const ANSWERS_MAX = 4096;

/** The same for what depends on a question as well. So many answers are kept that a walk's own are among them. */
export function answersPerPlace<T>(): (snapshot: Snapshot, place: Place, question: string, answer: () => T) => T {
  const answersAt = perPlace(() => new Map<string, { readonly answer: T }>());
  return (snapshot, place, question, answer) => {
    const known = answersAt(snapshot, place);
    const former = known.get(question);
    if (former) return former.answer;
    if (known.size >= ANSWERS_MAX) known.clear();
    const fresh = { answer: answer() };
    known.set(question, fresh);
    return fresh.answer;
  };
}
