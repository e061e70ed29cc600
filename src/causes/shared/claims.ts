import type { DeadEnd } from '../../diagnose/evidence-of.ts';
import type { LeafRef } from '../../diagnose/leaves.ts';

export function claimsOf(ends: readonly DeadEnd[]): LeafRef[] {
  return ends.map((end) => end.leaf.ref);
}

/** One of each, by a key: the same rule met by several flows is one piece of evidence. */
export function distinctBy<T>(items: readonly T[], key: (item: T) => string): T[] {
  return [...new Map(items.map((item) => [key(item), item])).values()];
}
