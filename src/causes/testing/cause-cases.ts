/** Objects for causes' tests: a Service `shop/api`, its pods and slices, as the API writes them. Test helper. */
import type { Finding } from '../../diagnose/cause.ts';
import { step } from '../../diagnose/testing/build-case.ts';
import type { Socket } from '../../parse/ss.ts';
import type { Step } from '../../simulate/trace.ts';
import type { EndpointSlice, Node, Pod, Service } from '../../snapshot/objects.ts';

export const CLUSTER_IP = '10.96.12.34';
export const DNS_IP = '10.96.0.10';

export function service(
  spec: Partial<Service['spec']> = {},
  name = 'api',
  namespace = 'shop',
  labels: Readonly<Record<string, string>> = {},
): Service {
  return {
    metadata: { name, namespace, labels },
    spec: {
      type: 'ClusterIP',
      clusterIP: CLUSTER_IP,
      clusterIPs: [CLUSTER_IP],
      selector: { app: 'api' },
      ports: [{ name: 'http', port: 80, targetPort: 8080, protocol: 'TCP' }],
      ...spec,
    },
  };
}

export function dnsService(): Service {
  return service(
    {
      clusterIP: DNS_IP,
      clusterIPs: [DNS_IP],
      selector: { 'k8s-app': 'kube-dns' },
      ports: [{ name: 'dns', port: 53, targetPort: 53, protocol: 'UDP' }],
    },
    'kube-dns',
    'kube-system',
    { 'k8s-app': 'kube-dns' },
  );
}

export function pod(
  name: string,
  more: {
    readonly labels?: Readonly<Record<string, string>>;
    readonly ready?: boolean;
    readonly node?: string;
    readonly ip?: string;
    readonly namespace?: string;
    readonly spec?: Partial<Pod['spec']>;
    readonly status?: Partial<Pod['status']>;
  } = {},
): Pod {
  const ready = more.ready ?? true;
  const ip = more.ip ?? '10.244.2.7';
  return {
    metadata: { name, namespace: more.namespace ?? 'shop', uid: `uid-${name}`, labels: more.labels ?? { app: 'api' } },
    spec: {
      nodeName: more.node ?? 'w2',
      containers: [
        {
          name: 'app',
          ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }],
          readinessProbe: { httpGet: { path: '/ready', port: 8080 } },
        },
      ],
      ...more.spec,
    },
    status: {
      phase: 'Running',
      podIP: ip,
      podIPs: [{ ip }],
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
      containerStatuses: [{ name: 'app', ready, state: { running: {} } }],
      ...more.status,
    },
  };
}

export function slice(
  endpoints: readonly { readonly ip: string; readonly ready?: boolean; readonly node?: string }[],
  of: Service = service(),
  port = 8080,
): EndpointSlice {
  const [first] = of.spec.ports ?? [];
  return {
    metadata: {
      name: `${of.metadata.name}-x`,
      namespace: of.metadata.namespace ?? 'shop',
      labels: { 'kubernetes.io/service-name': of.metadata.name },
    },
    addressType: 'IPv4',
    ports: [{ ...(first?.name !== undefined && { name: first.name }), port, protocol: first?.protocol ?? 'TCP' }],
    endpoints: endpoints.map((one) => ({
      addresses: [one.ip],
      conditions: { ready: one.ready ?? true, serving: one.ready ?? true, terminating: false },
      nodeName: one.node ?? 'w2',
    })),
  };
}

export function node(name: string, number: number, annotations: Readonly<Record<string, string>> = {}): Node {
  return {
    metadata: { name, annotations },
    spec: { podCIDR: `10.244.${number}.0/24`, podCIDRs: [`10.244.${number}.0/24`] },
    status: {
      addresses: [{ type: 'InternalIP', address: `10.77.0.1${number}` }],
      conditions: [{ type: 'Ready', status: 'True' }],
    },
  };
}

/** flannel's annotations of a node with the VXLAN back end. */
export function flannelAnnotations(number: number, mac: string): Record<string, string> {
  return {
    'flannel.alpha.coreos.com/backend-type': 'vxlan',
    'flannel.alpha.coreos.com/backend-data': JSON.stringify({ VNI: 1, VtepMAC: mac }),
    'flannel.alpha.coreos.com/public-ip': `10.77.0.1${number}`,
  };
}

export function socket(port: number, address?: string, protocol: Socket['protocol'] = 'tcp'): Socket {
  return {
    protocol,
    state: protocol === 'tcp' ? 'LISTEN' : 'UNCONN',
    ...(address !== undefined && { address }),
    port,
    receiveQueue: 0,
    sendQueue: 128,
    processes: [{ name: 'app', pid: 42 }],
    text: `tcp LISTEN 0 128 ${address ?? '*'}:${port} *:*`,
  };
}

/** The end of kube-proxy's "has no endpoints" rule (pkg/proxy/iptables). */
export function rejected(): Step {
  const ruleText = `-A KUBE-EXTERNAL-SERVICES -d ${CLUSTER_IP}/32 -p tcp -m tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable`;
  return step({
    kind: 'rule',
    at: 'output filter-nft KUBE-SERVICES#1',
    values: {
      backend: 'iptables-nft',
      table: 'filter',
      chain: 'KUBE-SERVICES',
      ruleNumber: 1,
      ruleText,
      verdict: 'reject',
    },
    text: ruleText,
  });
}

export function presentOf(finding: Finding): Extract<Finding, { is: 'present' }> {
  if (finding.is === 'present') return finding;
  throw new Error(`it is ${finding.is}: ${JSON.stringify(finding)}`);
}

export function statements(finding: Finding): string {
  return presentOf(finding)
    .evidence.map((evidence) => evidence.statement)
    .join('\n');
}
