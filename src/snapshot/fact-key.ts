import type { Place } from '../net/place.ts';
import type { FactArgs } from './facts.ts';

const MANNERS: ReadonlySet<string> = new Set(['timeoutMs', 'count']);

/**
 * What makes two questions the same: action, network namespace and arguments. An argument that is '' or null asks for
 * everything and counts as left out; the order of arguments does not matter. How long somebody was ready to wait
 * (`timeoutMs`), and how often he asked (`count`), is no part of it: a bundle answers a podtriage that is more patient or less.
 */
export function factKey(action: string, place: Place, args: FactArgs = {}): string {
  const given = Object.entries(args)
    .filter(([name, value]) => !MANNERS.has(name) && value !== '' && value !== null && value !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([action, place.node, place.namespace, ...given]);
}
