/** Up to so many are compared with each other: to name each costs more. */
const FEW = 16;

/** Those that are alike together, in the order of the first of each. `keyOf` gives two of them the same text if `isAlike` says so. */
export function groupAlike<T>(
  items: readonly T[],
  isAlike: (a: T, b: T) => boolean,
  keyOf: (item: T) => string,
): readonly (readonly T[])[] {
  if (items.length > FEW) return [...Map.groupBy(items, keyOf).values()];
  const groups: T[][] = [];
  for (const item of items) {
    const group = groups.find(([first]) => isAlike(first!, item));
    if (group) group.push(item);
    else groups.push([item]);
  }
  return groups;
}
