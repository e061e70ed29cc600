import { expect, test } from 'vitest';
import {
  buildCase,
  CLIENT_PLACE,
  checkWith,
  fakeSnapshot,
  flow,
  leafTrace,
  OPEN_GATE,
  probe,
  question,
} from '../../diagnose/testing/build-case.ts';
import { CLUSTER } from '../../net/place.ts';
import type { DatapathPart } from '../../simulate/datapath.ts';
import { CLUSTER_IP, pod, presentOf, service, statements } from '../testing/cause-cases.ts';
import { CLIENT, diagnosisOf, namedOn, PING, recordedCase, SERVICE_IP, W1 } from '../testing/recorded-case.ts';
import { insertRule } from '../testing/recorded-faults.ts';
import { pingNotPermitted } from './ping-not-permitted.ts';

const yes = probe('yes', 'connected');
const silent = probe('no', 'silent', 'ping of 10.244.1.3: none of 3 answered');
const forbidden = probe('unknown', 'not-permitted', 'ping could not be sent: Operation not permitted');

test('present: the pod may not ping; nothing is claimed of the network', () => {
  const given = recordedCase({ asks: [{}, PING], probes: { main: yes, icmp: forbidden } });
  const finding = checkWith(pingNotPermitted, given);
  expect(presentOf(finding).claims).toEqual([]);
  expect(presentOf(finding).change).toBeUndefined();
  expect(presentOf(finding).place).toEqual({ ...CLIENT, object: 'ping' });
  expect(statements(finding)).toBe(forbidden.statement);
  expect(presentOf(finding).evidence.map((one) => one.plane)).toEqual(['probe']);
  expect(namedOn(given)).toEqual([]);
  expect(diagnosisOf(given).causes.map((one) => [one.cause.id, one.cause.gravity])).toEqual([
    ['ping-not-permitted', 'by-design'],
  ]);
});

test('present: a ClusterIP in iptables mode answers no ping, and its end in the walk is accounted for', () => {
  const ping = { ...PING, id: 'main', to: SERVICE_IP };
  const given = recordedCase({ asks: [ping], question: { protocol: 'icmp' }, probes: { main: silent } });
  const finding = checkWith(pingNotPermitted, given);
  expect(given.flows[0]!.dead).toHaveLength(1);
  expect(presentOf(finding).claims).toEqual([{ flow: 'main', leg: 'forward', segment: expect.any(Number) }]);
  expect(presentOf(finding).place?.object).toBe('service/demo/web');
  expect(statements(finding)).toContain(`${SERVICE_IP} is the ClusterIP of demo/web`);
  expect(namedOn(given)).toEqual([]);
});

test('near miss: the Service answers by another backend than the one that does not answer ping', () => {
  const given = recordedCase({
    asks: [{ to: SERVICE_IP }, PING, { id: 'endpoint/10.244.1.3', purpose: 'endpoint' }],
    probes: { main: yes, icmp: silent, 'endpoint/10.244.1.3': probe('no', 'timed-out') },
  });
  expect(checkWith(pingNotPermitted, given).is).not.toBe('present');
});

test('present: the port answers, ping alone is filtered', () => {
  const given = recordedCase({
    asks: [{}, PING],
    changes: [insertRule(W1, '-A FORWARD -p icmp -j DROP')],
    probes: { main: yes, icmp: silent },
  });
  const finding = checkWith(pingNotPermitted, given);
  expect(presentOf(finding).claims).toEqual([{ flow: 'icmp', leg: 'forward', segment: 0 }]);
  expect(presentOf(finding).evidence).toHaveLength(2);
  expect(namedOn(given)).toEqual([]);
});

