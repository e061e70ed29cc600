/** Statistics of a list of times, all in milliseconds. */
export interface Times {
  readonly count: number;
  readonly minMs: number;
  readonly avgMs: number;
  readonly maxMs: number;
  /** Of the times that were seen themselves (divided by their number), as ping(8) computes its mdev. */
  readonly stddevMs: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
}

/** Undefined of none. Percentiles lie between the two times next to them (Hyndman and Fan's definition 7, as R and NumPy do). */
export function describeTimes(timesMs: readonly number[]): Times | undefined {
  if (timesMs.length === 0) return undefined;
  const sorted = timesMs.toSorted((a, b) => a - b);
  const count = sorted.length;
  const average = sorted.reduce((sum, time) => sum + time, 0) / count;
  // From the average on: the difference of two large sums would lose what is small (E[x²] − E[x]²).
  const variance = sorted.reduce((sum, time) => sum + (time - average) ** 2, 0) / count;
  return {
    count,
    minMs: rounded(sorted[0]!),
    avgMs: rounded(average),
    maxMs: rounded(sorted.at(-1)!),
    stddevMs: rounded(Math.sqrt(variance)),
    p50Ms: rounded(percentile(sorted, 0.5)),
    p95Ms: rounded(percentile(sorted, 0.95)),
    p99Ms: rounded(percentile(sorted, 0.99)),
  };
}

function percentile(sorted: readonly number[], part: number): number {
  const at = (sorted.length - 1) * part;
  const below = sorted[Math.floor(at)]!;
  const above = sorted[Math.ceil(at)]!;
  return below + (above - below) * (at - Math.floor(at));
}

/** A microsecond is less than a probe of user space can tell. */
function rounded(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}
