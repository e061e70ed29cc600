import { describe, expect, test } from 'vitest';
import { aService, aSlice } from '../../../test/scenarios/shop-cluster.ts';
import type { EndpointSlice, Service } from '../../snapshot/objects.ts';
import { expectedBackends, isProxied } from './expected-backends.ts';

type Endpoint = NonNullable<EndpointSlice['endpoints']>[number];

const port = { name: 'http', port: 80, targetPort: 8080 };
const w1 = { metadata: { name: 'w1', labels: { 'topology.kubernetes.io/zone': 'a' } } };
const ready = { ready: true, serving: true, terminating: false };
const notReady = { ready: false, serving: false, terminating: false };
const draining = { ready: false, serving: true, terminating: true };
const gone = { ready: false, serving: false, terminating: true };

function at(
  node: string,
  address: string,
  conditions: Endpoint['conditions'] = ready,
  more: Partial<Endpoint> = {},
): Endpoint {
  return { addresses: [address], nodeName: node, conditions: conditions!, ...more };
}

function expected(endpoints: readonly Endpoint[], spec: Partial<Service['spec']> = {}) {
  const service = aService('shop', 'api', '10.96.0.20', [port], spec);
  const slices = [aSlice('shop', 'api', [{ name: 'http', port: 8080, protocol: 'TCP' }], endpoints)];
  const got = expectedBackends(service, port, slices, w1);
  const short = (list: typeof got.internal) => list.map((one) => `${one.address}:${one.port}`);
  return { ...got, internal: short(got.internal), external: short(got.external) };
}

describe('expectedBackends', () => {
  test('every ready endpoint, on its own port', () => {
    expect(expected([at('w2', '10.244.2.6'), at('w1', '10.244.1.7'), at('w1', '10.244.1.8', notReady)])).toMatchObject({
      internal: ['10.244.1.7:8080', '10.244.2.6:8080'],
      external: ['10.244.1.7:8080', '10.244.2.6:8080'],
      terminating: false,
      anywhere: true,
    });
  });

  test('a condition that is not told counts as ready', () => {
    expect(expected([at('w1', '10.244.1.7', {})]).internal).toHaveLength(1);
    expect(expected([at('w1', '10.244.1.7', { ready: null })]).internal).toHaveLength(1);
  });

  test('without a ready one, those that serve while they go; never those that are gone', () => {
    expect(expected([at('w1', '10.244.1.7', draining), at('w2', '10.244.2.6', gone)])).toMatchObject({
      internal: ['10.244.1.7:8080'],
      terminating: true,
    });
    expect(expected([at('w1', '10.244.1.7', draining), at('w2', '10.244.2.6')]).internal).toEqual(['10.244.2.6:8080']);
    expect(expected([at('w1', '10.244.1.7', gone)])).toMatchObject({ internal: [], anywhere: false });
  });

  test('Local policies keep to the node, each for its own kind of address', () => {
    const both = [at('w2', '10.244.2.6'), at('w1', '10.244.1.7')];
    expect(expected(both, { externalTrafficPolicy: 'Local' })).toMatchObject({
      internal: ['10.244.1.7:8080', '10.244.2.6:8080'],
      external: ['10.244.1.7:8080'],
    });
    expect(expected([at('w2', '10.244.2.6')], { internalTrafficPolicy: 'Local' })).toMatchObject({
      internal: [],
      external: ['10.244.2.6:8080'],
      anywhere: true,
    });
    const going = [at('w2', '10.244.2.6'), at('w1', '10.244.1.7', draining)];
    expect(expected(going, { externalTrafficPolicy: 'Local' }).external).toEqual(['10.244.1.7:8080']);
  });

  test('zone hints bind only where every ready endpoint has one and some are for here', () => {
    const a = { hints: { forZones: [{ name: 'a' }] } };
    const b = { hints: { forZones: [{ name: 'b' }] } };
    expect(expected([at('w1', '10.244.1.7', ready, a), at('w2', '10.244.2.6', ready, b)])).toMatchObject({
      internal: ['10.244.1.7:8080'],
      topology: 'zone',
    });
    expect(expected([at('w1', '10.244.1.7', ready, a), at('w2', '10.244.2.6')]).internal).toHaveLength(2);
    expect(expected([at('w2', '10.244.2.6', ready, b)]).internal).toEqual(['10.244.2.6:8080']);
  });

  test('node hints come before zone hints', () => {
    const here = { hints: { forNodes: [{ name: 'w1' }], forZones: [{ name: 'a' }] } };
    const there = { hints: { forNodes: [{ name: 'w2' }], forZones: [{ name: 'a' }] } };
    expect(expected([at('w1', '10.244.1.7', ready, here), at('w2', '10.244.2.6', ready, there)])).toMatchObject({
      internal: ['10.244.1.7:8080'],
      topology: 'node',
    });
  });

  test('the same address in two slices counts once', () => {
    expect(expected([at('w1', '10.244.1.7', notReady), at('w1', '10.244.1.7')]).internal).toEqual(['10.244.1.7:8080']);
  });
});

test.each([
  ['a ClusterIP', {}, {}, true],
  ['headless', { clusterIP: 'None' }, {}, false],
  ['ExternalName', { type: 'ExternalName' }, {}, false],
  ['handed to another proxy', {}, { 'service.kubernetes.io/service-proxy-name': 'x' }, false],
])('isProxied: %s', (_, spec, labels, yes) => {
  const service = aService('shop', 'api', '10.96.0.20', [port], spec);
  expect(isProxied({ ...service, metadata: { ...service.metadata, labels } })).toBe(yes);
});
