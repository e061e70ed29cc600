import { describe, expect, test } from 'vitest';
import { CLUSTER, formatPlace, hostOf, placeKey, podPlace } from './place.ts';

describe('places', () => {
  test('device and object do not make another network namespace', () => {
    const node = hostOf('w1');
    expect(placeKey({ ...node, device: 'eth0', object: 'x' })).toBe(placeKey(node));
    const keys = [
      node,
      hostOf('w2'),
      podPlace('w1', 'a', 'b'),
      podPlace('w1', 'a', 'c'),
      podPlace('w2', 'a', 'b'),
      CLUSTER,
    ];
    expect(new Set(keys.map(placeKey)).size).toBe(keys.length);
  });

  test('in words', () => {
    expect(formatPlace(hostOf('w1'))).toBe('w1');
    expect(formatPlace({ ...hostOf('w1'), device: 'cni0' })).toBe('w1 (cni0)');
    expect(formatPlace(podPlace('w1', 'shop', 'web'))).toBe('pod/shop/web on w1');
    expect(formatPlace(CLUSTER)).toBe('cluster');
  });
});
