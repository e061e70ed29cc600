import type { Step } from './trace.ts';

/**
 * The steps of two ways that have come to the same: what both tell of is told once, and what only one tells of may or may
 * not have happened.
 */
export function joinSteps(a: readonly Step[], b: readonly Step[]): readonly Step[] {
  if (a === b) return a;
  const left = new Map<string, Step[]>();
  for (const step of b) {
    const key = keyOf(step);
    const same = left.get(key);
    if (same) same.push(step);
    else left.set(key, [step]);
  }
  const joined = a.map((step): Step => {
    const twin = left.get(keyOf(step))?.shift();
    if (twin === step) return step;
    return !twin || twin.matched !== step.matched ? perhaps(step) : step;
  });
  const rest = new Set([...left.values()].flat());
  return rest.size === 0 ? joined : [...joined, ...b.filter((step) => rest.has(step)).map(perhaps)];
}

/** The same of rule sets in another order: what ended the packet both ways stays at the end, since a leaf is about its last step. */
export function joinOrders(a: readonly Step[], b: readonly Step[]): readonly Step[] {
  const joined = joinSteps(a, b);
  const last = a.at(-1);
  const isShared = last !== undefined && b.some((step) => keyOf(step) === keyOf(last));
  if (!isShared || joined.length === a.length) return joined;
  const end = a.length - 1;
  return [...joined.slice(0, end), ...joined.slice(a.length), joined[end]!];
}

/** A rule stands at one place of one backend; a rule set is walked through once for each time that it is called. */
function keyOf({ kind, at, values }: Step): string {
  return `${kind} ${values.backend ?? ''} ${at}`;
}

function perhaps(step: Step): Step {
  return step.matched === 'yes' ? { ...step, matched: 'unknown' } : step;
}
