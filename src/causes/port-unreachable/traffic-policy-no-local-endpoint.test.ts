import { expect, test } from 'vitest';
import {
  buildCase,
  checkWith,
  fakeSnapshot,
  flow,
  leafTrace,
  packet,
  probe,
  step,
} from '../../diagnose/testing/build-case.ts';
import { CLUSTER, hostOf } from '../../net/place.ts';
import type { EndpointSlice, Service } from '../../snapshot/objects.ts';
import { CLUSTER_IP, node, presentOf, service, slice, statements } from '../testing/cause-cases.ts';
import { trafficPolicyNoLocalEndpoint } from './traffic-policy-no-local-endpoint.ts';

const at = { ...CLUSTER, object: 'service/shop/api' };

/** kube-proxy's rule as `iptables-save` prints it (pkg/proxy/iptables). */
function ruleOf(chain: string, match: string) {
  const ruleText = `-A ${chain} ${match} -m comment --comment "shop/api:http has no local endpoints" -j DROP`;
  const values = { backend: 'iptables-nft', table: 'filter', chain, ruleNumber: 1, ruleText, verdict: 'drop' };
  return step({ kind: 'rule', text: '“shop/api:http has no local endpoints” DROP', values });
}

const dropped = flow({
  destination: CLUSTER_IP,
  port: 80,
  forward: leafTrace('dropped-by-rule', {
    place: hostOf('w1'),
    packet: packet({ destination: CLUSTER_IP, port: 80 }),
    steps: [ruleOf('KUBE-SERVICES', `-d ${CLUSTER_IP}/32 -p tcp -m tcp --dport 80`)],
  }),
  probe: probe('no', 'timed-out'),
});

function check(of: Service, slices: readonly EndpointSlice[], flows = [dropped]) {
  const snapshot = fakeSnapshot({
    facts: [
      ['api.services', CLUSTER, {}, [of]],
      ['api.endpointslices', CLUSTER, {}, slices],
      ['api.nodes', CLUSTER, {}, [node('w1', 1), node('w2', 2)]],
    ],
  });
  return checkWith(trafficPolicyNoLocalEndpoint, buildCase({ snapshot, flows }), at);
}

test('present: internal traffic, no endpoint on the client’s node', () => {
  const finding = check(service({ internalTrafficPolicy: 'Local' }), [slice([{ ip: '10.244.2.7', node: 'w2' }])]);
  expect(presentOf(finding).claims).toHaveLength(1);
  expect(presentOf(finding).place).toMatchObject({ node: 'w1', object: 'service/shop/api' });
  expect(statements(finding)).toContain('its endpoints are on w2, none is on w1');
});

test('present: a NodePort with externalTrafficPolicy Local', () => {
  const of = service({
    type: 'NodePort',
    externalTrafficPolicy: 'Local',
    ports: [{ name: 'http', port: 80, targetPort: 8080, nodePort: 30080, protocol: 'TCP' }],
  });
  const outside = flow({
    from: null,
    destination: '10.77.0.11',
    port: 30080,
    forward: leafTrace('dropped-by-rule', {
      place: hostOf('w1'),
      before: [],
      packet: packet({ destination: '10.77.0.11', port: 30080 }),
      steps: [ruleOf('KUBE-EXTERNAL-SERVICES', '-p tcp -m addrtype --dst-type LOCAL -m tcp --dport 30080')],
    }),
  });
  expect(statements(check(of, [slice([{ ip: '10.244.2.7', node: 'w2' }], of)], [outside]))).toContain(
    'externalTrafficPolicy: Local',
  );
});

test('absent: the policy is Cluster', () => {
  expect(check(service(), [slice([{ ip: '10.244.2.7', node: 'w2' }])]).is).toBe('absent');
});

test('near miss: the node has an endpoint, and a rule drops it all the same', () => {
  expect(check(service({ internalTrafficPolicy: 'Local' }), [slice([{ ip: '10.244.1.7', node: 'w1' }])]).is).toBe(
    'absent',
  );
});

test('near miss: no node has an endpoint', () => {
  expect(check(service({ internalTrafficPolicy: 'Local' }), [slice([])]).is).toBe('absent');
});

test.each([
  ['a firewall’s rule', leafTrace('dropped-by-rule', { place: hostOf('w1'), steps: [ruleOf('INPUT', '-p tcp')] })],
  ['a route that is missing', leafTrace('no-route', { place: hostOf('w1'), steps: [step({ kind: 'route' })] })],
])('near miss: %s on a node without an endpoint', (_what, forward) => {
  const other = flow({ destination: CLUSTER_IP, port: 80, forward });
  const slices = [slice([{ ip: '10.244.2.7', node: 'w2' }])];
  expect(check(service({ internalTrafficPolicy: 'Local' }), slices, [other]).is).toBe('absent');
});
