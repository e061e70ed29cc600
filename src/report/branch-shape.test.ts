import { expect, test } from 'vitest';
import { flow, leafTrace } from '../diagnose/testing/build-case.ts';
import type { Trace } from '../simulate/trace.ts';
import { branchShapes } from './branch-shape.ts';
import { serviceTrace } from './testing/sample-traces.ts';

const shapesOf = (trace: Trace, replies = flow({ forward: trace }).trip.replies) => {
  const shapes = branchShapes(trace, replies);
  return trace.segments.slice(1).map((_, i) => shapes(i + 1));
};

test('backends that differ by address, chain and pod alone have one shape, a dead one has its own', () => {
  const shapes = shapesOf(serviceTrace(3, 2));
  expect(new Set(shapes.slice(0, 3)).size).toBe(1);
  expect(new Set(shapes.slice(3)).size).toBe(1);
  expect(shapes[0]).not.toBe(shapes[3]);
});

test('one whose answer dies fares otherwise', () => {
  const trace = serviceTrace(2);
  const [first] = flow({ forward: trace }).trip.replies;
  const dying = { leaf: 2, trace: leafTrace('reply-not-matched') };
  const [a, b] = shapesOf(trace, [first!, dying]);
  expect(a).not.toBe(b);
});

test('one that meets another verdict, or changes another field, fares otherwise', () => {
  const trace = serviceTrace(2);
  const changed = (edit: (text: string) => string): Trace => {
    const [root, one, other] = trace.segments;
    return { ...trace, segments: [root!, one!, JSON.parse(edit(JSON.stringify(other))) as typeof other & object] };
  };
  for (const edit of [
    (text: string) => text.replace('"field":"destination"', '"field":"source"'),
    (text: string) => text.replace('"by":"listener"', '"by":"kernel"'),
    (text: string) => text.replaceAll('"namespace":"pod/demo/web-1"', '"namespace":"host"'),
    (text: string) => text.replace('"table":"nat"', '"table":"mangle"'),
  ]) {
    const other = changed(edit);
    expect(JSON.stringify(other)).not.toBe(JSON.stringify(trace));
    const [a, b] = shapesOf(other);
    expect(a).not.toBe(b);
  }
});

test('what was passed over does not count', () => {
  const trace = serviceTrace(2);
  const [root, one, other] = trace.segments;
  const [host, ...rest] = other!.hops;
  const passed = { ...host!.steps[0]!, matched: 'no' as const };
  const longer = { ...other!, hops: [{ ...host!, steps: [passed, ...host!.steps] }, ...rest] };
  const [a, b] = shapesOf({ ...trace, segments: [root!, one!, longer] });
  expect(a).toBe(b);
});
