import type { Request } from '../../src/host/host.ts';
import { CLUSTER, type Place, placeKey } from '../../src/net/place.ts';
import type { FactArgs, FactName, Facts } from '../../src/snapshot/facts.ts';
import type { Observed, Snapshot } from '../../src/snapshot/snapshot.ts';

export interface GivenFact {
  readonly name: FactName;
  readonly place: Place;
  readonly args: FactArgs;
  readonly value: unknown;
  readonly complete: boolean;
}

/** One fact of a snapshot made by hand. */
export function given<K extends FactName>(
  name: K,
  value: Facts[K],
  place: Place = CLUSTER,
  more: { readonly args?: FactArgs; readonly complete?: boolean } = {},
): GivenFact {
  return { name, place, args: more.args ?? {}, value, complete: more.complete ?? true };
}

/** A snapshot that holds these values and nothing else: everything else is unseen, `not-permitted` unless told otherwise. */
export function snapshotOf(
  facts: readonly GivenFact[],
  gap: 'not-asked' | 'not-permitted' = 'not-permitted',
): Snapshot {
  const key = (name: string, place: Place, args: FactArgs) =>
    `${name} ${placeKey(place)} ${JSON.stringify(Object.entries(args).sort(([a], [b]) => (a < b ? -1 : 1)))}`;
  const known = new Map(facts.map((one) => [key(one.name, one.place, one.args), one]));
  const places = new Map(facts.map((one) => [placeKey(one.place), one.place]));
  const look = <K extends FactName>(name: K, place: Place, args: FactArgs = {}): Observed<Facts[K]> => {
    const request: Request = { action: name, place, args, round: 0 };
    const fact = known.get(key(name, place, args));
    if (!fact) return { state: 'unseen', gap, detail: 'forbidden', want: request };
    const value = fact.value as Facts[K];
    return { state: 'seen', value, source: { request }, complete: fact.complete, unparsed: [] };
  };
  return {
    fact: look,
    after: (name, place, args = {}) => ({
      state: 'unseen',
      gap: 'not-asked',
      detail: '',
      want: { action: name, place, args, round: 1000 },
    }),
    placesOf: (node) => [...places.values()].filter((place) => place.node === node),
    nodes: () => [...new Set([...places.values()].map((place) => place.node).filter((node) => node !== ''))],
    with: () => {
      throw new Error('a snapshot of given facts takes no changes');
    },
  };
}
