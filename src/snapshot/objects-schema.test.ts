import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  expectEveryTruncationParses,
  expectFuzzParses,
  expectWrongTypesParse,
} from '../parse/testing/parser-properties.ts';
import { parseListItems } from './list-items.ts';
import { checkObject, parseAccess, parseObjects, parseVersion } from './objects-schema.ts';

const fixture = (name: string) => readFileSync(new URL(`./fixtures/${name}-1.34.json`, import.meta.url), 'utf8');

describe('parseObjects on a real cluster (Kubernetes 1.34)', () => {
  test('pods', () => {
    const { value, unparsed } = parseObjects('api.pods', fixture('pods'));
    expect(unparsed).toEqual([]);
    expect(value).toHaveLength(4);
    const coredns = value.find((pod) => pod.metadata.name.startsWith('coredns'));
    expect(coredns).toMatchObject({
      metadata: { namespace: 'kube-system', labels: { 'k8s-app': 'kube-dns' } },
      spec: { nodeName: expect.stringMatching(/^w[12]$/), dnsPolicy: 'Default' },
      status: { phase: 'Running', podIPs: [{ ip: expect.stringMatching(/^10\.244\./) }] },
    });
    expect(coredns?.metadata).not.toHaveProperty('managedFields');
    expect(value.find((pod) => pod.metadata.namespace === 'kube-flannel')?.spec.hostNetwork).toBe(true);
  });

  test('nodes keep the annotations that flannel writes', () => {
    const { value, unparsed } = parseObjects('api.nodes', fixture('nodes'));
    expect(unparsed).toEqual([]);
    expect(value[0]?.spec.podCIDRs).toHaveLength(1);
    const backend = value.map((node) => node.metadata.annotations?.['flannel.alpha.coreos.com/backend-data']);
    expect(backend.some((text) => text?.includes('VtepMAC'))).toBe(true);
  });

  test.each([
    ['api.services', 'services'],
    ['api.endpointslices', 'endpointslices'],
    ['api.daemonsets', 'daemonsets'],
    ['api.namespaces', 'namespaces'],
    ['api.configmaps', 'configmaps'],
    ['api.events', 'events'],
  ] as const)('%s', (fact, name) => {
    const { value, unparsed } = parseObjects(fact, fixture(name));
    expect(unparsed).toEqual([]);
    expect(value.length).toBe((JSON.parse(fixture(name)) as { items: unknown[] }).items.length);
  });

  test('an endpoint slice and a service say what the API said', () => {
    const dns = parseObjects('api.services', fixture('services')).value.find((one) => one.metadata.name === 'kube-dns');
    expect(dns?.spec.ports?.map((port) => `${port.protocol} ${port.port}`)).toContain('UDP 53');
    const slice = parseObjects('api.endpointslices', fixture('endpointslices')).value.find(
      (one) => one.metadata.labels?.['kubernetes.io/service-name'] === 'kube-dns',
    );
    expect(slice?.endpoints?.[0]).toMatchObject({ conditions: { ready: true }, targetRef: { kind: 'Pod' } });
  });
});

