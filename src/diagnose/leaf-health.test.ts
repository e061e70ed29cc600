import { describe, expect, test } from 'vitest';
import type { Packet } from '../net/packet.ts';
import { CLUSTER } from '../net/place.ts';
import type { Disposition } from '../simulate/trace.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { clusterAddresses, leafHealth } from './leaf-health.ts';
import { leavesOf } from './leaves.ts';
import { CLIENT, type FakeFact, fakeSnapshot, leafTrace, OPEN_GATE, packet, SERVER } from './testing/build-case.ts';

const PODS: FakeFact = [
  'api.pods',
  CLUSTER,
  {},
  [
    {
      metadata: { name: 'client', namespace: 'demo' },
      spec: { nodeName: 'w1', containers: [] },
      status: { podIPs: [{ ip: CLIENT }] },
    },
    {
      metadata: { name: 'proxy', namespace: 'kube-system' },
      spec: { nodeName: 'w1', hostNetwork: true, containers: [] },
      status: { podIPs: [{ ip: '10.78.0.11' }] },
    },
  ],
];
const NODES: FakeFact = [
  'api.nodes',
  CLUSTER,
  {},
  [
    {
      metadata: { name: 'w1' },
      spec: {},
      status: { addresses: [{ type: 'InternalIP', address: '10.78.0.11' }] },
    },
  ],
];
const SERVICES: FakeFact = [
  'api.services',
  CLUSTER,
  {},
  [{ metadata: { name: 'web', namespace: 'demo' }, spec: { clusterIPs: ['10.96.12.34'] } }],
];
const WHOLE = fakeSnapshot({ facts: [PODS, NODES, SERVICES] });
const OUTSIDE = '198.51.100.9';

function healthOf(
  end: Disposition,
  input: {
    readonly source?: string;
    readonly inner?: Packet;
    readonly destination?: string;
    readonly leg?: 'forward' | 'reply-0';
    readonly snapshot?: Snapshot;
    readonly routable?: 'yes' | 'no' | 'unknown';
    readonly outside?: 'no';
  } = {},
) {
  const own = packet({ source: input.source, destination: input.destination });
  const trace = leafTrace(end, { packet: { ...own, ...(input.inner && { inner: input.inner }) } });
  const [leaf] = leavesOf(trace, 'main', input.leg ?? 'forward');
  return leafHealth(leaf!, clusterAddresses(input.snapshot ?? WHOLE), {
    ...OPEN_GATE,
    podAddressesRoutable: input.routable ?? 'no',
    ...(input.outside && { podAddressesRoutableOutside: input.outside }),
  });
}

test('delivered passes; what could not be told is unknown; every other end is a death', () => {
  expect(healthOf('delivered')).toBe('passed');
  expect(healthOf('insufficient-information')).toBe('unknown');
  expect(healthOf('handed-to-userspace')).toBe('unknown');
  for (const end of ['dropped-by-rule', 'no-listener', 'packet-too-big', 'loop', 'reply-not-matched'] as const)
    expect(healthOf(end), end).toBe('dead');
});

describe('left-the-cluster', () => {
  test.each([SERVER, '10.78.0.11', '10.96.12.34'])(
    'to %s: an address of the cluster is lost outside',
    (destination) => {
      const snapshot = fakeSnapshot({
        facts: [
          [
            'api.pods',
            CLUSTER,
            {},
            [{ metadata: { name: 'web' }, spec: { containers: [] }, status: { podIPs: [{ ip: SERVER }] } }],
          ],
          NODES,
          SERVICES,
        ],
      });
      expect(healthOf('left-the-cluster', { source: '10.78.0.11', destination, snapshot })).toBe('dead');
    },
  );

  test('an overlay packet that left is lost, whatever its addresses', () => {
    const inner = packet({ source: CLIENT, destination: SERVER });
    expect(healthOf('left-the-cluster', { source: '10.78.0.11', destination: OUTSIDE, inner })).toBe('dead');
  });

  test('with a node’s address it is on its way', () => {
    expect(healthOf('left-the-cluster', { source: '10.78.0.11', destination: OUTSIDE })).toBe('passed');
  });

  test.each([
    ['no', 'dead'],
    ['unknown', 'unknown'],
    ['yes', 'passed'],
  ] as const)('with a pod’s own address, that the network carries: %s → %s', (routable, health) => {
    expect(healthOf('left-the-cluster', { source: CLIENT, destination: '10.99.0.1', routable })).toBe(health);
  });

  test('the internet answers no private address, unless a gateway beyond translates it', () => {
    const ofPod = { source: CLIENT, routable: 'yes' } as const;
    expect(healthOf('left-the-cluster', { ...ofPod, destination: OUTSIDE })).toBe('unknown');
    expect(healthOf('left-the-cluster', { ...ofPod, routable: 'no', destination: OUTSIDE })).toBe('dead');
  });

  test('nodes may carry pods’ addresses to one another, and nobody beyond', () => {
    const asked = { source: CLIENT, destination: '10.99.0.1', routable: 'yes', outside: 'no' } as const;
    expect(healthOf('left-the-cluster', asked)).toBe('dead');
  });

  test('a hostNetwork pod’s address is the node’s', () => {
    expect(healthOf('left-the-cluster', { source: '10.78.0.11', destination: OUTSIDE, routable: 'no' })).toBe('passed');
  });

  test('the reply to a client outside leaves by design', () => {
    expect(healthOf('left-the-cluster', { source: CLIENT, destination: OUTSIDE, leg: 'reply-0' })).toBe('passed');
  });

  test.each([
    ['pods not read', [NODES, SERVICES]],
    ['nodes not read', [PODS, SERVICES]],
    ['Services not read', [PODS, NODES]],
    ['a part of the pods', [[PODS[0], CLUSTER, {}, PODS[3], { complete: false }] as FakeFact, NODES, SERVICES]],
  ])('%s: it could not be told whether it should have left', (_, facts) => {
    const snapshot = fakeSnapshot({ facts });
    expect(healthOf('left-the-cluster', { source: '10.78.0.11', destination: '10.244.9.9', snapshot })).toBe('unknown');
  });
});
