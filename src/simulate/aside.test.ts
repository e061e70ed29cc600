import { expect, it } from 'vitest';
import { hostOf } from '../net/place.ts';
import { stepsAside } from './aside.ts';
import type { Cursor, Walk } from './cursor.ts';
import { makeStep, sourceAt } from './steps.ts';
import { buildPacket, udpTo } from './testing/build-hook-input.ts';
import { snapshotOfTexts } from './testing/build-snapshot.ts';
import type { LeafEnd, Segment, Step, Trace } from './trace.ts';
import { untouched } from './tracking.ts';
import { CERTAIN } from './truth.ts';

const place = hostOf('w1');
const packet = buildPacket({ l4: udpTo(4789), lengthBytes: 110 });
const at = { segment: 0, hop: 0, step: 0 };

function told(kind: 'rule' | 'route', name: string, matched: Step['matched'] = 'yes'): Step {
  return { ...makeStep({ kind, at: name, source: sourceAt(place, 'routes'), values: {}, text: name }), matched };
}

function leaf(errorTrace?: Trace): Segment {
  const end: LeafEnd = {
    end: 'neighbour-unresolved',
    at,
    packet,
    meta: untouched(),
    place,
    senderSees: 'nothing',
    wants: [],
    ...(errorTrace && { errorTrace }),
  };
  // biome-ignore lint/suspicious/noThenProperty: a segment is never awaited; the trace's contract names it so.
  return { hops: [], then: end };
}

const traceOf = (...segments: readonly Segment[]): Trace => ({ packet, from: place, segments, unwalked: 0 });
const meeting = (segment: Segment, ...steps: readonly Step[]): Segment => ({
  ...segment,
  hops: [{ place, packet, meta: untouched(), steps }],
});

function aside(trace: Trace): string[] {
  const walk: Walk = {
    world: { snapshot: snapshotOfTexts([]), gate: { parts: [], podAddressesRoutable: 'yes' } },
    aside: () => trace,
  };
  return stepsAside(walk, {} as Cursor, 'a copy to 10.0.0.77').map(({ text, matched }) => `${text} ${matched}`);
}

it('a copy counts at the rules that it meets, and so does the error about it', () => {
  const error = traceOf(meeting(leaf(), told('rule', 'INPUT#1')));
  const trace = traceOf(
    meeting(leaf(error), told('route', 'main'), told('rule', 'OUTPUT#1'), told('rule', 'no', 'no')),
  );
  expect(aside(trace)).toEqual(['a copy to 10.0.0.77: OUTPUT#1 yes', 'a copy to 10.0.0.77: INPUT#1 yes']);
});

it('behind a fork it only perhaps does', () => {
  const fork = { fork: 'undecided' as const, at, to: [1, 2].map((segment) => ({ segment, chance: CERTAIN })) };
  // biome-ignore lint/suspicious/noThenProperty: a segment is never awaited; the trace's contract names it so.
  const root: Segment = { hops: [{ place, packet, meta: untouched(), steps: [told('rule', 'OUTPUT#1')] }], then: fork };
  const trace = traceOf(root, meeting(leaf(), told('rule', 'OUTPUT#2')), leaf());
  expect(aside(trace)).toEqual(['a copy to 10.0.0.77: OUTPUT#1 yes', 'a copy to 10.0.0.77: OUTPUT#2 unknown']);
});
