import type {
  EndpointSlice,
  Namespace,
  Node,
  Pod,
  Service,
  ServicePort,
  Workload,
} from '../../src/snapshot/objects.ts';
import { type GivenFact, given } from './given-facts.ts';

/** A small cluster as API objects, for tests: two nodes, namespaces shop, other, kube-system, default. */
export function aPod(namespace: string, name: string, ip: string | undefined, more: PodMore = {}): Pod {
  const ready = more.ready ?? ip !== undefined;
  return {
    metadata: {
      namespace,
      name,
      uid: `uid-${name}`,
      labels: { app: name.split('-')[0]!, ...more.labels },
      ...(more.annotations === undefined ? {} : { annotations: more.annotations }),
      ...(more.owner === undefined
        ? {}
        : { ownerReferences: [{ kind: more.owner[0], name: more.owner[1], uid: 'o', controller: true }] }),
      ...(more.terminating ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}),
    },
    spec: {
      ...(more.node === null ? {} : { nodeName: more.node ?? 'w1' }),
      ...(more.hostNetwork ? { hostNetwork: true } : {}),
      ...(more.runtimeClassName === undefined ? {} : { runtimeClassName: more.runtimeClassName }),
      containers: more.containers ?? [{ name: 'app', image: 'app:1', ports: more.ports ?? [] }],
      ...(more.initContainers === undefined ? {} : { initContainers: more.initContainers }),
    },
    status: {
      phase: more.phase ?? (ip === undefined ? 'Pending' : 'Running'),
      ...(ip === undefined ? {} : { podIP: ip, podIPs: [{ ip }, ...(more.ip6 ? [{ ip: more.ip6 }] : [])] }),
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
    },
  };
}

export interface PodMore {
  readonly node?: string | null;
  readonly phase?: string;
  readonly ready?: boolean;
  readonly terminating?: boolean;
  readonly hostNetwork?: boolean;
  readonly ip6?: string;
  readonly owner?: readonly [kind: string, name: string];
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ports?: Pod['spec']['containers'][number]['ports'];
  readonly containers?: Pod['spec']['containers'];
  readonly initContainers?: Pod['spec']['containers'];
  readonly runtimeClassName?: string;
}

export function aService(
  namespace: string,
  name: string,
  clusterIP: string | undefined,
  ports: readonly ServicePort[],
  more: Partial<Service['spec']> = {},
): Service {
  return {
    metadata: { namespace, name },
    spec: {
      type: 'ClusterIP',
      ...(clusterIP === undefined ? {} : { clusterIP, clusterIPs: [clusterIP] }),
      ports,
      selector: { app: name },
      ...more,
    },
  };
}

export function aSlice(
  namespace: string,
  service: string,
  ports: EndpointSlice['ports'],
  endpoints: NonNullable<EndpointSlice['endpoints']>,
): EndpointSlice {
  return {
    metadata: { namespace, name: `${service}-abcde`, labels: { 'kubernetes.io/service-name': service } },
    addressType: endpoints[0]?.addresses[0]?.includes(':') ? 'IPv6' : 'IPv4',
    ports: ports ?? [],
    endpoints,
  };
}

export function aNode(
  name: string,
  address: string,
  more: Partial<Node['metadata']> & { version?: string } = {},
): Node {
  const { version, ...metadata } = more;
  return {
    metadata: { name, ...metadata },
    spec: { podCIDR: `10.244.${name.slice(1)}.0/24`, podCIDRs: [`10.244.${name.slice(1)}.0/24`] },
    status: {
      addresses: [
        { type: 'InternalIP', address },
        { type: 'Hostname', address: name },
      ],
      nodeInfo: { kubeletVersion: version ?? 'v1.34.4' },
    },
  };
}

export function aWorkload(kind: string, namespace: string, name: string, replicas?: number): Workload {
  return { kind, metadata: { namespace, name }, spec: replicas === undefined ? {} : { replicas } };
}

const web = { owner: ['ReplicaSet', 'web-7d9'] as const, labels: { 'pod-template-hash': '7d9' } };

