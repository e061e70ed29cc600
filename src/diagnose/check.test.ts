import { describe, expect, test } from 'vitest';
import { CLUSTER, hostOf, type Place, podPlace } from '../net/place.ts';
import type { Service } from '../snapshot/objects.ts';
import { type Cause, defineCause } from './cause.ts';
import { checkCause, placesFor, placesOfFlow } from './check.ts';
import {
  buildCase,
  CLIENT_END,
  CLIENT_PLACE,
  checkWith,
  type FakeFact,
  fakeSnapshot,
  flow,
  hop,
  leafTrace,
  question,
  SERVER_END,
  SERVICE_END,
} from './testing/build-case.ts';

const base = { id: 'sample', class: 'network-unreachable', title: 'Sample', gravity: 'fault' } as const;
const absent = { is: 'absent', because: 'seen, and well' } as const;
const nameOf = (place: Place): string => `${place.node}|${place.namespace}${place.object ? `|${place.object}` : ''}`;

describe('needs', () => {
  const forwarding = defineCause({
    ...base,
    at: 'path-node',
    needs: ['sysctls'],
    check: ({ sysctls }, place) =>
      sysctls.value['net.ipv4.ip_forward'] === '0'
        ? { is: 'unknown', because: `reached ${place.node}` }
        : { is: 'absent', because: `forwarding is on at ${place.node}` },
  });

  test('a fact is handed over as it was seen at the place that is checked', () => {
    const snapshot = fakeSnapshot({
      facts: [
        ['sysctls', hostOf('w1'), {}, { 'net.ipv4.ip_forward': '1' }],
        ['sysctls', hostOf('w2'), {}, { 'net.ipv4.ip_forward': '0' }],
      ],
    });
    const given = buildCase({ snapshot });
    expect(checkWith(forwarding, given, hostOf('w1'))).toEqual({
      is: 'absent',
      because: 'forwarding is on at w1',
    });
    expect(checkWith(forwarding, given, hostOf('w2'))).toEqual({ is: 'unknown', because: 'reached w2' });
  });

  test('an unseen need is unknown, with the fact, the place, the gap and its detail; the check is not run', () => {
    const snapshot = fakeSnapshot({
      facts: [['sysctls', hostOf('w1'), {}, { 'net.ipv4.ip_forward': '1' }]],
      gaps: [['sysctls', hostOf('w2'), {}, 'timed-out', 'no answer within 10 s']],
    });
    const given = buildCase({ snapshot });
    expect(checkWith(forwarding, given, hostOf('w1')).is).toBe('absent');
    expect(checkWith(forwarding, given, hostOf('w2'))).toEqual({
      is: 'unknown',
      because: 'sysctls of w2: timed-out, no answer within 10 s',
    });
  });

  test('an API object that was not read is said of the cluster, wherever the cause is checked', () => {
    const cause = defineCause({ ...base, at: 'pod', needs: ['api.pods'], check: () => absent });
    const snapshot = fakeSnapshot({ gaps: [['api.pods', CLUSTER, {}, 'not-permitted', 'pods is forbidden']] });
    expect(checkWith(cause, buildCase({ snapshot }), CLIENT_PLACE)).toEqual({
      is: 'unknown',
      because: 'api.pods of the cluster: not-permitted, pods is forbidden',
    });
  });

  test('a need with a family is read with the question’s', () => {
    const cause = defineCause({
      ...base,
      at: 'pod',
      needs: ['routes'],
      check: ({ routes }) => ({ is: 'absent', because: `${routes.source.request.args['family']}` }),
    });
    const snapshot = fakeSnapshot({ facts: [['routes', CLIENT_PLACE, { family: 6 }, []]] });
    const given = buildCase({ snapshot, question: question({ family: 6 }) });
    expect(checkWith(cause, given, CLIENT_PLACE)).toEqual({ is: 'absent', because: '6' });
    expect(checkWith(cause, buildCase({ snapshot }), CLIENT_PLACE).is).toBe('unknown');
  });

  test('facts of the node as a whole are read at its host, also for a pod', () => {
    const cause = defineCause({
      ...base,
      at: 'pod',
      needs: ['sandboxes'],
      check: ({ sandboxes }) => ({ is: 'absent', because: sandboxes.source.request.place.namespace }),
    });
    const snapshot = fakeSnapshot({ facts: [['sandboxes', hostOf('w1'), {}, { runtime: 'containerd' } as never]] });
    expect(checkWith(cause, buildCase({ snapshot }), CLIENT_PLACE)).toEqual({ is: 'absent', because: 'host' });
  });

  test('what the road derived is handed over by itself', () => {
    const cause = defineCause({
      ...base,
      at: 'question',
      needs: ['question', 'flows', 'gate'],
      check: (given) => ({
        is: 'absent',
        because: `${given.question.port} ${given.flows.length} ${given.gate.podAddressesRoutable}`,
      }),
    });
    expect(checkWith(cause, buildCase())).toEqual({ is: 'absent', because: '8080 1 no' });
  });

  test('an optional fact is handed over as observed, seen or not', () => {
    const cause = defineCause({
      ...base,
      at: 'path-node',
      needs: [],
      optional: ['counters'],
      check: ({ counters }) => ({ is: 'absent', because: counters.state === 'seen' ? 'seen' : counters.gap }),
    });
    const given = buildCase({
      snapshot: fakeSnapshot({
        facts: [['counters', hostOf('w1'), {}, {} as never]],
        gaps: [['counters', hostOf('w2'), {}, 'too-large', '33 MiB']],
      }),
    });
    expect(checkWith(cause, given, hostOf('w1'))).toEqual({ is: 'absent', because: 'seen' });
    expect(checkWith(cause, given, hostOf('w2'))).toEqual({ is: 'absent', because: 'too-large' });
  });

  test('a fact whose arguments only the asker knows is no missing need, and is read through ask', () => {
    const cause = defineCause({
      ...base,
      at: 'question',
      needs: ['probe.tcp'],
      check: (_, __, ask) => {
        const answer = ask('probe.tcp', CLIENT_PLACE, { address: '10.244.2.7', port: 8080, timeoutMs: 1000 });
        return { is: 'absent', because: answer.state === 'seen' ? answer.value.outcome : answer.gap };
      },
    });
    const facts: FakeFact[] = [
      [
        'probe.tcp',
        CLIENT_PLACE,
        { timeoutMs: 1000, port: 8080, address: '10.244.2.7' },
        { outcome: 'refused', errno: 'ECONNREFUSED' },
      ],
    ];
    expect(checkWith(cause, buildCase({ snapshot: fakeSnapshot({ facts }) }))).toEqual({
      is: 'absent',
      because: 'refused',
    });
    expect(checkWith(cause, buildCase())).toEqual({ is: 'absent', because: 'not-asked' });
  });

  test('the second look is asked for by itself', () => {
    const cause = defineCause({
      ...base,
      at: 'path-node',
      needs: ['sysctls'],
      check: ({ sysctls }, place, ask) => {
        const after = ask.after('sysctls', place);
        return {
          is: 'absent',
          because: `${sysctls.value['x']} ${after.state === 'seen' ? after.value['x'] : 'unseen'}`,
        };
      },
    });
    const snapshot = fakeSnapshot({
      facts: [
        ['sysctls', hostOf('w1'), {}, { x: '1' }],
        ['sysctls', hostOf('w2'), {}, { x: '1' }],
      ],
      after: [['sysctls', hostOf('w1'), {}, { x: '4' }]],
    });
    const given = buildCase({ snapshot });
    expect(checkWith(cause, given, hostOf('w1'))).toEqual({ is: 'absent', because: '1 4' });
    expect(checkWith(cause, given, hostOf('w2'))).toEqual({ is: 'absent', because: '1 unseen' });
  });

  test('a check that throws is unknown and names itself: one broken cause spoils no report', () => {
    const cause = defineCause({
      ...base,
      at: 'question',
      needs: [],
      check: () => {
        throw new TypeError('x is not iterable');
      },
    });
    expect(checkWith(cause, buildCase())).toEqual({
      is: 'unknown',
      because: 'the check of sample failed: x is not iterable',
    });
  });
});

