import { expect, test } from 'vitest';
import type { Reply } from '../host/host.ts';
import { hostOf } from '../net/place.ts';
import { ruleTraceJobOf, ruleTraceRequests, ruleTraceScript } from './rule-trace-request.ts';
import { tracesCreated, watchedRules } from './rule-verdicts.ts';
import type { Tuple } from './visit.ts';

const SYN: Tuple = { protocol: 'tcp', source: '10.0.0.1', destination: '10.0.0.2', destinationPort: 80 };
const PLAN = {
  points: [
    { place: hostOf('w1'), device: 'veth1', tuples: [SYN] },
    { place: hostOf('w1'), device: 'eth0', tuples: [SYN] },
    { place: hostOf('w2'), device: 'eth0', tuples: [{ ...SYN, destination: '10.0.0.3' }] },
  ],
};

const packet = (id: string, from: string, to: string, ports: string): string =>
  `trace id ${id} ip filter FORWARD packet: iif "eth0" ip saddr ${from} ip daddr ${to} ip protocol tcp ${ports}`;
const TEXT = [
  'table inet podtriage_trace_70 {',
  packet('a1', '10.0.0.1', '10.0.0.2', 'tcp sport 4000 tcp dport 80'),
  'trace id a1 ip filter FORWARD rule drop (verdict drop)',
  packet('b2', '10.0.0.2', '10.0.0.1', 'tcp sport 80 tcp dport 4000'),
  'trace id b2 ip filter FORWARD policy accept',
  packet('c3', '10.0.0.1', '10.0.0.2', 'tcp sport 9999 tcp dport 80'),
  'trace id c3 ip filter FORWARD rule drop (verdict drop)',
  'trace id a1 inet podtriage_trace_70 prerouting packet: iif "eth0" ip saddr 10.0.0.1 ip daddr 10.0.0.2 tcp sport 4000 tcp dport 80',
  'trace id a1 inet podtriage_trace_70 prerouting policy accept',
].join('\n');
const reply = (text: string): Reply => ({
  request: { action: 'rules.trace.stop', place: hostOf('w1'), args: {}, round: 0 },
  startedAtMs: 0,
  tookMs: 1,
  got: 'raw',
  raw: new TextEncoder().encode(text),
  exitCode: 0,
  truncated: false,
  tool: 'nftables v1.0.6',
});

const gap = (kind: 'not-supported' | 'not-asked' | 'unreachable'): Reply => ({
  request: reply('').request,
  startedAtMs: 0,
  tookMs: 1,
  got: 'nothing',
  gap: kind,
  detail: 'why',
});

test('each network namespace is asked once, for exactly the packets of the flow there', () => {
  const { starts, stops } = ruleTraceRequests(PLAN, 900);
  expect(starts.map(({ place, args }) => [place.node, args['filter'], args['seconds']])).toEqual([
    ['w1', '6 10.0.0.1 10.0.0.2 0 80 |', 30],
    ['w2', '6 10.0.0.1 10.0.0.3 0 80 |', 30],
  ]);
  expect(stops).toHaveLength(2);
  expect(() => ruleTraceJobOf({ filter: '6 10.0.0.1 10.0.0.2 0 80 |', seconds: 900 })).toThrow(RangeError);
  expect(() => ruleTraceJobOf({ filter: 'flush ruleset', seconds: 9 })).toThrow(RangeError);
});

test('the table is owned by its session, marks the flow both ways and nothing else, and drops nothing', () => {
  const script = ruleTraceScript(ruleTraceJobOf(ruleTraceRequests(PLAN, 9).starts[0]!.args), 'podtriage_trace_7');
  expect(script.split('\n')[0]).toBe('add table inet podtriage_trace_7 { flags owner; }');
  expect(script.match(/^add rule .*$/gm)).toEqual(
    ['prerouting', 'output'].flatMap((hook) => [
      `add rule inet podtriage_trace_7 ${hook} ip saddr 10.0.0.1 ip daddr 10.0.0.2 tcp dport 80 meta nftrace set 1`,
      `add rule inet podtriage_trace_7 ${hook} ip saddr 10.0.0.2 ip daddr 10.0.0.1 tcp sport 80 meta nftrace set 1`,
    ]),
  );
});

test('verdicts of our own packets, there and back; our own table decides nothing, and others’ lines are in no bundle', () => {
  const watched = watchedRules([reply(TEXT)], new Map(), { sourcePorts: new Set([4000]) })!;
  expect(watched.verdicts).toMatchObject([
    { base: 'ip filter FORWARD', by: 'drop', verdict: 'drop', leg: 'there', packets: 1 },
    { by: 'policy', verdict: 'accept', leg: 'back', packets: 1 },
  ]);
  const kept = watched.replies[0]!;
  expect(kept.got === 'raw' && new TextDecoder().decode(kept.raw)).not.toContain('9999');
});

test('a namespace that could not be traced is told, and nobody asked is no answer', () => {
  const watched = watchedRules([gap('not-supported')], new Map(), undefined);
  expect(watched?.watches).toEqual([{ place: hostOf('w1'), gap: 'not-supported: why' }]);
  expect(watchedRules([gap('not-asked')], new Map(), undefined)).toBeUndefined();
});

test('what was created is told by the starts, also where the traces were never read', () => {
  const start = (answer: Reply): Reply => ({ ...answer, request: { ...answer.request, action: 'rules.trace.start' } });
  expect(tracesCreated([start(reply(''))])).toEqual([expect.stringContaining('in w1: removed by the kernel')]);
  expect(tracesCreated([start(gap('unreachable'))])).toEqual([expect.stringContaining('not confirmed')]);
  expect(tracesCreated([start(gap('not-supported')), reply('')])).toEqual([]);
});