export const SHOP_PODS: readonly Pod[] = [
  aPod('shop', 'web-7d9-a', '10.244.1.5', {
    ...web,
    ready: false,
    ports: [{ name: 'http', containerPort: 8080 }],
  }),
  aPod('shop', 'web-7d9-b', '10.244.2.6', { ...web, node: 'w2', ports: [{ name: 'http', containerPort: 8080 }] }),
  aPod('shop', 'web-7d9-c', '10.244.1.7', { ...web, ports: [{ name: 'http', containerPort: 8080 }] }),
  aPod('shop', 'db-0', '10.244.2.9', { owner: ['StatefulSet', 'db'], node: 'w2' }),
  aPod('shop', 'waiting', undefined, { node: null }),
  aPod('shop', 'done-x', '10.244.1.5', { owner: ['Job', 'done'], phase: 'Succeeded', ready: false }),
  aPod('shop', 'dual', '10.244.1.20', { ip6: 'fd00:10:244:1::20' }),
  aPod('shop', 'net', '10.0.0.11', { hostNetwork: true }),
  aPod('other', 'web-1', '10.244.2.30', { node: 'w2' }),
  aPod('kube-system', 'coredns-1', '10.244.1.2', {
    ports: [
      { name: 'dns', containerPort: 53, protocol: 'UDP' },
      { name: 'dns-tcp', containerPort: 53, protocol: 'TCP' },
    ],
  }),
];

export const SHOP_SERVICES: readonly Service[] = [
  aService('shop', 'api', '10.96.0.20', [{ name: 'http', port: 80, targetPort: 8080, protocol: 'TCP' }]),
  aService('shop', 'multi', '10.96.0.21', [
    { name: 'stats', port: 8125, protocol: 'UDP' },
    { name: 'http', port: 80, protocol: 'TCP' },
    { name: 'grpc', port: 9000, protocol: 'TCP' },
  ]),
  aService('shop', 'db', undefined, [{ name: 'sql', port: 5432 }], { clusterIP: 'None', clusterIPs: ['None'] }),
  aService('shop', 'out', undefined, [], { type: 'ExternalName', externalName: 'storage.example.com' }),
  aService('shop', 'front', '10.96.0.22', [{ name: 'http', port: 80, targetPort: 'http', nodePort: 30080 }], {
    type: 'LoadBalancer',
    externalIPs: ['192.0.2.50'],
  }),
  aService('kube-system', 'kube-dns', '10.96.0.10', [
    { name: 'dns', port: 53, protocol: 'UDP', targetPort: 53 },
    { name: 'dns-tcp', port: 53, protocol: 'TCP', targetPort: 53 },
  ]),
];

export const SHOP_SLICES: readonly EndpointSlice[] = [
  aSlice(
    'shop',
    'api',
    [{ name: 'http', port: 8080, protocol: 'TCP' }],
    [
      { addresses: ['10.244.2.6'], nodeName: 'w2', conditions: { ready: true } },
      { addresses: ['10.244.1.7'], nodeName: 'w1', conditions: { ready: true } },
      { addresses: ['10.244.1.5'], nodeName: 'w1', conditions: { ready: false, serving: false } },
    ],
  ),
  aSlice(
    'shop',
    'db',
    [{ name: 'sql', port: 5432, protocol: 'TCP' }],
    [{ addresses: ['10.244.2.9'], nodeName: 'w2', conditions: { ready: true } }],
  ),
  aSlice(
    'kube-system',
    'kube-dns',
    [
      { name: 'dns', port: 53, protocol: 'UDP' },
      { name: 'dns-tcp', port: 53, protocol: 'TCP' },
    ],
    [{ addresses: ['10.244.1.2'], nodeName: 'w1', conditions: { ready: true } }],
  ),
];

const NAMESPACES: readonly Namespace[] = ['default', 'kube-system', 'shop', 'other'].map((name) => ({
  metadata: { name },
}));

export const SHOP_NODES: readonly Node[] = [aNode('w1', '10.0.0.11'), aNode('w2', '10.0.0.12')];

export const SHOP: readonly GivenFact[] = [
  given('api.pods', SHOP_PODS),
  given('api.services', SHOP_SERVICES),
  given('api.endpointslices', SHOP_SLICES),
  given('api.nodes', SHOP_NODES),
  given('api.namespaces', NAMESPACES),
  given('api.deployments', [aWorkload('Deployment', 'shop', 'web', 3), aWorkload('Deployment', 'shop', 'idle', 0)]),
  given('api.daemonsets', []),
];
