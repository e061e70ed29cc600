import { shortPlace } from './end-text.ts';
import { type Layout, section } from './layout.ts';
import type { Report } from './report.ts';

/** Lines without -v. */
const LINES = 8;

/** Counters of loss that rose, the largest rise of each network namespace first. */
export function movedBlock({ moved }: Pick<Report, 'moved'>, layout: Layout): string {
  const lines = moved
    .toSorted((a, b) => b.rose - a.rose)
    .map(({ place, counter, rose }) => {
      const where = shortPlace({ node: place.node, namespace: place.namespace as 'host' });
      return `${where}: ${counter} +${rose}`;
    });
  const shown = layout.verbose ? lines : lines.slice(0, LINES);
  const more = lines.length - shown.length;
  const rest = more > 0 ? [`${more} more with -v`] : [];
  return section('MOVED WHILE THE PROBES RAN (others’ traffic counts, too)', [...shown, ...rest], layout);
}
