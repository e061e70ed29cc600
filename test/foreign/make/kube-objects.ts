/** A node, its pods and Services of every kind, as an API server would list them. Addresses as in scene.sh. */

type Json = Readonly<Record<string, unknown>>;
type Family = 4 | 6;
type Protocol = 'TCP' | 'UDP' | 'SCTP';

interface Port {
  readonly name: string;
  readonly port: number;
  readonly protocol?: Protocol;
  readonly target?: number;
  readonly nodePort?: number;
}

interface Endpoint {
  /** The last part of the address: 10.244.0.N and fd44::N on w1, 10.244.1.N and fd44:0:0:1::N on w2. */
  readonly node: 'w1' | 'w2';
  readonly number: number;
  readonly conditions?: { readonly ready: boolean; readonly serving: boolean; readonly terminating: boolean };
  readonly zones?: readonly string[];
}

interface ServiceSketch {
  readonly name: string;
  readonly number: number;
  readonly ports?: readonly Port[];
  readonly endpoints?: readonly Endpoint[];
  readonly spec?: Json;
  readonly ingress?: readonly Json[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly headless?: boolean;
}

const HTTP: Port = { name: 'http', port: 80, target: 8080 };
const LOCAL: Endpoint = { node: 'w1', number: 10 };
const REMOTE: Endpoint = { node: 'w2', number: 10 };
const TERMINATING = { ready: false, serving: true, terminating: true };
const NOT_READY = { ready: false, serving: false, terminating: false };
const BOTH: readonly Endpoint[] = [LOCAL, REMOTE];

const http = (nodePort: number): readonly Port[] => [{ ...HTTP, nodePort }];

export const SERVICES: readonly ServiceSketch[] = [
  { name: 'cluster', number: 1, endpoints: BOTH },
  {
    name: 'several-ports',
    number: 2,
    endpoints: BOTH,
    ports: [
      HTTP,
      { name: 'dns', port: 53, protocol: 'UDP', target: 5353 },
      { name: 'diameter', port: 3868, protocol: 'SCTP', target: 3868 },
    ],
  },
  { name: 'three', number: 3, endpoints: [...BOTH, { node: 'w2', number: 11 }] },
  { name: 'node-port', number: 4, endpoints: BOTH, ports: http(30080), spec: { type: 'NodePort' } },
  {
    name: 'node-port-local',
    number: 5,
    endpoints: BOTH,
    ports: http(30081),
    spec: { type: 'NodePort', externalTrafficPolicy: 'Local' },
  },
  {
    name: 'node-port-local-none',
    number: 6,
    endpoints: [REMOTE],
    ports: http(30082),
    spec: { type: 'NodePort', externalTrafficPolicy: 'Local' },
  },
  {
    name: 'balancer',
    number: 7,
    endpoints: BOTH,
    ports: http(30083),
    spec: { type: 'LoadBalancer', loadBalancerSourceRanges: ['203.0.113.0/24', 'fd03::/64', '10.80.0.1/32'] },
    ingress: [
      { ip: '198.51.100.10', ipMode: 'VIP' },
      { ip: 'fd98::10', ipMode: 'VIP' },
    ],
  },
  {
    name: 'balancer-local',
    number: 8,
    endpoints: BOTH,
    ports: http(30084),
    spec: { type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: 32000 },
    ingress: [
      { ip: '198.51.100.11', ipMode: 'VIP' },
      { ip: 'fd98::11', ipMode: 'VIP' },
    ],
  },
  {
    name: 'balancer-proxy',
    number: 9,
    endpoints: BOTH,
    spec: { type: 'LoadBalancer', allocateLoadBalancerNodePorts: false },
    ingress: [{ ip: '198.51.100.12', ipMode: 'Proxy' }],
  },
  { name: 'external-ip', number: 10, endpoints: BOTH, spec: { externalIPs: ['192.0.2.77', 'fd92::77'] } },
  { name: 'internal-local', number: 11, endpoints: BOTH, spec: { internalTrafficPolicy: 'Local' } },
  { name: 'internal-local-none', number: 12, endpoints: [REMOTE], spec: { internalTrafficPolicy: 'Local' } },
  {
    name: 'affinity',
    number: 13,
    endpoints: BOTH,
    spec: { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 600 } } },
  },
  {
    name: 'headless',
    number: 14,
    endpoints: BOTH,
    headless: true,
    labels: { 'service.kubernetes.io/headless': '' },
  },
  {
    name: 'nobody',
    number: 15,
    ports: http(30085),
    spec: { type: 'LoadBalancer', externalIPs: ['192.0.2.78'] },
    ingress: [{ ip: '198.51.100.13', ipMode: 'VIP' }],
  },
  {
    name: 'not-ready',
    number: 16,
    endpoints: [{ ...LOCAL, conditions: NOT_READY }],
  },
  {
    name: 'terminating',
    number: 17,
    endpoints: [
      { ...LOCAL, conditions: TERMINATING },
      { ...REMOTE, conditions: TERMINATING },
    ],
  },
  { name: 'one-terminating', number: 18, endpoints: [{ ...LOCAL, conditions: TERMINATING }, REMOTE] },
  {
    name: 'hints',
    number: 19,
    endpoints: [
      { ...LOCAL, zones: ['zone-a'] },
      { ...REMOTE, zones: ['zone-b'] },
    ],
    spec: { trafficDistribution: 'PreferClose' },
  },
];

