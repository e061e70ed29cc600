const NEAR_MAX = 5;

/** Edits (insert, delete, replace, swap of neighbours) that turn `a` into `b`: optimal string alignment distance. */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row[j] = Math.min(replace, last[j]! + 1, row[j - 1]! + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        row[j] = Math.min(row[j]!, beforeLast[j - 2]! + 1);
      }
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}

/**
 * The candidates that a person may have meant by `word`, best first, five at most: a third of the letters may differ, or
 * one name begins with the other (pods of a workload carry a suffix).
 */
export function nearNames(word: string, candidates: Iterable<string>): string[] {
  const rated: { name: string; distance: number }[] = [];
  for (const name of new Set(candidates)) {
    const distance = distanceOf(word.toLowerCase(), name.toLowerCase());
    if (distance !== undefined) rated.push({ name, distance });
  }
  rated.sort((a, b) => a.distance - b.distance || a.name.localeCompare(b.name));
  return rated.slice(0, NEAR_MAX).map((one) => one.name);
}

function distanceOf(word: string, name: string): number | undefined {
  if (word.length >= 2 && name.startsWith(word)) return 0.5;
  if (name.length >= 3 && word.startsWith(name)) return 0.75;
  // A hundred-letter name must not cost a quadratic table for each of 10,000 pods.
  if (Math.abs(word.length - name.length) > 3) return undefined;
  const distance = editDistance(word, name);
  return distance <= Math.max(1, Math.min(3, Math.floor(word.length / 3))) ? distance : undefined;
}
