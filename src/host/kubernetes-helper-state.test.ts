import { describe, expect, it } from 'vitest';
import type { Node, Pod } from '../snapshot/objects.ts';
import { helperState, nodeRemark, preloadCommand } from './kubernetes-helper-state.ts';

const LIMITS = { takenMs: 6_000, runningMs: 15_000, answersMs: 8_000 };

function pod(status: Pod['status']): Pod {
  return { metadata: { name: 'p', namespace: 'podtriage' }, spec: { containers: [] }, status };
}

function waiting(reason: string, message = ''): Pod {
  return pod({ phase: 'Pending', containerStatuses: [{ name: 'helper', state: { waiting: { reason, message } } }] });
}

describe('helperState', () => {
  it('waits for the pod itself, but not for ever', () => {
    expect(helperState(undefined, 100, LIMITS)).toEqual({ say: 'wait' });
    expect(helperState(undefined, 6_001, LIMITS)).toMatchObject({ say: 'failed', gap: 'unreachable' });
  });

  it('tries exec before the kubelet has reported anything, as long as it may still come', () => {
    expect(helperState(pod({ phase: 'Pending' }), 5_900, LIMITS)).toEqual({ say: 'try' });
    expect(helperState(pod({ phase: 'Pending' }), 6_001, LIMITS)).toMatchObject({
      detail: 'its kubelet did not take the helper pod within 6 s',
    });
  });

  it('gives a pod that the kubelet took the longer bound: its image may be on the way', () => {
    expect(helperState(waiting('ContainerCreating'), 14_900, LIMITS)).toEqual({ say: 'try' });
    expect(helperState(waiting('ContainerCreating'), 15_001, LIMITS)).toMatchObject({ say: 'failed', image: 'pull' });
  });

  it.each(['ErrImagePull', 'ImagePullBackOff', 'ErrImageNeverPull', 'InvalidImageName'])(
    'does not wait on %s',
    (reason) => {
      expect(helperState(waiting(reason, 'connection refused'), 500, LIMITS)).toEqual({
        say: 'failed',
        gap: 'unreachable',
        detail: `${reason}: connection refused`,
        image: 'pull',
      });
    },
  );

  it('tells a container that cannot be made from an image that cannot be had', () => {
    expect(helperState(waiting('CreateContainerError', 'no such device'), 500, LIMITS)).toMatchObject({
      image: 'none',
    });
  });

  it('tells an image that is not ours', () => {
    const message = 'exec: "podtriage-idle": executable file not found in $PATH: unknown';
    const state = { terminated: { reason: 'StartError', exitCode: 128, message } };
    const ended = pod({ phase: 'Failed', containerStatuses: [{ name: 'helper', state }] });
    expect(helperState(ended, 500, LIMITS)).toMatchObject({ image: 'foreign' });
  });

  it('repeats the kubelet’s reason for refusing a pod', () => {
    const refused = pod({ phase: 'Failed', reason: 'OutOfpods', message: 'Node did not have enough resource: pods' });
    expect(helperState(refused, 500, LIMITS)).toMatchObject({ detail: expect.stringContaining('OutOfpods: Node did') });
  });

  it('does not wait on a pod that somebody deleted', () => {
    const deleted = { ...pod({ phase: 'Pending' }), metadata: { name: 'p', deletionTimestamp: 'now' } };
    expect(helperState(deleted, 100, LIMITS)).toMatchObject({ say: 'failed' });
  });

  it('has no bound of its own for a running container: whether exec answers is another question', () => {
    const running = pod({ phase: 'Running', containerStatuses: [{ name: 'helper', state: { running: {} } }] });
    expect(helperState(running, 60_000, LIMITS)).toEqual({ say: 'try' });
  });
});

describe('advice', () => {
  const node = (containerRuntimeVersion: string, kubeletVersion = 'v1.34.4', ready = 'True'): Node => ({
    metadata: { name: 'w1' },
    spec: {},
    status: {
      nodeInfo: { containerRuntimeVersion, kubeletVersion },
      conditions: [{ type: 'Ready', status: ready, message: 'Kubelet stopped posting node status.' }],
    },
  });

  it.each([
    [node('containerd://1.6.20'), 'ctr -n k8s.io images import'],
    [node('containerd://2.0.5-k3s1', 'v1.33.1+k3s1'), 'k3s ctr images import'],
    [node('cri-o://1.30.2'), 'podman load -i'],
    [node('docker://27.1.1'), 'docker load -i'],
    [undefined, 'ctr -n k8s.io images import'],
  ])('names the runtime’s own import (%#)', (of, command) => {
    expect(preloadCommand(of, 'localhost/podtriage:1')).toContain(command);
  });

  it('mentions a node that is not ready, and says nothing of one that is or is not known', () => {
    expect(nodeRemark(node('', '', 'Unknown'))).toContain('Kubelet stopped posting');
    expect(nodeRemark(node(''))).toBe('');
    expect(nodeRemark(undefined)).toBe('');
  });
});
