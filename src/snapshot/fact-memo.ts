import { type Place, placeKey } from '../net/place.ts';
import type { FactArgs, FactName, Facts } from './facts.ts';
import type { Observed } from './snapshot.ts';

/** Looks a fact up; the answer to one question must never change. */
export type FactLook = <K extends FactName>(name: K, place: Place, args?: FactArgs) => Observed<Facts[K]>;

type Known = Map<string, Observed<unknown>>;

/**
 * The same look, each question asked but once. A walk asks some hundred times, mostly with the very same place: such a
 * place is known by its identity, without a key that would have to be put together.
 */
export function rememberFacts(look: FactLook): FactLook {
  const byPlace = new WeakMap<Place, Known>();
  const byKey = new Map<string, Known>();
  const knownAt = (place: Place): Known => {
    const key = placeKey(place);
    const known = byKey.get(key) ?? new Map<string, Observed<unknown>>();
    byKey.set(key, known);
    byPlace.set(place, known);
    return known;
  };
  return <K extends FactName>(name: K, place: Place, args?: FactArgs): Observed<Facts[K]> => {
    const known = byPlace.get(place) ?? knownAt(place);
    const key = args === undefined ? name : questionKey(name, args);
    const former = known.get(key);
    if (former) return former as Observed<Facts[K]>; // the key begins with the fact's name
    const observed = look(name, place, args);
    known.set(key, observed);
    return observed;
  };
}

/** The same question may have several keys, by the order of its arguments, but never two questions the same. */
function questionKey(name: string, args: FactArgs): string {
  let key = name;
  for (const argument in args) {
    const value = args[argument];
    key += typeof value === 'string' ? ` ${argument}=${JSON.stringify(value)}` : ` ${argument}=${value}`;
  }
  return key;
}
