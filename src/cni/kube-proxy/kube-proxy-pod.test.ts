import { expect, test } from 'vitest';
import { given, snapshotOf } from '../../../test/scenarios/given-facts.ts';
import { aPod } from '../../../test/scenarios/shop-cluster.ts';
import type { Pod } from '../../snapshot/objects.ts';
import { kubeProxyPod } from './kube-proxy-pod.ts';

const daemonset = given('api.daemonsets', [
  {
    metadata: { namespace: 'kube-system', name: 'kube-proxy' },
    spec: { template: { spec: { containers: [{ name: 'kube-proxy', image: 'registry.k8s.io/kube-proxy:v1.34.4' }] } } },
  },
]);

function proxy(name: string, node: string | null, more: Parameters<typeof aPod>[3] = {}): Pod {
  const containers = [{ name: 'kube-proxy', image: 'registry.k8s.io/kube-proxy:v1.34.4' }];
  return aPod('kube-system', name, node === null ? undefined : '10.0.0.11', {
    node,
    hostNetwork: true,
    containers,
    ...more,
  });
}

function on(node: string, pods: readonly Pod[], complete = true) {
  return kubeProxyPod(snapshotOf([daemonset, given('api.pods', pods, undefined, { complete })]), node);
}

test('running, not running, missing and waiting, each with its reason', () => {
  expect(on('w1', [proxy('kube-proxy-a', 'w1')])).toMatchObject({ state: 'running' });
  const crashing = proxy('kube-proxy-a', 'w1', { ready: false });
  const status = {
    ...crashing.status,
    containerStatuses: [{ name: 'kube-proxy', state: { waiting: { reason: 'CrashLoopBackOff' } } }],
  };
  expect(on('w1', [{ ...crashing, status }])).toMatchObject({
    state: 'not-running',
    because: 'kube-proxy pod kube-proxy-a is CrashLoopBackOff',
  });
  expect(on('w2', [proxy('kube-proxy-a', 'w1')])).toMatchObject({
    state: 'missing',
    because: 'no kube-proxy pod is on w2',
  });
  const pending = proxy('kube-proxy-b', null);
  const unscheduled = {
    ...pending.status,
    conditions: [{ type: 'PodScheduled', status: 'False', message: '0/3 nodes are available' }],
  };
  expect(on('w2', [{ ...pending, status: unscheduled }])).toMatchObject({
    state: 'missing',
    because: 'no kube-proxy pod runs on w2; kube-proxy-b is not scheduled: 0/3 nodes are available',
  });
});

test('what was not read is unknown', () => {
  expect(on('w2', [proxy('kube-proxy-a', 'w1')], false)).toMatchObject({ state: 'unknown' });
  expect(kubeProxyPod(snapshotOf([daemonset]), 'w1')).toMatchObject({ state: 'unknown' });
  expect(kubeProxyPod(snapshotOf([]), 'w1')).toMatchObject({ state: 'unknown' });
});