describe('places', () => {
  const walked = flow({
    forward: leafTrace('delivered', { before: [hop(CLIENT_PLACE), hop(hostOf('w1')), hop(hostOf('gateway'))] }),
  });
  const at = (kind: Cause['at'], given = buildCase({ flows: [walked] })) => placesFor(kind, given).map(nameOf);

  test('question: once', () => {
    expect(at('question')).toEqual(['|host']);
  });

  test('path-node: the host of every node that a walk touches, and of both ends, once', () => {
    expect(at('path-node')).toEqual(['w1|host', 'w2|host', 'gateway|host']);
  });

  test('path-node: the ends’ nodes also where the walk did not come so far', () => {
    const dying = flow({ forward: leafTrace('no-route', { place: CLIENT_PLACE }) });
    expect(at('path-node', buildCase({ flows: [dying] }))).toEqual(['w1|host', 'w2|host']);
  });

  test('pod: every pod namespace of the ends and the walks', () => {
    const backend = podPlace('w3', 'demo', 'web-2');
    const other = flow({ id: 'endpoint/10.244.3.4', forward: leafTrace('delivered', { place: backend }) });
    expect(at('pod', buildCase({ flows: [walked, other] }))).toEqual([
      'w1|pod/demo/client',
      'w2|pod/demo/web',
      'w3|pod/demo/web-2',
    ]);
  });

  test('node: each node that was looked at, and never the cluster', () => {
    const snapshot = fakeSnapshot({
      facts: [
        ['api.nodes', CLUSTER, {}, []],
        ['links', hostOf('w1'), {}, []],
        ['links', podPlace('w2', 'demo', 'web'), {}, []],
      ],
    });
    expect(at('node', buildCase({ snapshot }))).toEqual(['w1|host', 'w2|host']);
  });

  test('service: the one asked for, and those whose address a flow goes to', () => {
    const service = (namespace: string, name: string, ip: string): Service => ({
      metadata: { namespace, name },
      spec: { clusterIPs: [ip] },
    });
    const snapshot = fakeSnapshot({
      facts: [
        [
          'api.services',
          CLUSTER,
          {},
          [
            service('demo', 'web', 'None'),
            service('kube-system', 'kube-dns', '10.96.0.10'),
            service('demo', 'other', '10.96.7.7'),
          ],
        ],
      ],
    });
    const dns = flow({ id: 'dns/10.96.0.10', destination: '10.96.0.10', protocol: 'udp', port: 53 });
    const given = buildCase({ snapshot, flows: [dns], question: question({ destination: SERVICE_END }) });
    expect(at('service', given)).toEqual(['|host|service/demo/web', '|host|service/kube-system/kube-dns']);
  });

  test('the places of a flow are those of its way there and its ways back', () => {
    expect(placesOfFlow(walked).map(nameOf)).toEqual([
      'w1|pod/demo/client',
      'w1|host',
      'gateway|host',
      'w2|pod/demo/web',
    ]);
  });
});

