import { expect, test } from 'vitest';
import { buildCase, checkWith, fakeSnapshot, flow, leafTrace, probe } from '../../diagnose/testing/build-case.ts';
import { CLUSTER, hostOf } from '../../net/place.ts';
import type { EndpointSlice, Pod, Service } from '../../snapshot/objects.ts';
import { CLUSTER_IP, pod, presentOf, rejected, service, slice, statements } from '../testing/cause-cases.ts';
import { serviceSelectorMismatch } from './service-selector-mismatch.ts';

const at = { ...CLUSTER, object: 'service/shop/api' };

function check(services: readonly Service[], pods: readonly Pod[], slices: readonly EndpointSlice[], complete = true) {
  const snapshot = fakeSnapshot({
    facts: [
      ['api.services', CLUSTER, {}, services],
      ['api.pods', CLUSTER, {}, pods],
      ['api.endpointslices', CLUSTER, {}, slices, { complete }],
    ],
  });
  const main = flow({
    destination: CLUSTER_IP,
    port: 80,
    forward: leafTrace('rejected-by-rule', { place: hostOf('w1'), steps: [rejected()] }),
    probe: probe('no', 'refused'),
  });
  return checkWith(serviceSelectorMismatch, buildCase({ snapshot, flows: [main] }), at);
}

test('present: no pod has the label; the nearest pod and its difference are named', () => {
  const finding = check([service()], [pod('api-1', { labels: { app: 'api-v2' } })], [slice([])]);
  expect(presentOf(finding).claims).toHaveLength(1);
  expect(presentOf(finding).place?.object).toBe('service/shop/api');
  expect(statements(finding)).toContain('app: the Service wants "api", the pod has "api-v2"');
  expect(presentOf(finding).fix.commands.join()).toContain('"selector":{"app":"api-v2"}');
});

test('absent: a pod matches', () => {
  expect(check([service()], [pod('api-1')], [slice([{ ip: '10.244.2.7' }])]).is).toBe('absent');
});

test('near miss: pods match and none is ready, which is another cause', () => {
  expect(check([service()], [pod('api-1', { ready: false })], [slice([{ ip: '10.244.2.7', ready: false }])]).is).toBe(
    'absent',
  );
});

test('near miss: a Service without selector has its endpoints kept by hand', () => {
  expect(check([service({ selector: undefined })], [], [slice([])]).is).toBe('absent');
});

test('unknown: the EndpointSlices were cut', () => {
  expect(check([service()], [], [slice([])], false).is).toBe('unknown');
});
