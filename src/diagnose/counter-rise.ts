import type { Counters } from '../parse/counters.ts';
import type { Observed, Seen } from '../snapshot/snapshot.ts';

/** A counter that rose between the two looks; undefined where it did not, or where one of the looks is missing. */
export function counterRise(
  before: Seen<Counters>,
  after: Observed<Counters>,
  name: string,
): { readonly by: number; readonly after: Seen<Counters> } | undefined {
  if (after.state === 'unseen') return undefined;
  const from = before.value[name];
  const to = after.value[name];
  if (from === undefined || to === undefined || to <= from) return undefined;
  return { by: to - from, after };
}
