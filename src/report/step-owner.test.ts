import { describe, expect, test } from 'vitest';
import { fakeSnapshot, flow, leafTrace, step } from '../diagnose/testing/build-case.ts';
import { parseIpLink } from '../parse/ip-link.ts';
import { ownerOfStep, withOwners } from './step-owner.ts';
import { routed, ruleStep, W1 } from './testing/sample-traces.ts';

const LINKS = parseIpLink(
  JSON.stringify([
    { ifindex: 1, ifname: 'flannel.1', mtu: 1450, flags: [], linkinfo: { info_kind: 'vxlan', info_data: { id: 1 } } },
    { ifindex: 2, ifname: 'cni0', mtu: 1450, flags: [], linkinfo: { info_kind: 'bridge' } },
    { ifindex: 3, ifname: 'eth0', mtu: 1500, flags: [] },
  ]),
).value;

const nft = (family: string, table: string, chain: string) =>
  step({ kind: 'rule', at: 'x', values: { backend: 'nft', family, table, chain, ruleText: 'drop' } });

describe('whose it is', () => {
  test.each([
    ['kube-proxy', ruleStep('forward', 'filter', '-A FORWARD -j KUBE-FORWARD', { line: 1 })],
    ['flannel', ruleStep('forward', 'filter', '-A FLANNEL-FWD -s 10.244.0.0/16 -j ACCEPT', { line: 1 })],
    ['foreign', ruleStep('forward', 'filter', '-A FORWARD -d 10.0.0.0/8 -j DROP', { line: 1 })],
    ['kube-proxy', nft('ip', 'kube-proxy', 'filter-input')],
    ['foreign', nft('inet', 'corp_firewall', 'forward')],
    ['kube-proxy', nft('ip', 'filter', 'KUBE-FORWARD')],
    ['flannel', routed('10.244.1.4', '10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink')],
    ['flannel', step({ kind: 'tunnel', values: { device: 'flannel.1' } })],
    ['cni-bridge', step({ kind: 'bridge', values: { bridge: 'cni0' } })],
  ])('%s', (by, one) => expect(ownerOfStep(one, LINKS)?.by).toBe(by));

  test.each([
    [
      'a policy of iptables',
      step({ kind: 'policy', values: { backend: 'iptables-nft', table: 'filter', chain: 'FORWARD' } }),
    ],
    ['a route of the kernel', routed('10.0.0.1', '10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.5')],
    ['a route of nobody known', routed('10.0.0.1', 'default via 10.0.0.1 dev eth0')],
    ['a device that was not read', step({ kind: 'tunnel', values: { device: 'vxlan9' } })],
    ['a neighbour', step({ kind: 'neighbour', values: { device: 'flannel.1' } })],
  ])('not said of %s', (_, one) => expect(ownerOfStep(one, LINKS)).toBeUndefined());
});

test('each step of the way there, back and of an error gets its own, by the devices of its own place', () => {
  const tunnel = step({ kind: 'tunnel', values: { device: 'flannel.1' } });
  const error = leafTrace('delivered', { place: W1, steps: [tunnel] });
  const dying = leafTrace('delivered', { place: W1, steps: [tunnel] });
  const [only] = dying.segments;
  // biome-ignore lint/suspicious/noThenProperty: a segment is never awaited; the trace's contract names it so.
  const segment = { ...only!, then: { ...only!.then, errorTrace: error } };
  const forward = { ...dying, segments: [segment] };
  const { trip } = flow({ forward, replies: [{ leaf: 0, trace: dying }] });
  const snapshot = fakeSnapshot({ facts: [['links', W1, {}, LINKS]] });
  const owned = withOwners(trip, snapshot);
  const then = owned.forward.segments[0]!.then;
  for (const trace of [owned.forward, owned.replies[0]!.trace, 'end' in then ? then.errorTrace! : undefined])
    expect(trace!.segments[0]!.hops.at(-1)!.steps[0]!.owner).toEqual({ by: 'flannel', purpose: expect.any(String) });
  expect(withOwners(trip, fakeSnapshot()).forward.segments[0]!.hops.at(-1)!.steps[0]).toEqual(tunnel);
});
