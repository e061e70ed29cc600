import { expect, test } from 'vitest';
import {
  buildCase,
  checkWith,
  fakeSnapshot,
  flow,
  hop,
  leafTrace,
  packet,
  probe,
  SERVER_PLACE,
  step,
} from '../../diagnose/testing/build-case.ts';
import { CLUSTER, hostOf } from '../../net/place.ts';
import type { EndpointSlice } from '../../snapshot/objects.ts';
import { CLUSTER_IP, presentOf, rejected, service, slice, statements } from '../testing/cause-cases.ts';
import { kubeProxyStale } from './kube-proxy-stale.ts';

const at = { ...CLUSTER, object: 'service/shop/api' };
const w1 = hostOf('w1');
const dnat = step({
  kind: 'nat',
  at: 'prerouting nat-nft KUBE-SEP-A#2',
  values: { nat: 'destination', by: 'rule' },
  text: 'DNAT to 10.244.2.9:8080',
});
const old = flow({
  destination: CLUSTER_IP,
  port: 80,
  forward: leafTrace('neighbour-unresolved', {
    place: hostOf('w2'),
    before: [hop(w1, [dnat])],
    packet: packet({ destination: '10.244.2.9' }),
    steps: [step({ kind: 'neighbour' })],
  }),
  probe: probe('no', 'timed-out'),
});

function check(slices: readonly EndpointSlice[], flows = [old], of = service()) {
  const snapshot = fakeSnapshot({
    facts: [
      ['api.services', CLUSTER, {}, [of]],
      ['api.endpointslices', CLUSTER, {}, slices],
    ],
  });
  return checkWith(kubeProxyStale, buildCase({ snapshot, flows }), at);
}

test('present: the rule sends to an address that is no endpoint; the node is the one that translated', () => {
  const finding = check([slice([{ ip: '10.244.2.7' }])]);
  expect(presentOf(finding).place).toMatchObject({ node: 'w1', object: 'service/shop/api' });
  expect(statements(finding)).toContain('w1 sends shop/api to 10.244.2.9:8080, which is no endpoint of it');
  expect(statements(finding)).toContain('list 10.244.2.7:8080');
});

test('present: rejected as having no endpoints, though it has one', () => {
  const refused = flow({
    destination: CLUSTER_IP,
    port: 80,
    forward: leafTrace('rejected-by-rule', {
      place: w1,
      packet: packet({ destination: CLUSTER_IP, port: 80 }),
      steps: [rejected()],
    }),
  });
  expect(statements(check([slice([{ ip: '10.244.2.7' }])], [refused]))).toContain(
    'w1 rejects shop/api as having no endpoints',
  );
});

test('absent: it goes to an endpoint', () => {
  expect(check([slice([{ ip: '10.244.2.7' }])], [flow({ destination: CLUSTER_IP, port: 80 })]).is).toBe('absent');
});

test('near miss: the endpoint is listed, and the packet dies on the way to it', () => {
  expect(check([slice([{ ip: '10.244.2.9' }])]).is).toBe('absent');
});

test('near miss: the Service is rejected, and rightly so', () => {
  const refused = flow({
    destination: CLUSTER_IP,
    port: 80,
    forward: leafTrace('rejected-by-rule', {
      place: w1,
      packet: packet({ destination: CLUSTER_IP, port: 80 }),
      steps: [rejected()],
    }),
  });
  expect(check([slice([])], [refused]).is).toBe('absent');
});

test('near miss: the walk ends within a tunnel, whose outer packet is for a node', () => {
  const inner = packet({ destination: '10.244.2.7' });
  const outer = { ...packet({ source: '10.77.0.11', destination: '10.77.0.12' }), inner };
  const tunnelled = flow({
    destination: CLUSTER_IP,
    port: 80,
    forward: leafTrace('insufficient-information', {
      place: hostOf('w2'),
      before: [hop(w1, [dnat])],
      packet: outer,
      steps: [step()],
    }),
  });
  expect(check([slice([{ ip: '10.244.2.7' }])], [tunnelled]).is).not.toBe('present');
});

test('present: the right address and a former port of it', () => {
  const former = flow({
    destination: CLUSTER_IP,
    port: 80,
    forward: leafTrace('no-listener', {
      place: SERVER_PLACE,
      before: [hop(w1, [dnat])],
      packet: packet({ destination: '10.244.2.7', port: 9999 }),
    }),
    probe: probe('no', 'refused'),
  });
  expect(statements(check([slice([{ ip: '10.244.2.7' }])], [former]))).toContain(
    'to 10.244.2.7:9999, which is no endpoint',
  );
});
