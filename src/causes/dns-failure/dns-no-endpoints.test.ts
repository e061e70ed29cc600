import { expect, test } from 'vitest';
import {
  buildCase,
  checkWith,
  fakeSnapshot,
  flow,
  leafTrace,
  packet,
  probe,
} from '../../diagnose/testing/build-case.ts';
import { CLUSTER, hostOf } from '../../net/place.ts';
import type { EndpointSlice, Pod } from '../../snapshot/objects.ts';
import { DNS_IP, dnsService, pod, presentOf, rejected, service, slice, statements } from '../testing/cause-cases.ts';
import { dnsNoEndpoints } from './dns-no-endpoints.ts';

const silent = flow({
  id: `dns/${DNS_IP}`,
  purpose: 'dns',
  protocol: 'udp',
  destination: DNS_IP,
  port: 53,
  forward: leafTrace('rejected-by-rule', {
    place: hostOf('w1'),
    packet: packet({ destination: DNS_IP }),
    steps: [rejected()],
  }),
  probe: probe('no', 'refused'),
});

function check(
  replicas: number,
  pods: readonly Pod[],
  slices: readonly EndpointSlice[],
  object = 'service/kube-system/kube-dns',
  flows = [silent],
) {
  const snapshot = fakeSnapshot({
    facts: [
      ['api.services', CLUSTER, {}, [dnsService(), service()]],
      ['api.pods', CLUSTER, {}, pods],
      ['api.endpointslices', CLUSTER, {}, slices],
      [
        'api.deployments',
        CLUSTER,
        {},
        [
          {
            metadata: { name: 'coredns', namespace: 'kube-system' },
            spec: { replicas, selector: { matchLabels: { 'k8s-app': 'kube-dns' } } },
          },
        ],
      ],
    ],
  });
  return checkWith(dnsNoEndpoints, buildCase({ snapshot, flows }), { ...CLUSTER, object });
}

test('present: scaled to none; the command scales it up', () => {
  const finding = check(0, [], [slice([], dnsService(), 53)]);
  expect(presentOf(finding).claims).toHaveLength(1);
  expect(statements(finding)).toContain('wants 0 replicas');
  expect(presentOf(finding).fix.commands[0]).toBe('kubectl -n kube-system scale deployment coredns --replicas=2');
});

test('present: its pods crash', () => {
  const crashing = pod('coredns-1', {
    namespace: 'kube-system',
    ready: false,
    labels: { 'k8s-app': 'kube-dns' },
    status: { containerStatuses: [{ name: 'coredns', state: { waiting: { reason: 'CrashLoopBackOff' } } }] },
  });
  expect(statements(check(2, [crashing], [slice([{ ip: '10.244.2.2', ready: false }], dnsService(), 53)]))).toContain(
    'kube-system/coredns-1: CrashLoopBackOff',
  );
});

test('absent: a server is ready', () => {
  expect(check(2, [], [slice([{ ip: '10.244.2.2' }], dnsService(), 53)]).is).toBe('absent');
});

test('near miss: another Service has no endpoints', () => {
  const other = flow({ destination: '10.96.12.34', port: 80 });
  expect(check(2, [], [], 'service/shop/api', [other]).is).toBe('absent');
});
