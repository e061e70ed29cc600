import { expect, test } from 'vitest';
import {
  buildCase,
  checkWith,
  fakeSnapshot,
  flow,
  leafTrace,
  packet,
  question,
  SERVICE_END,
} from '../../diagnose/testing/build-case.ts';
import { CLUSTER, hostOf } from '../../net/place.ts';
import type { Service } from '../../snapshot/objects.ts';
import type { Question } from '../../target/question.ts';
import { CLUSTER_IP, presentOf, service, statements } from '../testing/cause-cases.ts';
import { serviceMissingPort } from './service-missing-port.ts';

function check(services: readonly Service[], asked: Partial<Question>) {
  const snapshot = fakeSnapshot({ facts: [['api.services', CLUSTER, {}, services]] });
  const destination = { ...SERVICE_END, namespace: 'shop', name: 'api', port: undefined };
  const main = flow({
    destination: CLUSTER_IP,
    port: 81,
    forward: leafTrace('left-the-cluster', {
      place: hostOf('w1'),
      packet: packet({ destination: CLUSTER_IP, port: 81 }),
    }),
    snapshot,
  });
  return checkWith(
    serviceMissingPort,
    buildCase({ snapshot, question: question({ destination, ...asked }), flows: [main] }),
  );
}

test('present: the Service has other ports only', () => {
  const finding = check([service()], {
    port: 81,
    destination: { ...SERVICE_END, namespace: 'shop', name: 'api', port: undefined, portAsked: '81' },
  });
  expect(presentOf(finding).claims).toHaveLength(1);
  expect(statements(finding)).toContain('shop/api has no port 81; it has 80/tcp "http"');
});

test('present: the port is there for another protocol', () => {
  const finding = check([service()], {
    port: 80,
    protocol: 'udp',
    destination: { ...SERVICE_END, namespace: 'shop', name: 'api', portAsked: '80' },
  });
  expect(statements(finding)).toContain('for tcp only, and udp was asked for');
});

test('absent: the port is one of the Service’s, by number or by name', () => {
  for (const portAsked of ['80', 'http']) {
    expect(
      check([service()], { port: 80, destination: { ...SERVICE_END, namespace: 'shop', name: 'api', portAsked } }).is,
    ).toBe('absent');
  }
});

test('near miss: a headless Service translates no port', () => {
  expect(
    check([service({ clusterIP: 'None', clusterIPs: ['None'] })], {
      port: 8080,
      destination: { ...SERVICE_END, namespace: 'shop', name: 'api', portAsked: '8080' },
    }).is,
  ).toBe('absent');
});

test('near miss: a Service that is another name of a host outside translates no port', () => {
  const { clusterIP: _, clusterIPs: __, ...spec } = service().spec;
  const external = { ...service(), spec: { ...spec, type: 'ExternalName', externalName: 'db.example.com', ports: [] } };
  expect(check([external], { port: 81 }).is).toBe('absent');
});
