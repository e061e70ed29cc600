import { describe, expect, it } from 'vitest';
import { CLUSTER, podPlace } from '../net/place.ts';
import { collectorOf } from './collectors.ts';
import { requestsForCluster, requestsForNamespace, requestsForNode, requestsForPod } from './plan.ts';

const pod = podPlace('w1', 'shop', 'web');

describe('what is asked by default', () => {
  it('is of the scope of the place', () => {
    const scopes = (requests: ReturnType<typeof requestsForNode>) =>
      [...new Set(requests.map(({ action }) => collectorOf(action)!.scope))].sort();
    expect(scopes(requestsForCluster())).toEqual(['cluster']);
    expect(scopes(requestsForNode('w1', 4, 0))).toEqual(['namespace', 'node', 'pod']);
    expect(scopes(requestsForNamespace(pod, 4, 0))).toEqual(['namespace']);
    expect(scopes(requestsForPod(pod))).toEqual(['pod']);
    expect(requestsForCluster().every(({ place }) => place === CLUSTER)).toBe(true);
  });

  it('is asked once each, in the round and for the family given', () => {
    const requests = requestsForNode('w1', 6, 2);
    expect(new Set(requests.map(({ action }) => action)).size).toBe(requests.length);
    expect(requests.every(({ round }) => round === 2)).toBe(true);
    expect(requests.find(({ action }) => action === 'routes')?.args).toEqual({ family: 6 });
  });

  it('names the pod whose namespace is meant, and no device', () => {
    const requests = [...requestsForNamespace({ ...pod, device: 'eth0' }, 4, 0, 'u-1'), ...requestsForPod(pod, 'u-1')];
    for (const { podUid, place } of requests) {
      expect(podUid).toBe('u-1');
      expect(place).toEqual(pod);
    }
  });
});