/** Few of them, where only an option of the program is to be seen. */
const SOME = new Set(['cluster', 'node-port', 'node-port-local', 'balancer']);

/** `all`, `some`; of IPv4 alone with `-4` behind it. */
export function objects(variant = 'all'): Json[] {
  const sketches = variant.startsWith('some') ? SERVICES.filter(({ name }) => SOME.has(name)) : SERVICES;
  const families: readonly Family[] = variant.endsWith('-4') ? [4] : [4, 6];
  return [
    node('w1', 0, families),
    node('w2', 1, families),
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'demo' } },
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'ServiceCIDR',
      metadata: { name: 'kubernetes' },
      spec: { cidrs: families.map((family) => (family === 4 ? '10.96.0.0/16' : 'fd96::/112')) },
      status: { conditions: [{ type: 'Ready', status: 'True' }] },
    },
    ...sketches.map((sketch) => service(sketch, families)),
    ...sketches.filter(({ headless }) => !headless).flatMap((sketch) => families.map((one) => slice(sketch, one))),
  ];
}

function node(name: string, number: number, families: readonly Family[]): Json {
  const cidrs = [`10.244.${number}.0/24`, number === 0 ? 'fd44::/64' : `fd44:0:0:${number}::/64`];
  const addresses = [`10.80.0.1${number + 1}`, `fd80::1${number + 1}`];
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      labels: {
        'kubernetes.io/hostname': name,
        'topology.kubernetes.io/zone': number === 0 ? 'zone-a' : 'zone-b',
      },
      annotations: {},
    },
    spec: { podCIDR: cidrs[0], podCIDRs: cidrs.slice(0, families.length) },
    status: {
      addresses: [
        ...addresses.slice(0, families.length).map((address) => ({ type: 'InternalIP', address })),
        { type: 'Hostname', address: name },
      ],
      conditions: [{ type: 'Ready', status: 'True' }],
    },
  };
}

function service(sketch: ServiceSketch, families: readonly Family[]): Json {
  const { name, number, spec = {}, ingress, labels, headless, ports = [HTTP] } = sketch;
  const clusterIPs = headless ? ['None'] : [`10.96.0.${number}`, `fd96::${number}`].slice(0, families.length);
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'demo', ...(labels ? { labels } : {}) },
    spec: {
      type: 'ClusterIP',
      clusterIP: clusterIPs[0],
      clusterIPs,
      ipFamilies: families.map((family) => `IPv${family}`),
      ipFamilyPolicy: families.length === 1 ? 'SingleStack' : 'PreferDualStack',
      internalTrafficPolicy: 'Cluster',
      sessionAffinity: 'None',
      ...('type' in spec ? { externalTrafficPolicy: 'Cluster' } : {}),
      ...spec,
      ports: ports.map(({ name, port, protocol = 'TCP', target = port, nodePort }) => ({
        name,
        port,
        protocol,
        targetPort: target,
        ...(nodePort === undefined ? {} : { nodePort }),
      })),
    },
    status: { loadBalancer: ingress ? { ingress } : {} },
  };
}

function slice({ name, ports = [HTTP], endpoints = [] }: ServiceSketch, family: Family): Json {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${name}-${family}`, namespace: 'demo', labels: { 'kubernetes.io/service-name': name } },
    addressType: family === 4 ? 'IPv4' : 'IPv6',
    ports: ports.map(({ name, port, protocol = 'TCP', target = port }) => ({ name, protocol, port: target })),
    endpoints: endpoints.map(({ node, number, conditions, zones }) => ({
      addresses: [addressOf(node, number, family)],
      nodeName: node,
      zone: node === 'w1' ? 'zone-a' : 'zone-b',
      conditions: conditions ?? { ready: true, serving: true, terminating: false },
      ...(zones ? { hints: { forZones: zones.map((name) => ({ name })) } } : {}),
    })),
  };
}

function addressOf(node: 'w1' | 'w2', number: number, family: Family): string {
  if (family === 4) return `10.244.${node === 'w1' ? 0 : 1}.${number}`;
  return node === 'w1' ? `fd44::${number}` : `fd44:0:0:1::${number}`;
}
