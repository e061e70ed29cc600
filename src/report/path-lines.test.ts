import { describe, expect, test } from 'vitest';
import { CLIENT_PLACE, hop, leafEnd, leafTrace, packet, sourceOf, step } from '../diagnose/testing/build-case.ts';
import { hostOf } from '../net/place.ts';
import type { Fork, Hop, LeafEnd, Step, Trace } from '../simulate/trace.ts';
import { CERTAIN, chanceOf, UNDECIDED } from '../simulate/truth.ts';
import { chanceText, pathLines } from './path-lines.ts';

const at = { segment: 0, hop: 0, step: 0 };
const segment = (then: Fork | LeafEnd, hops: readonly Hop[] = []) => ({ hops, then });
const traceOf = (...segments: Trace['segments'][number][]): Trace => ({
  packet: packet(),
  from: CLIENT_PLACE,
  segments,
  unwalked: 0,
});
const fork = (kind: Fork['fork'], ...to: number[]): Fork => ({
  fork: kind,
  at,
  to: to.map((one) => ({ segment: one, chance: kind === 'undecided' ? UNDECIDED : chanceOf(1 / to.length) })),
});

/** The lines as `kind text`, with the segments in which the packet is lost. */
const draw = (trace: Trace, dead: readonly number[] = [], all = false): string[] =>
  pathLines(trace, { dead: new Set(dead), all }).map((line) => `${line.kind} ${line.text}`);

describe('hops', () => {
  test('the namespace, and the devices by which the packet comes and goes', () => {
    const hops = [
      hop(CLIENT_PLACE, [], { output: 'eth0' }),
      hop(hostOf('w1'), [], { input: 'cni0', output: 'flannel.1' }),
      hop(hostOf(''), []),
    ];
    expect(draw(traceOf(segment(leafEnd('left-the-cluster'), hops)))).toEqual([
      'hop pod/demo/client on w1:  → eth0',
      'hop w1:  cni0 → flannel.1',
      'hop outside the cluster',
      'end left-the-cluster',
    ]);
  });

  test('steps that chose the way, changed the packet or were not decided; not those that merely matched', () => {
    const steps: Step[] = [
      step({ kind: 'rule', text: 'calls KUBE-SERVICES' }),
      step({ kind: 'rule', text: 'KUBE-MARK-MASQ', changes: [{ field: 'mark', from: 0, to: 16384 }] }),
      step({
        kind: 'nat',
        text: 'destination becomes 10.244.2.7:8080',
        changes: [{ field: 'destination', from: '10.96.12.34:80', to: '10.244.2.7:8080' }],
        owner: { by: 'kube-proxy', purpose: 'Service demo/web' },
      }),
      step({ kind: 'rule', text: 'not decided (-m bpf); if it matches: drop', matched: 'unknown' }),
      step({ text: '10.244.2.0/24 via 10.244.2.0 dev flannel.1' }),
    ];
    const lines = draw(traceOf(segment(leafEnd('delivered', { at: { ...at, step: 9 } }), [hop(hostOf('w1'), steps)])));
    expect(lines.slice(1, -1)).toEqual([
      'step KUBE-MARK-MASQ (mark 0 → 16384)',
      'step destination becomes 10.244.2.7:8080 [kube-proxy]',
      'step not decided (-m bpf); if it matches: drop',
      'step 10.244.2.0/24 via 10.244.2.0 dev flannel.1',
    ]);
  });

  test('of many steps the last are shown, and the rest is counted', () => {
    const steps = Array.from({ length: 9 }, (_, i) => step({ text: `route ${i}` }));
    const trace = traceOf(segment(leafEnd('delivered', { at: { ...at, step: 99 } }), [hop(hostOf('w1'), steps)]));
    expect(draw(trace).slice(1, 3)).toEqual(['step … 3 more (-v shows all)', 'step route 3']);
    expect(draw(trace, [], true).slice(1, 3)).toEqual(['step route 0', 'step route 1']);
  });
});

