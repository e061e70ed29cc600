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

/**
 * The same of rule sets in another order. What ended the packet both ways stays at the end, since a leaf is about its last
 * step. Where each way has an end of its own (`isEnd`), both are told: the packet ends here whichever rule set comes first.
 */
export function joinOrders(a: readonly Step[], b: readonly Step[], isEnd = false): readonly Step[] {
  if (isEnd) return joinEnds(a, b);
  const joined = joinSteps(a, b);
  const last = a.at(-1);
  const isShared = last !== undefined && b.some((step) => keyOf(step) === keyOf(last));
  if (!isShared || joined.length === a.length) return joined;
  const end = a.length - 1;
  return [...joined.slice(0, end), ...joined.slice(a.length), joined[end]!];
}

function joinEnds(a: readonly Step[], b: readonly Step[]): readonly Step[] {
  const [ends, others] = [endsOf(a), endsOf(b)];
  if (![...ends, ...others].every(({ matched }) => matched === 'yes')) return joinOrders(a, b);
  const known = new Set(ends.map(keyOf));
  const all = [...others.filter((step) => !known.has(keyOf(step))), ...ends];
  const rest = joinSteps(
    a.filter((step) => !ends.includes(step)),
    b.filter((step) => !others.includes(step)),
  );
  return all.length === 1 ? [...rest, all[0]!] : [...rest, ...all.map((step) => withRivals(step, all))];
}

/** The last step, and with it those that were found to end the packet as well. */
function endsOf(steps: readonly Step[]): readonly Step[] {
  return steps.filter((step, index) => step.values.rivals !== undefined || index === steps.length - 1);
}

/** Only one of them meets the packet, and it is not known which; `rivals` says how many there are beside it. */
function withRivals(step: Step, all: readonly Step[]): Step {
  const others = all.filter((one) => one !== step).map(({ source, text }) => `“${source.text ?? text.split(OR)[0]}”`);
  const [own] = step.text.split(OR);
  return {
    ...step,
    values: { ...step.values, rivals: others.length },
    text: `${own}${OR}${others.join(' or ')} does, whichever comes first`,
  };
}

const OR = '; or ';

/** A rule stands at one place of one backend; a rule set is walked through once for each time that it is called. */
function keyOf({ kind, at, values }: Step): string {
  return `${kind} ${values.backend ?? ''} ${at}`;
}

function perhaps(step: Step): Step {
  return step.matched === 'yes' ? { ...step, matched: 'unknown' } : step;
}
