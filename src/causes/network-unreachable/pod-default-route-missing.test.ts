import { expect, test } from 'vitest';
import { checkWith, probe } from '../../diagnose/testing/build-case.ts';
import { tcpSyn } from '../../simulate/testing/build-hook-input.ts';
import { presentOf, statements } from '../testing/cause-cases.ts';
import { CLIENT, CLIENT_VETH, namedOn, OUTSIDE_IP, outsideEnd, recordedCase, W1 } from '../testing/recorded-case.ts';
import { addRoute, cut, editJson, editLink, removeRoute, setLink } from '../testing/recorded-faults.ts';
import { podDefaultRouteMissing } from './pod-default-route-missing.ts';

const outside = {
  asks: [{ to: OUTSIDE_IP, l4: tcpSyn(80) }],
  question: { destination: outsideEnd(), port: 80 },
  probes: { main: probe('no', 'unreachable') },
};
const gone = removeRoute(CLIENT, 'default via 10.244.0.1 dev eth0');

test('present: nothing covers the destination, and the node’s bridge is the gateway that is meant', () => {
  const given = recordedCase({ ...outside, changes: [gone] });
  const finding = checkWith(podDefaultRouteMissing, given, CLIENT);
  expect(presentOf(finding).claims).toEqual([{ flow: 'main', leg: 'forward', segment: 0 }]);
  expect(presentOf(finding).place).toEqual({ ...CLIENT, object: 'default route' });
  expect(presentOf(finding).change).toEqual([
    expect.objectContaining({ op: 'route', place: CLIENT, act: 'add', line: 'default via 10.244.0.1 dev eth0' }),
  ]);
  expect(presentOf(finding).evidence.map((one) => one.plane)).toEqual(['state', 'probe']);
  expect(statements(finding)).toContain(
    `pod/demo/client-tf545 has routes to 10.244.0.0/24, 10.244.0.0/16 only and no default one; nothing covers ${OUTSIDE_IP}`,
  );
  expect(presentOf(finding).fix.commands[0]).toBe('kubectl -n demo delete pod client-tf545');
  expect(namedOn(given)).toEqual(['pod-default-route-missing']);
});

test('present: the default route leads to an address that nobody on the pod’s network has', () => {
  const given = recordedCase({
    ...outside,
    changes: [gone, addRoute(CLIENT, 'default via 10.244.0.99 dev eth0')],
    edits: [editJson('links', W1, (links) => links.filter((link) => link['ifname'] !== 'vethc521f059'))],
  });
  expect(given.flows[0]!.dead[0]?.end).toMatchObject({ end: 'neighbour-unresolved', place: CLIENT });
  const finding = checkWith(podDefaultRouteMissing, given, CLIENT);
  expect(statements(finding)).toContain(
    '“default via 10.244.0.99 dev eth0” in pod/demo/client-tf545 leads to nobody: its node has 10.244.0.1 there',
  );
  expect(presentOf(finding).change?.map((change) => 'act' in change && change.act)).toEqual(['remove', 'add']);
  expect(namedOn(given)).toEqual(['pod-default-route-missing']);
});

test('present: a default route that is unreachable', () => {
  const given = recordedCase({ ...outside, changes: [gone, addRoute(CLIENT, 'unreachable default')] });
  expect(statements(checkWith(podDefaultRouteMissing, given, CLIENT))).toContain('is “unreachable default');
});

test('absent: the pod has one', () => {
  expect(checkWith(podDefaultRouteMissing, recordedCase(outside), CLIENT).is).toBe('absent');
});

test('near miss: without it the pod still reaches what its other routes cover', () => {
  const given = recordedCase({ changes: [gone] });
  expect(checkWith(podDefaultRouteMissing, given, CLIENT).is).toBe('absent');
  expect(namedOn(given)).toEqual([]);
});

test('near miss: the interface is down, and its routes went with it', () => {
  const given = recordedCase({ ...outside, changes: [setLink(CLIENT, 'eth0', { up: false })] });
  expect(given.flows[0]!.dead[0]?.end.end).toBe('no-route');
  expect(checkWith(podDefaultRouteMissing, given, CLIENT).is).toBe('absent');
  expect(namedOn(given)).toEqual(['pod-veth-broken']);
});

test('near miss: an unreachable route to one network, beside a default route', () => {
  const given = recordedCase({ ...outside, changes: [addRoute(CLIENT, 'unreachable 10.79.0.0/24')] });
  expect(given.flows[0]!.dead[0]?.end.end).toBe('route-unreachable');
  expect(checkWith(podDefaultRouteMissing, given, CLIENT).is).toBe('absent');
});

test('near miss: the node has no default route, and the pod has one', () => {
  const given = recordedCase({
    asks: [{ to: '192.0.2.7', l4: tcpSyn(80) }],
    changes: [removeRoute(W1, 'default via 10.79.0.1 dev eth0')],
    probes: outside.probes,
  });
  expect(given.flows[0]!.dead[0]?.end).toMatchObject({ end: 'no-route', place: W1 });
  expect(checkWith(podDefaultRouteMissing, given, CLIENT).is).toBe('absent');
});

test('near miss: a pod without a network of its own subnet (Calico): the route is missing, and no gateway is made up', () => {
  const given = recordedCase({
    ...outside,
    changes: [gone],
    edits: [
      editLink(CLIENT, 'eth0', (link) => ({
        ...link,
        addr_info: [{ family: 'inet', local: '10.244.0.4', prefixlen: 32, scope: 'global' }],
      })),
      editJson('routes', CLIENT, (routes) => routes.filter((one) => one['dst'] !== '10.244.0.0/24')),
    ],
  });
  const finding = checkWith(podDefaultRouteMissing, given, CLIENT);
  expect(presentOf(finding).change).toEqual([]);
});

test('unknown: the routes were cut; the pod’s host side is in no bridge, so that its gateway is not known', () => {
  const edits = [
    editJson('routes', CLIENT, (routes) => routes.filter((one) => one['dst'] !== 'default')),
    cut('routes', CLIENT),
  ];
  expect(checkWith(podDefaultRouteMissing, recordedCase({ ...outside, edits }), CLIENT).is).toBe('unknown');
  const unwired = recordedCase({
    ...outside,
    changes: [gone, addRoute(CLIENT, 'default via 10.244.0.99 dev eth0'), setLink(W1, CLIENT_VETH, { master: '' })],
  });
  expect(unwired.flows[0]!.dead[0]?.end.end).toBe('neighbour-unresolved');
  expect(checkWith(podDefaultRouteMissing, unwired, CLIENT).is).toBe('unknown');
});
