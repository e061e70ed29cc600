import { describe, expect, test } from 'vitest';
import { CLIENT, CLIENT_PLACE, fakeSnapshot, flow, leafTrace, packet, step } from '../diagnose/testing/build-case.ts';
import { CLUSTER } from '../net/place.ts';
import type { Disposition } from '../simulate/trace.ts';
import { serviceTrace, traceReport, undecidedTrace, W1, W2 } from './testing/sample-traces.ts';
import { dispositions } from './trip-schema.ts';

describe('the verdict', () => {
  test('delivered: on every way, there and back', () => {
    const report = traceReport(serviceTrace(3));
    expect(report).toMatchObject({ verdict: 'delivered', summary: 'delivered there and back' });
    expect(report.ends.map((end) => end.leg)).toEqual([
      'forward',
      'forward',
      'forward',
      'reply-1',
      'reply-2',
      'reply-3',
    ]);
  });

  test('lost: a share certainly dies, on the way there or back', () => {
    expect(traceReport(serviceTrace(2, 2))).toMatchObject({
      verdict: 'lost',
      summary: 'dropped by the policy of filter FORWARD (w2) [50 % of the connections]',
    });
    const answer = leafTrace('no-route', { place: W2, because: 'no route to 10.244.1.5' });
    const back = flow({ replies: [{ leaf: 0, trace: answer }] });
    const report = traceReport(leafTrace('delivered'), { walked: { flow: back, snapshot: fakeSnapshot() } });
    expect(report.summary).toBe('the answer: no route leads there: no route to 10.244.1.5 (w2)');
  });

  test('unknown: where only something undecided leads to a death, or something was not seen', () => {
    expect(traceReport(undecidedTrace()).verdict).toBe('unknown');
    const open = traceReport(leafTrace('insufficient-information', { because: 'nobody looked' }));
    expect(open).toMatchObject({ verdict: 'unknown', summary: 'not known: nobody looked (w1)' });
    expect(traceReport(leafTrace('handed-to-userspace')).verdict).toBe('unknown');
  });
});

describe('a packet that left the cluster', () => {
  const addresses = fakeSnapshot({
    facts: [
      [
        'api.pods',
        CLUSTER,
        {},
        [{ metadata: { name: 'a' }, spec: { containers: [] }, status: { podIPs: [{ ip: CLIENT }] } }],
      ],
      ['api.nodes', CLUSTER, {}, []],
      ['api.services', CLUSTER, {}, []],
    ],
  });
  const reportOf = (source: string, destination: string) => {
    const forward = leafTrace('left-the-cluster', { place: W1, packet: packet({ source, destination }) });
    return traceReport(forward, { walked: { flow: flow({ forward, snapshot: addresses }), snapshot: addresses } });
  };

  test('as a node’s own passed', () => {
    expect(reportOf('10.0.0.11', '192.0.2.1')).toMatchObject({
      verdict: 'delivered',
      summary: 'leaves the cluster as it should; what happens outside is not seen',
    });
  });

  test('as a pod’s own, or for one of the cluster’s addresses, is lost, and it is said why', () => {
    expect(reportOf(CLIENT, '192.0.2.1').summary).toBe(
      `left the cluster as ${CLIENT}, a pod’s own address: no answer finds its way back to it (w1)`,
    );
    expect(reportOf('10.0.0.11', CLIENT).summary).toBe(
      `left the cluster, though ${CLIENT} is one of its own addresses (w1)`,
    );
  });
});

test('several deaths are told together, the most of them by count', () => {
  const ways = Array.from({ length: 5 }, (_, i) => ({
    leaf: 0,
    trace: leafTrace('no-route', { because: `way ${i}` }),
  }));
  const back = flow({ replies: ways });
  const { summary } = traceReport(leafTrace('delivered'), { walked: { flow: back, snapshot: fakeSnapshot() } });
  expect(summary).toMatch(/^the answer: .*way 0.*; .*way 1.*; .*way 2.*; and 2 more ends$/);
});

test.each(dispositions.filter((end) => end.includes('-')))('%s has plain words', (end: Disposition) => {
  const { ends } = traceReport(leafTrace(end, { place: CLIENT_PLACE, steps: [step({ text: 'for this reason' })] }));
  const own = ends.find((one) => one.disposition === end)!;
  expect(own.text).toContain('(pod/demo/client on w1)');
  expect(own.text).not.toContain(`${end}:`);
});
