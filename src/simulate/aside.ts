import type { Cursor, Walk } from './cursor.ts';
import type { Step, Trace } from './trace.ts';

/*
 * A packet that a device sends beside the one that is walked: a copy to another remote of a tunnel. What becomes of it does not
 * matter to the packet, but the rules that it meets, and those that an error about it meets, count it.
 */

/** The rules that such a packet meets on its way, and perhaps meets, told as what they are. */
export function stepsAside(walk: Walk, cursor: Cursor, what: string): readonly Step[] {
  const walked = walk.aside?.(cursor);
  if (!walked) return [];
  return rulesOf(walked, true).map((step) => ({ ...step, text: `${what}: ${step.text}` }));
}

function rulesOf({ segments }: Trace, isSure: boolean): readonly Step[] {
  return segments.flatMap(({ hops, then }, index) => {
    // Behind a fork it is one of several ways.
    const isHere = isSure && (index === 0 || segments.length === 1);
    const own = hops.flatMap((hop) => hop.steps).filter(({ kind, matched }) => kind === 'rule' && matched !== 'no');
    const errors = 'end' in then && then.errorTrace ? rulesOf(then.errorTrace, isHere) : [];
    const rules = isHere ? own : own.map((step): Step => ({ ...step, matched: 'unknown' }));
    return [...rules, ...errors];
  });
}
