/** How many times lie in `fromMs` (with it) to `toMs` (without it). */
export interface HistogramBin {
  readonly fromMs: number;
  readonly toMs: number;
  readonly count: number;
}

/** Nothing is told apart below this. */
const LEAST_MS = 0.01;

/**
 * Counts in bins of 1, 2, 5, 10, 20, 50 … ms, from the first to the last that has any, with the empty ones between: a
 * microsecond and a retransmission after 3 s fit one picture, and two runs have the same bins.
 */
export function timeHistogram(timesMs: readonly number[]): readonly HistogramBin[] {
  if (timesMs.length === 0) return [];
  const edges = edgesUpTo(timesMs.reduce((most, time) => Math.max(most, time), 0));
  const counts = edges.slice(1).map(() => 0);
  for (const time of timesMs) {
    const above = edges.findIndex((edge) => time < edge);
    counts[Math.max(0, above - 1)]! += 1;
  }
  const bins = counts.map((count, at) => ({ fromMs: edges[at]!, toMs: edges[at + 1]!, count }));
  const first = bins.findIndex(({ count }) => count > 0);
  return bins.slice(first, bins.findLastIndex(({ count }) => count > 0) + 1);
}

/** 0, 0.01, 0.02, 0.05, 0.1 … to the first edge above `most`. */
function edgesUpTo(most: number): number[] {
  const edges = [0];
  for (let decade = Math.round(Math.log10(LEAST_MS)); ; decade++) {
    for (const step of [1, 2, 5]) {
      // By way of text: 2 * 10 ** -2 is not quite 0.02.
      const edge = Number(`${step}e${decade}`);
      edges.push(edge);
      if (edge > most) return edges;
    }
  }
}
