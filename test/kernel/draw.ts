import fc from 'fast-check';

/** Evenly drawn: fast-check prefers small and extreme numbers, which would choose the same features all the time. */
function even(max: number): fc.Arbitrary<number> {
  return fc.noBias(fc.nat({ max }));
}

/** Random choices of one case; the same seed makes the same ones. */
export interface Draw {
  readonly int: (min: number, max: number) => number;
  readonly pick: <T>(list: readonly T[]) => T;
  readonly chance: (probability: number) => boolean;
  /** By `weight`; 1 where there is none. */
  readonly weighted: <T extends { readonly weight?: number }>(list: readonly T[]) => T;
  readonly shuffled: <T>(list: readonly T[]) => readonly T[];
}

/** An arbitrary of what `build` makes of its draws. */
export function drawn<T>(build: (draw: Draw) => T): fc.Arbitrary<T> {
  return fc.gen().map((g) => {
    const int = (min: number, max: number): number => g(even, max - min) + min;
    return build({
      int,
      pick: (list) => list[int(0, list.length - 1)]!,
      chance: (probability) => int(0, 999) < probability * 1000,
      weighted: (list) => {
        let at = (int(0, 9999) / 10_000) * list.reduce((sum, one) => sum + (one.weight ?? 1), 0);
        for (const one of list) {
          at -= one.weight ?? 1;
          if (at < 0) return one;
        }
        return list[0]!;
      },
      shuffled: (list) => {
        const rest = [...list];
        return list.map(() => rest.splice(int(0, rest.length - 1), 1)[0]!);
      },
    });
  });
}