describe('ends', () => {
  const rule = step({
    kind: 'rule',
    at: 'forward filter-nft FORWARD#3',
    text: 'drop',
    source: sourceOf('iptables.nft', hostOf('w1'), 31, '-A FORWARD -s 10.244.0.0/16 -j DROP'),
  });

  test('a death: what, the very line, where, and what the sender sees; its step is not drawn twice', () => {
    const route = step({ text: 'default via 10.78.0.1 dev eth0' });
    expect(draw(leafTrace('dropped-by-rule', { steps: [route, rule], before: [] }), [0])).toEqual([
      'hop w1',
      'step default via 10.78.0.1 dev eth0',
      'death dropped-by-rule: drop',
      'proof -A FORWARD -s 10.244.0.0/16 -j DROP',
      'note in forward filter-nft FORWARD#3; the sender sees nothing: a time-out',
    ]);
  });

  test('a death without a step of its own', () => {
    expect(draw(leafTrace('loop', { before: [] }), [0])).toEqual([
      'hop w1',
      'death loop',
      'note the sender sees nothing: a time-out',
    ]);
  });

  test('an end that could not be told is neither', () => {
    const trace = leafTrace('insufficient-information', { before: [], because: 'links of w1: timed-out' });
    expect(draw(trace)).toEqual(['hop w1', 'open insufficient-information: links of w1: timed-out']);
  });

  test.each([
    ['reset', '10.244.1.5', 'a reset: connection refused'],
    ['icmp 3/3', '10.244.1.5', 'icmp 3/3: connection refused'],
    ['icmp 3/0', '10.244.1.5', 'icmp 3/0: network unreachable'],
    ['icmp 3/0', 'fd00::5', 'icmp 3/0: hop limit exceeded'],
    ['icmp 1/4', 'fd00::5', 'icmp 1/4: connection refused'],
    ['icmp 5/1', '10.244.1.5', 'icmp 5/1: an ICMP error'],
  ] as const)('%s to %s', (senderSees, source, text) => {
    const trace = leafTrace('rejected-by-rule', { senderSees, packet: packet({ source }) });
    expect(draw(trace, [0]).at(-1)).toBe(`note the sender sees ${text}`);
  });
});

describe('forks', () => {
  const [alive, lost] = [segment(leafEnd('delivered')), segment(leafEnd('no-route'))];

  test.each([
    ['random', 'backend 1 of 2 (50 %)'],
    ['multipath', 'next hop 1 of 2 (50 %)'],
    ['undecided', 'undecided way 1 of 2 (0–100 %)'],
  ] as const)('%s', (kind, text) => {
    expect(draw(traceOf(segment(fork(kind, 1, 2)), alive, alive))[0]).toBe(`fork ${text}`);
  });

  test('the way to the first death is drawn first, also through a further fork', () => {
    const trace = traceOf(segment(fork('random', 1, 2)), alive, segment(fork('random', 3, 4)), alive, lost);
    expect(draw(trace, [4]).filter((line) => !line.startsWith('fork'))).toEqual([
      'death no-route',
      'note the sender sees nothing: a time-out',
      'end delivered',
      'end delivered',
    ]);
  });

  test('many branches are counted, and drawn on request', () => {
    const trace = traceOf(segment(fork('random', 1, 2, 3, 4, 5)), alive, alive, alive, alive, lost);
    expect(draw(trace, [5])).toContain('fork and 2 more');
    expect(draw(trace, [5])).toContain('death no-route');
    expect(draw(trace, [5], true).filter((line) => line === 'end delivered')).toHaveLength(4);
  });

  test('what comes after ways that meet again is drawn once', () => {
    const joins = { ...fork('random', 3), to: [{ segment: 3, chance: CERTAIN }] };
    const trace = traceOf(segment(fork('undecided', 1, 2)), segment(joins), segment(joins), lost);
    const lines = draw(trace, [3]);
    expect(lines.filter((line) => line === 'death no-route')).toHaveLength(1);
    expect(lines).toContain('fork joins a way drawn above');
  });

  test('many undecided rules whose ways meet again take no longer than few', () => {
    const rungs = 60;
    const ladder = Array.from({ length: rungs }, (_, i) => [
      segment(fork('undecided', 3 * i + 1, 3 * i + 2)),
      segment({ ...fork('random'), to: [{ segment: 3 * i + 3, chance: CERTAIN }] }),
      segment({ ...fork('random'), to: [{ segment: 3 * i + 3, chance: CERTAIN }] }),
    ]).flat();
    const lines = draw(traceOf(...ladder, alive), [], true);
    expect(lines.filter((line) => line === 'end delivered')).toHaveLength(1);
  });

  test('ways that were not walked are said', () => {
    expect(draw({ ...traceOf(alive), unwalked: 12 }).at(-1)).toBe('fork 12 more ways were not walked');
  });
});

test.each([
  [chanceOf(1 / 3), '33 %'],
  [UNDECIDED, '0–100 %'],
  [{ min: 0.25, max: 0.5 }, '25–50 %'],
])('a chance %j reads %s', (chance, text) => {
  expect(chanceText(chance)).toBe(text);
});