/** The pod of the question, its container with these capabilities, in a namespace with this group range. */
function mayPing(capabilities: object, range: string, group?: number) {
  const securityContext = { capabilities, ...(group !== undefined && { runAsGroup: group }) };
  const client = pod('client', { namespace: 'demo', spec: { containers: [{ name: 'app', securityContext }] } });
  const snapshot = fakeSnapshot({
    facts: [
      ['api.services', CLUSTER, {}, []],
      ['api.pods', CLUSTER, {}, [client]],
      ['sysctls', CLIENT_PLACE, {}, { 'net.ipv4.ping_group_range': range }],
    ],
  });
  const answered = flow({ id: 'main', protocol: 'icmp', probe: probe('yes', 'answered') });
  const asked = question({ protocol: 'icmp' });
  return checkWith(pingNotPermitted, buildCase({ snapshot, flows: [answered], question: asked }));
}

test('present: podtriage’s own ping is answered, but the pod’s processes may not send one', () => {
  const finding = mayPing({ drop: ['ALL'] }, '1\t0');
  expect(statements(finding)).toContain('the container app of pod/demo/client drops NET_RAW');
  expect(statements(finding)).toContain('net.ipv4.ping_group_range is 1 0 there');
});

test('near miss: it drops NET_RAW and its group may ping, or it has NET_RAW', () => {
  expect(mayPing({ drop: ['ALL'] }, '0\t2147483647').is).toBe('absent');
  expect(mayPing({ drop: ['ALL'] }, '1000\t1000', 1000).is).toBe('absent');
  expect(mayPing({ drop: ['ALL'], add: ['NET_RAW'] }, '1\t0').is).toBe('absent');
  expect(mayPing({}, '1\t0').is).toBe('absent');
});

test('absent: ping gets through', () => {
  const given = recordedCase({ asks: [{}, PING], probes: { main: yes, icmp: probe('yes', 'answered') } });
  expect(checkWith(pingNotPermitted, given).is).toBe('absent');
});

test('near miss: neither ping nor port gets through: the network is not excused', () => {
  const given = recordedCase({ asks: [{}, PING], probes: { main: probe('no', 'timed-out'), icmp: silent } });
  expect(checkWith(pingNotPermitted, given).is).toBe('absent');
});

test('near miss: only from node to node ping is filtered', () => {
  const asks = [
    {},
    { ...PING, id: 'underlay/w2', purpose: 'underlay' as const, from: W1, source: '10.79.0.11', to: '10.79.0.12' },
  ];
  const given = recordedCase({ asks, probes: { main: yes, 'underlay/w2': silent } });
  expect(checkWith(pingNotPermitted, given)).toMatchObject({ is: 'absent', because: 'nothing was pinged' });
});

const parts = (...modes: readonly (readonly [mode: string, node?: string])[]): DatapathPart[] =>
  modes.map(([mode, node]) => ({
    role: 'services',
    by: 'kube-proxy',
    mode,
    modelled: true,
    statement: '',
    sources: [],
    ...(node !== undefined && { node }),
  }));

function pingOfService(modes: DatapathPart[], services = [service()], complete = true) {
  const snapshot = fakeSnapshot({
    facts: [
      ['api.services', CLUSTER, {}, services, { complete }],
      ['api.pods', CLUSTER, {}, []],
    ],
  });
  const ping = flow({
    id: 'main',
    protocol: 'icmp',
    destination: CLUSTER_IP,
    forward: leafTrace('delivered'),
    probe: silent,
  });
  return checkWith(pingNotPermitted, buildCase({ snapshot, flows: [ping], gate: { ...OPEN_GATE, parts: modes } }));
}

test('near miss: a ClusterIP in ipvs mode does answer ping, on this node', () => {
  expect(pingOfService(parts(['ipvs'])).is).toBe('absent');
  expect(pingOfService(parts(['ipvs', 'w1'], ['iptables', 'w2'])).is).toBe('absent');
  expect(pingOfService(parts(['iptables', 'w1'], ['ipvs', 'w2'])).is).toBe('present');
  expect(pingOfService([]).is).toBe('absent'); // who serves Services is not known
});

test('unknown: no ping was sent; the Services were not all listed', () => {
  expect(checkWith(pingNotPermitted, recordedCase({ asks: [{}, PING], probes: { main: yes } })).is).toBe('unknown');
  expect(pingOfService(parts(['iptables']), [], false).is).toBe('unknown');
});
