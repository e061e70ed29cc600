import { expect, test } from 'vitest';
import { buildCase, checkWith, fakeSnapshot, question, SERVER_END } from '../../diagnose/testing/build-case.ts';
import { CLUSTER, hostOf } from '../../net/place.ts';
import type { CniConfiguration } from '../../parse/cni-conf.ts';
import type { KubernetesEvent, Node, Pod } from '../../snapshot/objects.ts';
import { node, pod, presentOf, statements } from '../testing/cause-cases.ts';
import { cniConfigMissing } from './cni-config-missing.ts';

const w2 = hostOf('w2');
const FOLDER = '/etc/cni/net.d';
const NOT_INITIALIZED =
  'container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized';

/** Pending, bound to its node and without an address, as while its sandbox cannot be made. */
const stuck = pod('web', {
  namespace: 'demo',
  ready: false,
  status: {
    phase: 'Pending',
    podIPs: [],
    containerStatuses: [{ name: 'app', state: { waiting: { reason: 'ContainerCreating' } } }],
  },
});

const event = (reason: string, message: string): KubernetesEvent => ({
  metadata: { name: 'e' },
  type: 'Warning',
  reason,
  message,
});

interface Given {
  readonly files?: CniConfiguration['files'];
  readonly complete?: boolean;
  readonly message?: string;
  readonly status?: string;
  readonly pods?: readonly Pod[];
  readonly events?: readonly KubernetesEvent[];
}

function nodeSaying(message: string | undefined, status: string): Node {
  const w = node('w2', 2);
  return { ...w, status: { ...w.status, conditions: [{ type: 'Ready', status, ...(message && { message }) }] } };
}

function check(given: Given = {}) {
  const status = given.status ?? (given.message ? 'False' : 'True');
  const snapshot = fakeSnapshot({
    facts: [
      [
        'cni-configuration',
        w2,
        {},
        { directory: FOLDER, files: given.files ?? [] },
        { complete: given.complete ?? true },
      ],
      ['api.nodes', CLUSTER, {}, [node('w1', 1), nodeSaying(given.message, status)]],
      ['api.pods', CLUSTER, {}, given.pods ?? [stuck]],
      ['api.events', CLUSTER, { namespace: 'demo', name: 'web' }, given.events ?? []],
    ],
  });
  return checkWith(
    cniConfigMissing,
    buildCase({ snapshot, flows: [], question: question({ destination: SERVER_END }) }),
    w2,
  );
}

const flannel = { name: '10-flannel.conflist', network: { name: 'cbr0', plugins: [{ type: 'flannel', raw: {} }] } };

test('present: the folder is empty, the kubelet says so, and the asked pod waits for its network', () => {
  const finding = check({ message: NOT_INITIALIZED });
  expect(presentOf(finding).claims).toEqual([]);
  expect(presentOf(finding).place).toEqual({ ...w2, object: FOLDER });
  expect(presentOf(finding).change).toBeUndefined();
  expect(presentOf(finding).evidence.map((one) => one.plane)).toEqual(['kernel', 'state', 'state']);
  expect(statements(finding)).toBe(
    `/etc/cni/net.d on w2 has no CNI configuration\nw2 is not ready: ${NOT_INITIALIZED}\ndemo/web waits on w2 for its network`,
  );
  expect(presentOf(finding).fix.commands[0]).toBe('ls -la /etc/cni/net.d    # on w2');
});

test('present: the node is still called ready, and the pod’s own event tells it', () => {
  const failed = event('FailedCreatePodSandBox', 'failed to setup network for sandbox: cni plugin not initialized');
  expect(statements(check({ events: [failed] }))).toContain(
    'demo/web: FailedCreatePodSandBox: failed to setup network',
  );
});

test('absent: there is a configuration', () => {
  expect(check({ files: [flannel], message: NOT_INITIALIZED }).is).toBe('absent');
});

test('near miss: the folder that was read is empty, and the runtime is content: it reads another', () => {
  expect(check()).toMatchObject({ is: 'absent', because: expect.stringContaining('it reads another folder') });
});

test('near miss: the pod waits for a volume or an image on such a node', () => {
  const mount = event('FailedMount', 'MountVolume.SetUp failed for volume "data": network is unreachable');
  const image = event('Failed', 'Failed to pull image "web:1": dial tcp: i/o timeout');
  expect(check({ events: [mount] }).is).toBe('absent');
  expect(check({ events: [image] }).is).toBe('absent');
});

test('near miss: a file is there and is wrong (cni-config-wrong)', () => {
  const broken = { name: '10-flannel.conflist', problem: 'not JSON: Unexpected end of JSON input' };
  expect(check({ files: [broken], message: NOT_INITIALIZED })).toMatchObject({
    is: 'absent',
    because: expect.stringContaining('a wrong one: 10-flannel.conflist (not JSON'),
  });
});

test('near miss: the node is not ready for another reason, even one that speaks of a network', () => {
  const message = 'PLEG is not healthy: rpc error: connect: network is unreachable';
  expect(check({ message }).is).toBe('unknown');
  expect(check({ message: 'Kubelet stopped posting node status.', status: 'Unknown' }).is).toBe('unknown');
});

test('near miss: pods that have their network keep it, and fail for another reason if they do', () => {
  const running = pod('web', { namespace: 'demo' });
  expect(check({ message: NOT_INITIALIZED, pods: [running] }).is).toBe('absent');
  const elsewhere = { ...stuck, spec: { ...stuck.spec, nodeName: 'w1' } };
  expect(check({ message: NOT_INITIALIZED, pods: [elsewhere] }).is).toBe('absent');
});

test('unknown: the folder was not read wholly', () => {
  expect(check({ complete: false, message: NOT_INITIALIZED }).is).toBe('unknown');
});