describe('parseObjects', () => {
  test('an object that does not fit is told and loses no other', () => {
    const list = {
      kind: 'ServiceList',
      items: [
        { metadata: { name: 'good', namespace: 'a' }, spec: { ports: [{ port: 80, targetPort: 'http' }] } },
        { metadata: { name: 'bad', namespace: 'a' }, spec: { ports: [{ port: 'eighty' }] } },
        { metadata: {}, spec: {} },
        7,
      ],
    };
    const { value, unparsed } = parseObjects('api.services', JSON.stringify(list));
    expect(value.map((one) => one.metadata.name)).toEqual(['good']);
    expect(unparsed.map((line) => line.text)).toEqual([
      '7',
      expect.stringMatching(/^a\/bad: spec\.ports\.0\.port: /),
      expect.stringMatching(/^\(no name\): metadata\.name: /),
    ]);
  });

  test('null is a field left out', () => {
    const slice = {
      metadata: { name: 's', creationTimestamp: null },
      addressType: 'IPv4',
      endpoints: null,
      ports: null,
    };
    const { value, unparsed } = parseObjects('api.endpointslices', JSON.stringify(slice));
    expect(unparsed).toEqual([]);
    expect(value).toEqual([{ metadata: { name: 's' }, addressType: 'IPv4' }]);
  });

  test('a single object, and pages one after the other', () => {
    const page = (names: string[], more?: string) =>
      JSON.stringify({
        kind: 'NamespaceList',
        metadata: more ? { continue: more } : {},
        items: names.map((name) => ({ metadata: { name } })),
      });
    const names = (text: string) => parseObjects('api.namespaces', text).value.map((one) => one.metadata.name);
    expect(names('{"kind":"Namespace","metadata":{"name":"one"}}')).toEqual(['one']);
    expect(names(`${page(['a', 'b'], 'x')}\n${page(['c'])}`)).toEqual(['a', 'b', 'c']);
    expect(parseObjects('api.namespaces', `${page(['a'], 'x')}\n${page(['c'])}`).unparsed).toEqual([]);
  });

  test('a list that was not read to its end is not complete', () => {
    const text = '{"kind":"PodList","metadata":{"continue":"abc"},"items":[]}';
    expect(parseObjects('api.pods', text).unparsed).toHaveLength(1);
  });

  test('a cut list keeps its whole objects', () => {
    const text = fixture('pods');
    const cut = parseObjects('api.pods', text.slice(0, -3000));
    expect(cut.value).toHaveLength(3);
    expect(cut.unparsed.length).toBeGreaterThan(0);
    const second = parseObjects('api.pods', `${text}\n${text.slice(0, -3000)}`);
    expect(second.value).toHaveLength(7);
  });

  test('a Status and an empty answer are no lists', () => {
    const status = '{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","code":403}';
    expect(parseObjects('api.pods', status)).toMatchObject({ value: [], unparsed: [{}] });
    expect(parseObjects('api.pods', '')).toMatchObject({ value: [], unparsed: [{}] });
    expect(parseObjects('api.pods', '{"kind":"PodList","items":[]}')).toEqual({ value: [], unparsed: [] });
  });

  test("a ReplicationController's bare selector", () => {
    const one = { kind: 'ReplicationController', metadata: { name: 'r' }, spec: { selector: { app: 'x' } } };
    expect(parseObjects('api.workloads', JSON.stringify(one)).value[0]?.spec.selector?.matchLabels).toEqual({
      app: 'x',
    });
  });

  test('of an environment only proxies are kept, of a pod and of a template', () => {
    const containers = [
      {
        name: 'app',
        env: [
          { name: 'HTTP_PROXY', value: 'http://u:p@proxy:3128' },
          { name: 'DB', value: 'x' },
        ],
      },
    ];
    const kept = [{ name: 'app', env: [{ name: 'HTTP_PROXY', value: 'http://proxy:3128' }] }];
    expect(checkObject('api.pods', { metadata: { name: 'p' }, spec: { containers } })).toMatchObject({
      object: { spec: { containers: kept } },
    });
    const workload = { metadata: { name: 'w' }, spec: { template: { spec: { containers, hostNetwork: true } } } };
    expect(checkObject('api.daemonsets', workload)).toEqual({
      object: { ...workload, spec: { template: { spec: { containers: kept, hostNetwork: true } } } },
    });
  });

  test('a policy keeps its whole spec', () => {
    const spec = {
      podSelector: {},
      ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/8' } }] }],
      policyTypes: ['Ingress'],
    };
    const checked = checkObject('api.networkpolicies', { metadata: { name: 'p' }, spec });
    expect(checked).toEqual({ object: { metadata: { name: 'p' }, spec } });
  });

  test('never throws', () => {
    const pods = (text: string) => parseObjects('api.pods', text);
    expectEveryTruncationParses(fixture('services'), (text) => parseObjects('api.services', text));
    expectEveryTruncationParses(fixture('services'), parseListItems);
    expectFuzzParses([fixture('services'), fixture('endpointslices')], pods);
    expectWrongTypesParse(fixture('endpointslices'), (text) => parseObjects('api.endpointslices', text));
  });
});

describe('version and access', () => {
  test('the version', () => {
    expect(parseVersion('{"major":"1","minor":"34","gitVersion":"v1.34.4"}')).toEqual({ gitVersion: 'v1.34.4' });
    expect(parseVersion('Forbidden')).toBeUndefined();
  });

  test('access answers, each by itself', () => {
    const text = '[{"verb":"list","resource":"pods","allowed":true},{"verb":"get"}]';
    expect(parseAccess(text)).toMatchObject({ value: [{ allowed: true }], unparsed: [{ text: '{"verb":"get"}' }] });
    expect(parseAccess('{}')).toBeUndefined();
  });
});