describe('no place to check at', () => {
  const causeAt = (at: Cause['at']) => defineCause({ ...base, at, needs: [], check: () => absent }) as unknown as Cause;
  const only = (at: Cause['at'], given: Parameters<typeof checkCause>[1]) => {
    const all = checkCause(causeAt(at), given);
    expect(all).toHaveLength(1);
    return all[0]!.finding;
  };
  const addressOnly = {
    source: { kind: 'address', address: '192.0.2.7' },
    destination: { kind: 'address', address: '192.0.2.8' },
  } as const;

  test('Services that could not be listed are said, not left out', () => {
    const snapshot = fakeSnapshot({ gaps: [['api.services', CLUSTER, {}, 'not-permitted', 'services is forbidden']] });
    expect(only('service', buildCase({ snapshot }))).toEqual({
      is: 'unknown',
      because: 'api.services of the cluster: not-permitted, services is forbidden',
    });
  });

  test('no Service is involved only where all of them were read', () => {
    const whole = fakeSnapshot({ facts: [['api.services', CLUSTER, {}, []]] });
    const part = fakeSnapshot({ facts: [['api.services', CLUSTER, {}, [], { complete: false }]] });
    expect(only('service', buildCase({ snapshot: whole }))).toEqual({
      is: 'absent',
      because: 'no Service is involved',
    });
    expect(only('service', buildCase({ snapshot: part })).is).toBe('unknown');
  });

  test('a pod that has no network namespace yet is unknown, not well', () => {
    const waiting = { ...SERVER_END, place: undefined };
    const given = buildCase({
      question: question({ source: { ...CLIENT_END, place: undefined }, destination: waiting }),
      flows: [],
    });
    expect(only('pod', given)).toEqual({ is: 'unknown', because: 'pod/demo/client has no network namespace' });
  });

  test('no pod on the way, when the walk knew the whole way', () => {
    const nodes = flow({
      from: hostOf('w1'),
      forward: leafTrace('delivered', { place: hostOf('w2'), before: [hop(hostOf('w1'))] }),
      replies: [{ leaf: 0, trace: leafTrace('delivered', { place: hostOf('w1'), before: [] }) }],
    });
    const given = buildCase({ question: question(addressOnly), flows: [nodes] });
    expect(only('pod', given)).toEqual({ is: 'absent', because: 'no pod’s network namespace is on the way' });
    expect(only('pod', buildCase({ question: question(addressOnly), flows: [] })).is).toBe('unknown');
  });

  test('no node looked at', () => {
    const given = buildCase({ question: question(addressOnly), flows: [] });
    expect(only('path-node', given)).toEqual({ is: 'unknown', because: 'no node was looked at' });
    expect(only('node', given)).toEqual({ is: 'unknown', because: 'no node was looked at' });
  });
});

test('a place at which the cause is not checked is a mistake of the test, and said', () => {
  const cause = defineCause({ ...base, at: 'path-node', needs: [], check: () => absent });
  expect(() => checkWith(cause, buildCase(), hostOf('w9'))).toThrow('sample is checked at w1|host, w2|host');
  expect(() => checkWith(cause, buildCase())).toThrow('the only one');
  expect(checkWith(cause, buildCase(), hostOf('w2'))).toEqual(absent);
});
