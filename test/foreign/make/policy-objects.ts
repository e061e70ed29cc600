/** Pods on two nodes, and NetworkPolicies of every form about the two that scene.sh makes. */
import { objects as clusterObjects } from './kube-objects.ts';

type Json = Readonly<Record<string, unknown>>;

const PODS = [
  ['web', 'demo', 'w1', '10.244.0.10', 'fd44::10'],
  ['client', 'demo', 'w1', '10.244.0.4', 'fd44::4'],
  ['web', 'demo', 'w2', '10.244.1.10', 'fd44:0:0:1::10'],
  ['friend', 'other', 'w2', '10.244.1.11', 'fd44:0:0:1::11'],
] as const;

const selects = (app: string): Json => ({ podSelector: { matchLabels: { app } } });

const POLICIES: readonly (readonly [string, Json])[] = [
  [
    'web-ingress',
    {
      ...selects('web'),
      policyTypes: ['Ingress'],
      ingress: [
        { from: [selects('client')], ports: [{ protocol: 'TCP', port: 8080 }] },
        {
          from: [
            { ipBlock: { cidr: '10.80.0.0/24', except: ['10.80.0.99/32'] } },
            { ipBlock: { cidr: 'fd80::/64', except: ['fd80::99/128'] } },
          ],
          ports: [{ protocol: 'TCP', port: 9090 }],
        },
        {
          from: [{ namespaceSelector: { matchLabels: { team: 'other' } }, ...selects('friend') }],
          ports: [
            { protocol: 'TCP', port: 7000, endPort: 7010 },
            { protocol: 'UDP', port: 'dns' },
          ],
        },
      ],
    },
  ],
  [
    'client-egress',
    {
      ...selects('client'),
      policyTypes: ['Egress'],
      egress: [
        { to: [selects('web')] },
        {
          to: [{ ipBlock: { cidr: '0.0.0.0/0', except: ['10.0.0.0/8'] } }],
          ports: [{ protocol: 'TCP', port: 443 }],
        },
        { ports: [{ protocol: 'UDP', port: 53 }] },
      ],
    },
  ],
];

export function objects(): Json[] {
  return [
    ...(clusterObjects('some') as Json[]).filter(({ kind }) => kind !== 'Namespace'),
    ...['demo', 'other'].map((name) => ({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels: { team: name, 'kubernetes.io/metadata.name': name } },
      status: { phase: 'Active' },
    })),
    ...PODS.map(([app, namespace, nodeName, four, six], index) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: `${app}-${index}`, namespace, labels: { app } },
      spec: {
        nodeName,
        containers: [
          {
            name: app,
            image: app,
            ports: [
              { name: 'http', containerPort: 8080, protocol: 'TCP' },
              { name: 'dns', containerPort: 5353, protocol: 'UDP' },
            ],
          },
        ],
      },
      status: {
        phase: 'Running',
        podIP: four,
        podIPs: [{ ip: four }, { ip: six }],
        hostIP: nodeName === 'w1' ? '10.80.0.11' : '10.80.0.12',
        hostIPs: [{ ip: nodeName === 'w1' ? '10.80.0.11' : '10.80.0.12' }],
        conditions: [{ type: 'Ready', status: 'True' }],
      },
    })),
    ...POLICIES.map(([name, spec]) => ({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name, namespace: 'demo' },
      spec,
    })),
  ];
}
