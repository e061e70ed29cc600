import type { Flow } from './derived.ts';

const ASIDE: ReadonlySet<string> = new Set<Flow['purpose']>([
  'icmp',
  'past-proxy',
  'size',
  'underlay',
  'underlay-large',
]);

/**
 * Flows that explain and do not decide: ping beside a port that was asked for, and what goes from node to node. Both are
 * filtered in many places where everything else works. (Where ping itself was asked for, it is the flow `main`.)
 */
export function isAside({ purpose }: Pick<Flow, 'purpose'>): boolean {
  return ASIDE.has(purpose);
}
