import { expect, test } from 'vitest';
import { buildCase, checkWith, fakeSnapshot, question, SERVER_END } from '../../diagnose/testing/build-case.ts';
import { CLUSTER, hostOf } from '../../net/place.ts';
import type { Pod } from '../../snapshot/objects.ts';
import { pod, presentOf, statements } from '../testing/cause-cases.ts';
import { podNotRunning } from './pod-not-running.ts';

function check(server: Pod) {
  const snapshot = fakeSnapshot({
    facts: [
      ['api.pods', CLUSTER, {}, [pod('client', { namespace: 'demo', node: 'w1' }), server]],
      [
        'api.events',
        CLUSTER,
        { namespace: 'demo', name: 'web' },
        [
          {
            metadata: { name: 'e' },
            type: 'Warning',
            reason: 'BackOff',
            message: 'Back-off restarting failed container',
          },
        ],
      ],
      ['sandboxes', hostOf('w2'), {}, { hostNetworkNamespace: 1, pods: [] }],
    ],
  });
  return checkWith(podNotRunning, buildCase({ snapshot, question: question({ destination: SERVER_END }), flows: [] }));
}

const web = (status: Partial<Pod['status']>, spec: Partial<Pod['spec']> = {}): Pod =>
  pod('web', { namespace: 'demo', ready: false, status, spec });

test('present: crashing; the container’s state, the event and the empty node say so', () => {
  const finding = check(
    web({ containerStatuses: [{ name: 'app', state: { waiting: { reason: 'CrashLoopBackOff' } } }] }),
  );
  expect(presentOf(finding).place).toMatchObject({ node: 'w2', object: 'pod/demo/web' });
  expect(statements(finding)).toContain('has no running container: app waits (CrashLoopBackOff)');
  expect(statements(finding)).toContain('BackOff: Back-off restarting failed container');
  expect(presentOf(finding).evidence.some((one) => one.plane === 'kernel')).toBe(true);
});

test.each([
  ['has completed', { phase: 'Succeeded' }],
  ['has failed (Evicted)', { phase: 'Failed', reason: 'Evicted' }],
  [
    'is Pending: app waits (ImagePullBackOff)',
    { phase: 'Pending', containerStatuses: [{ name: 'app', state: { waiting: { reason: 'ImagePullBackOff' } } }] },
  ],
  [
    'is not scheduled: 0/2 nodes are available',
    {
      phase: 'Pending',
      containerStatuses: [],
      conditions: [{ type: 'PodScheduled', status: 'False', message: '0/2 nodes are available' }],
    },
  ],
])('present: %s', (words, status) => {
  expect(statements(check(web(status)))).toContain(words);
});

test('absent: both run', () => {
  expect(check(pod('web', { namespace: 'demo' })).is).toBe('absent');
});

test('near miss: it runs and is not ready, or one of its containers waits', () => {
  expect(
    check(
      web({
        containerStatuses: [
          { name: 'app', ready: false, state: { running: {} } },
          { name: 'side', state: { waiting: { reason: 'CrashLoopBackOff' } } },
        ],
      }),
    ).is,
  ).toBe('absent');
});

test('near miss: it ends and still serves', () => {
  const going = pod('web', { namespace: 'demo' });
  expect(check({ ...going, metadata: { ...going.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } }).is).toBe(
    'absent',
  );
});
