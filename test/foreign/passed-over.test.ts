import { describe, expect, it } from 'vitest';
import type { Step, Trace } from '../../src/simulate/trace.ts';
import { type Fixture, fixtureNames, readFixture } from './fixture.ts';
import { traceProbe } from './walk-probe.ts';

/** Probes of one fixture; the rest walk the same rules. */
const PROBES_MAX = 12;

const isPassed = (step: Step): boolean => step.kind === 'rule' && step.matched === 'no';

function stepsOf(trace: Trace): readonly Step[] {
  return trace.segments.flatMap((segment) => segment.hops.flatMap((hop) => hop.steps));
}

/** All that a walk tells but where in a list of steps an end stands. */
function bare(trace: Trace): unknown {
  return trace.segments.map(({ hops, then }) => ({
    hops: hops.map((hop) => ({ ...hop, steps: hop.steps.filter((step) => !isPassed(step)) })),
    end: 'end' in then ? { ...then, at: undefined, errorTrace: then.errorTrace && bare(then.errorTrace) } : then.to,
  }));
}

/** The rules of a chain that were told of, in one pass through it, leave none out. */
function expectNoGap(steps: readonly Step[]): void {
  let before: Step | undefined;
  for (const step of steps.filter(({ kind }) => kind === 'rule')) {
    const [number, chain] = [Number(step.values['ruleNumber']), step.values['chain']];
    const goesOn = before?.values['chain'] === chain && before?.at.split(' ')[0] === step.at.split(' ')[0];
    if (before && goesOn && isPassed(before) && number > Number(before.values['ruleNumber']))
      expect(number, `${step.at} after ${before.at}`).toBe(Number(before.values['ruleNumber']) + 1);
    before = step;
  }
}

function expectSameWalk(fixture: Fixture, probe: Fixture['probes'][number]): number {
  const few = traceProbe(fixture, probe);
  const all = traceProbe(fixture, probe, 'all');
  expect(bare(all)).toEqual(bare(few));
  expectNoGap(stepsOf(all));
  const passed = stepsOf(all).filter(isPassed);
  for (const step of passed) expect(step.values['failed'], step.source.text).not.toBe('its matches');
  return passed.length;
}

describe.each(fixtureNames())('%s', (name) => {
  const fixture = readFixture(name);

  it('walks the same whether or not it tells of each rule that it passed over', () => {
    const counts = fixture.probes.slice(0, PROBES_MAX).map((probe) => expectSameWalk(fixture, probe));
    const isWalked = fixture.probes.some((probe) =>
      stepsOf(traceProbe(fixture, probe)).some(({ kind }) => kind === 'rule'),
    );
    expect(Math.max(0, ...counts) > 0).toBe(isWalked);
  });
});
