import { type Place, placeKey } from '../net/place.ts';
import type { FactArgs, FactName, Facts } from './facts.ts';
import type { Observed } from './snapshot.ts';

/** Looks a fact up; the answer to one question must never change. */
export type FactLook = <K extends FactName>(name: K, place: Place, args?: FactArgs) => Observed<Facts[K]>;

type Answers = Map<string, Observed<unknown>>;

/** The answers of one place, apart by the arguments that nearly all questions have: none, or a family alone. */
interface Known {
  readonly bare: Answers;
  readonly four: Answers;
  readonly six: Answers;
  /** By name and arguments. */
  readonly other: Answers;
}

/**
 * The same look, each question asked but once. A walk asks some hundred times, mostly with the very same place: such a
 * place is known by its identity, without a key that would have to be put together.
 */
export function rememberFacts(look: FactLook): FactLook {
  const byPlace = new WeakMap<Place, Known>();
  const byKey = new Map<string, Known>();
  const knownAt = (place: Place): Known => {
    const key = placeKey(place);
    const known = byKey.get(key) ?? { bare: new Map(), four: new Map(), six: new Map(), other: new Map() };
    byKey.set(key, known);
    byPlace.set(place, known);
    return known;
  };
  let lastPlace: Place | undefined;
  let lastKnown: Known | undefined;
  return <K extends FactName>(name: K, place: Place, args?: FactArgs): Observed<Facts[K]> => {
    const known = lastPlace === place ? lastKnown! : (byPlace.get(place) ?? knownAt(place));
    lastPlace = place;
    lastKnown = known;
    const simple = simpleAnswers(known, args);
    const answers = simple ?? known.other;
    const key = simple ? name : questionKey(name, args!);
    const former = answers.get(key);
    if (former) return former as Observed<Facts[K]>; // the key begins with the fact's name
    const observed = look(name, place, args);
    answers.set(key, observed);
    return observed;
  };
}

function simpleAnswers(known: Known, args: FactArgs | undefined): Answers | undefined {
  if (args === undefined) return known.bare;
  for (const argument in args) if (argument !== 'family') return undefined;
  return args['family'] === 4 ? known.four : args['family'] === 6 ? known.six : undefined;
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
