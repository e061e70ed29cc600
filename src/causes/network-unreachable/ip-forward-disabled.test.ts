import { expect, test } from 'vitest';
import { buildCase, checkWith, fakeSnapshot, flow, leafTrace, probe, step } from '../../diagnose/testing/build-case.ts';
import { hostOf } from '../../net/place.ts';
import { ipForwardDisabled } from './ip-forward-disabled.ts';

const w1 = hostOf('w1');
const switchedOff = step({
  kind: 'sysctl',
  at: 'sysctl net.ipv4.ip_forward',
  matched: 'no',
  values: { key: 'net.ipv4.ip_forward', value: '0', check: 'forwarding' },
  text: 'net.ipv4.ip_forward = 0',
});

const dying = flow({
  forward: leafTrace('forwarding-disabled', { place: w1, steps: [switchedOff] }),
  probe: probe('no', 'timed-out'),
});

test('present: the walk ends at the switch; the counter that rose and the failed probe are told', () => {
  const snapshot = fakeSnapshot({
    facts: [['counters', w1, {}, { IpInAddrErrors: 4 }]],
    after: [['counters', w1, {}, { IpInAddrErrors: 7 }]],
  });
  const finding = checkWith(ipForwardDisabled, buildCase({ snapshot, flows: [dying] }), w1);
  if (finding.is !== 'present') throw new Error(`it is ${finding.is}`);
  expect(finding.claims).toEqual([{ flow: 'main', leg: 'forward', segment: 0 }]);
  expect(finding.place?.object).toBe('net.ipv4.ip_forward');
  expect(finding.change).toEqual([
    { op: 'sysctl', place: w1, key: 'net.ipv4.ip_forward', value: '1', text: 'sysctl net.ipv4.ip_forward=1' },
  ]);
  expect(finding.evidence.map((evidence) => evidence.plane)).toEqual(['walk', 'kernel', 'probe']);
  expect(finding.evidence[1]?.values).toEqual({ counter: 'IpInAddrErrors', rose: 3 });
});

test('absent: everything is forwarded', () => {
  expect(checkWith(ipForwardDisabled, buildCase({ flows: [flow({})] }), w1).is).toBe('absent');
});

test('near miss: the packet dies in the FORWARD chain of the same node, after it was forwarded', () => {
  const dropped = step({ kind: 'policy', values: { table: 'filter', chain: 'FORWARD', policy: 'DROP' } });
  const flows = [flow({ forward: leafTrace('dropped-by-rule', { place: w1, steps: [dropped] }) })];
  expect(checkWith(ipForwardDisabled, buildCase({ flows }), w1).is).toBe('absent');
});

test('near miss: another node is the one that does not forward', () => {
  expect(checkWith(ipForwardDisabled, buildCase({ flows: [dying] }), hostOf('w2')).is).toBe('absent');
});
