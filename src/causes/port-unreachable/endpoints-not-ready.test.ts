import { expect, test } from 'vitest';
import { buildCase, checkWith, fakeSnapshot, flow, leafTrace, probe } from '../../diagnose/testing/build-case.ts';
import { CLUSTER, hostOf } from '../../net/place.ts';
import type { EndpointSlice, Pod } from '../../snapshot/objects.ts';
import { CLUSTER_IP, pod, presentOf, rejected, service, slice, statements } from '../testing/cause-cases.ts';
import { endpointsNotReady } from './endpoints-not-ready.ts';

const at = { ...CLUSTER, object: 'service/shop/api' };

function check(pods: readonly Pod[], slices: readonly EndpointSlice[]) {
  const snapshot = fakeSnapshot({
    facts: [
      ['api.services', CLUSTER, {}, [service()]],
      ['api.pods', CLUSTER, {}, pods],
      ['api.endpointslices', CLUSTER, {}, slices],
      [
        'api.events',
        CLUSTER,
        { namespace: 'shop', name: 'api-1' },
        [
          {
            metadata: { name: 'e' },
            type: 'Warning',
            reason: 'Unhealthy',
            message: 'Readiness probe failed: HTTP probe failed with statuscode: 503',
          },
        ],
      ],
    ],
  });
  const main = flow({
    destination: CLUSTER_IP,
    port: 80,
    forward: leafTrace('rejected-by-rule', { place: hostOf('w1'), steps: [rejected()] }),
    probe: probe('no', 'refused'),
  });
  return checkWith(endpointsNotReady, buildCase({ snapshot, flows: [main] }), at);
}

test('present: the failing probe is named, with what the kubelet says', () => {
  const finding = check([pod('api-1', { ready: false })], [slice([{ ip: '10.244.2.7', ready: false }])]);
  expect(presentOf(finding).claims).toHaveLength(1);
  expect(statements(finding)).toContain('readiness probe (HTTP GET /ready on port 8080) does not pass');
  expect(statements(finding)).toContain('statuscode: 503');
});

test('present: a crashing container is told by its reason', () => {
  const status = {
    containerStatuses: [{ name: 'app', ready: false, state: { waiting: { reason: 'CrashLoopBackOff' } } }],
  };
  expect(
    statements(check([pod('api-1', { ready: false, status })], [slice([{ ip: '10.244.2.7', ready: false }])])),
  ).toContain('waits (CrashLoopBackOff)');
});

test('absent: one endpoint is ready', () => {
  expect(
    check(
      [pod('api-1'), pod('api-2', { ready: false })],
      [slice([{ ip: '10.244.2.7' }, { ip: '10.244.2.8', ready: false }])],
    ).is,
  ).toBe('absent');
});

test('near miss: no pod matches the selector', () => {
  expect(check([pod('api-1', { labels: { app: 'other' } })], [slice([])]).is).toBe('absent');
});

test('near miss: endpoints that serve while they terminate are used', () => {
  const terminating = slice([{ ip: '10.244.2.7', ready: false }]);
  const endpoints = terminating.endpoints?.map((one) => ({
    ...one,
    conditions: { ready: false, serving: true, terminating: true },
  }));
  expect(check([pod('api-1', { ready: false })], [{ ...terminating, endpoints }]).is).toBe('absent');
});
