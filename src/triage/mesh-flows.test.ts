import { expect, test } from 'vitest';
import { CLIENT, CLIENT_PLACE, fakeSnapshot, packet, question } from '../diagnose/testing/build-case.ts';
import { CLUSTER, hostOf } from '../net/place.ts';
import type { Pod } from '../snapshot/objects.ts';
import type { PlannedFlow } from '../target/flows.ts';
import { meshFlows } from './mesh-flows.ts';
import { requestsOf } from './probe-outcomes.ts';

const main: PlannedFlow = { id: 'main', purpose: 'main', from: CLIENT_PLACE, packet: packet(), protocol: 'tcp' };

/** The client of the standard question, with these containers; its application's process runs as this user. */
function cluster(containers: readonly string[], uid: number) {
  const client: Pod = {
    metadata: { name: 'client', namespace: 'demo', uid: 'u1' },
    spec: { nodeName: 'w1', containers: containers.map((name) => ({ name })) },
    status: {
      podIP: CLIENT,
      containerStatuses: containers.map((name) => ({ name, containerID: `containerd://id-${name}` })),
    },
  };
  const processes = containers.map((name, pid) => ({
    id: `id-${name}`,
    pid,
    command: name,
    uid: name === 'app' ? uid : 1337,
  }));
  return fakeSnapshot({
    facts: [
      ['api.pods', CLUSTER, {}, [client]],
      [
        'sandboxes',
        hostOf('w1'),
        {},
        { hostNetworkNamespace: 1, pods: [{ uid: 'u1', networkNamespace: 2, pids: [1], containers: processes }] },
      ],
    ],
  });
}

test('a pod with a sidecar is tried as the application’s user and past the proxy', () => {
  const snapshot = cluster(['istio-proxy', 'app'], 1000);
  const flows = meshFlows(snapshot, question(), [main]);
  expect(flows.map(({ id, asUser }) => [id, asUser])).toEqual([
    ['main', 1000],
    ['past-proxy', 1337],
  ]);
  const asked = flows.map((flow) => requestsOf(snapshot, question(), flow)[0]);
  expect(asked.map((request) => [request?.action, request?.args['uid']])).toEqual([
    ['probe.tcp', 1000],
    ['probe.tcp', 1337],
  ]);
});

test('linkerd’s proxy has a user of its own; root is as whom podtriage asks anyway', () => {
  const flows = meshFlows(cluster(['app', 'linkerd-proxy'], 0), question(), [main]);
  expect(flows.map(({ id, asUser }) => [id, asUser])).toEqual([
    ['main', undefined],
    ['past-proxy', 2102],
  ]);
});

test('without a mesh nothing is added, nor for a ping', () => {
  expect(meshFlows(cluster(['app'], 1000), question(), [main])).toEqual([main]);
  const ping: PlannedFlow = { ...main, protocol: 'icmp' };
  expect(meshFlows(cluster(['istio-proxy', 'app'], 1000), question(), [ping])).toEqual([ping]);
});
