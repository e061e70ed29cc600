import { expect, test } from 'vitest';
import {
  buildCase,
  checkWith,
  fakeSnapshot,
  flow,
  leafTrace,
  OPEN_GATE,
  packet,
  probe,
  step,
} from '../../diagnose/testing/build-case.ts';
import { CLUSTER, hostOf, type Place } from '../../net/place.ts';
import type { IptablesRuleset } from '../../parse/iptables-save.ts';
import type { Pod, Service } from '../../snapshot/objects.ts';
import { CLUSTER_IP, pod, presentOf, service, slice, statements } from '../testing/cause-cases.ts';
import { kubeProxyDown } from './kube-proxy-down.ts';

const w1 = hostOf('w1');
const untranslated = flow({
  destination: CLUSTER_IP,
  port: 80,
  forward: leafTrace('left-the-cluster', {
    place: w1,
    packet: packet({ destination: CLUSTER_IP, port: 80 }),
    steps: [step({ kind: 'route', text: 'default via 10.77.0.1 dev eth0' })],
  }),
  probe: probe('no', 'timed-out'),
  snapshot: fakeSnapshot({ facts: [['api.services', CLUSTER, {}, [service()]]] }),
});

interface Given {
  readonly pods?: readonly Pod[];
  readonly rules?: IptablesRuleset;
  readonly complete?: boolean;
  readonly endpoints?: boolean;
  readonly by?: string;
  readonly services?: readonly Service[];
  readonly flows?: readonly (typeof untranslated)[];
}

function check(given: Given = {}) {
  const rules = given.rules ?? { tables: [] };
  const snapshot = fakeSnapshot({
    facts: [
      ['api.services', CLUSTER, {}, given.services ?? [service()]],
      ['api.pods', CLUSTER, {}, given.pods ?? []],
      ['api.endpointslices', CLUSTER, {}, [slice(given.endpoints === false ? [] : [{ ip: '10.244.2.7' }])]],
      ['iptables.nft', w1, { family: 4, table: '' }, rules, { complete: given.complete ?? true }],
      ['iptables.legacy', w1, { family: 4 }, { tables: [] }],
      ['nft.tables', w1, {}, []],
    ],
  });
  const by = given.by ?? 'kube-proxy';
  const gate = {
    ...OPEN_GATE,
    parts: [{ role: 'services' as const, by, modelled: by === 'kube-proxy', statement: '', sources: [] }],
  };
  return checkWith(kubeProxyDown, buildCase({ snapshot, gate, flows: given.flows ?? [untranslated] }), w1);
}

test('present: the packet leaves untranslated though the Service has endpoints; no proxy pod is there', () => {
  const finding = check();
  expect(presentOf(finding).claims).toHaveLength(1);
  expect(presentOf(finding).place?.node).toBe('w1');
  expect(statements(finding)).toContain('no rule of w1 translates 10.96.12.34:80, the address of shop/api');
  expect(statements(finding)).toContain('w1 has no Service rules at all');
  expect(statements(finding)).toContain('no kube-proxy pod is on w1');
});

test('present: the state of the proxy’s pod explains it', () => {
  const pending = pod('kube-proxy-x', {
    namespace: 'kube-system',
    node: 'w1',
    ready: false,
    labels: { 'k8s-app': 'kube-proxy' },
    status: { phase: 'Pending' },
  });
  expect(statements(check({ pods: [pending] }))).toContain('kube-system/kube-proxy-x is not ready (Pending)');
});

test('absent: the node translates it', () => {
  expect(check({ flows: [flow({ destination: CLUSTER_IP, port: 80 })] }).is).toBe('absent');
});

test('near miss: the Service has no endpoints, so that no proxy would translate it', () => {
  expect(check({ endpoints: false }).is).toBe('absent');
});

test('near miss: a rule drops it before any translation', () => {
  const dropped = flow({
    destination: CLUSTER_IP,
    port: 80,
    forward: leafTrace('dropped-by-rule', {
      place: w1,
      packet: packet({ destination: CLUSTER_IP, port: 80 }),
      steps: [step({ kind: 'rule', values: { verdict: 'drop' } })],
    }),
  });
  expect(check({ flows: [dropped] }).is).toBe('absent');
});

test('unknown: another implementation, whose tables are not read', () => {
  expect(check({ by: 'cilium' })).toMatchObject({ is: 'unknown', because: expect.stringContaining('cilium') });
});

test('unknown: the rules were cut', () => {
  expect(check({ complete: false }).is).toBe('unknown');
});

test('near miss: the Service has no such port, which no proxy would program', () => {
  const other = flow({
    destination: CLUSTER_IP,
    port: 81,
    forward: leafTrace('left-the-cluster', {
      place: w1,
      packet: packet({ destination: CLUSTER_IP, port: 81 }),
      steps: [step({ kind: 'route' })],
    }),
    snapshot: fakeSnapshot({ facts: [['api.services', CLUSTER, {}, [service()]]] }),
  });
  expect(check({ flows: [other] }).is).toBe('absent');
});

const exposed = service({ ports: [{ name: 'http', port: 80, targetPort: 8080, nodePort: 30080, protocol: 'TCP' }] });
const toNodePort = (at: Place, address: string) =>
  flow({
    destination: address,
    port: 30080,
    forward: leafTrace('no-listener', {
      place: at,
      packet: packet({ destination: address, port: 30080 }),
      steps: [step({ kind: 'socket' })],
    }),
  });

test('present: a NodePort of a node that has no Service rules is not just a port without a listener', () => {
  expect(presentOf(check({ services: [exposed], flows: [toNodePort(w1, '10.77.0.11')] })).claims).toHaveLength(1);
});

test('near miss: another node’s NodePort is not translated on the way there', () => {
  const there = toNodePort(hostOf('w2'), '10.77.0.12');
  expect(check({ services: [exposed], flows: [there] }).is).toBe('absent');
});

test('near miss: a node that programs Services, and this address by its configuration not for NodePorts', () => {
  const rules: IptablesRuleset = {
    tables: [{ name: 'nat', chains: [{ name: 'KUBE-SVC-ABC', policy: undefined, rules: [] }] }],
  } as never;
  expect(check({ services: [exposed], rules, flows: [toNodePort(w1, '10.77.0.11')] }).is).toBe('absent');
});
