import { expect, test } from 'vitest';
import { checkWith, probe } from '../../diagnose/testing/build-case.ts';
import { CLUSTER } from '../../net/place.ts';
import { presentOf, statements } from '../testing/cause-cases.ts';
import {
  diagnosisOf,
  namedOn,
  type RecordedInput,
  recordedCase,
  VXLAN_MAC,
  W1,
  W1_IP,
  W2,
  WEB_IP,
} from '../testing/recorded-case.ts';
import {
  addFdb,
  addNeighbour,
  addRoute,
  cut,
  editJson,
  editObjects,
  insertRule,
  removeFdb,
  removeRoute,
  setLink,
  sysctl,
} from '../testing/recorded-faults.ts';
import { podCidrRouteMissing } from './pod-cidr-route-missing.ts';

const ROUTE = '10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink';
const gone = removeRoute(W1, '10.244.1.0/24 via 10.244.1.0 dev flannel.1');
const goneBack = removeRoute(W2, '10.244.0.0/24 via 10.244.0.0 dev flannel.1');
const probes = { main: probe('no', 'timed-out') };

test('present: the packet to the other node’s pod takes the default route, and flannel’s route mends it', () => {
  const given = recordedCase({ changes: [gone], probes });
  const finding = checkWith(podCidrRouteMissing, given, W1);
  expect(presentOf(finding).claims).toEqual([{ flow: 'main', leg: 'forward', segment: 0 }]);
  expect(presentOf(finding).place).toEqual({ ...W1, object: 'route to 10.244.1.0/24' });
  expect(presentOf(finding).change).toEqual([
    { op: 'route', place: W1, act: 'add', line: ROUTE, text: `ip route add ${ROUTE}` },
  ]);
  expect(presentOf(finding).evidence.map((one) => one.plane)).toEqual(['walk', 'state', 'probe']);
  expect(statements(finding)).toContain(
    'w1 has no route to 10.244.1.0/24 (pods of w2); the packet takes “default via 10.79.0.1 dev eth0',
  );
  expect(statements(finding)).toContain(`${WEB_IP} is in 10.244.1.0/24, the pod CIDR of w2`);
  expect(namedOn(given)).toEqual(['pod-cidr-route-missing']);
});

test('present: the way back', () => {
  const given = recordedCase({ changes: [goneBack], probes });
  const finding = checkWith(podCidrRouteMissing, given, W2);
  expect(presentOf(finding).claims).toEqual([{ flow: 'main', leg: 'reply-0', segment: 0 }]);
  expect(statements(finding)).toContain('w2 has no route to 10.244.0.0/24 (pods of w1)');
  expect(namedOn(given)).toEqual(['pod-cidr-route-missing']);
});

test('present: strict reverse path filtering drops the packet for want of that route, as its consequence', () => {
  const strict = sysctl(W2, 'net.ipv4.conf.all.rp_filter', '1');
  const given = recordedCase({ changes: [goneBack, strict], probes });
  expect(statements(checkWith(podCidrRouteMissing, given, W2))).toContain('an answer would take “default via');
  expect(namedOn(given)).toEqual(['pod-cidr-route-missing > rp-filter-drop']);
});

test('present: no route at all, not even a default one', () => {
  const given = recordedCase({ changes: [gone, removeRoute(W1, 'default via 10.79.0.1 dev eth0')], probes });
  expect(presentOf(checkWith(podCidrRouteMissing, given, W1)).claims).toHaveLength(1);
});

test('present: somebody else’s wider route takes the packet instead', () => {
  const given = recordedCase({ changes: [gone, addRoute(W1, '10.0.0.0/8 via 10.79.0.1 dev eth0')], probes });
  expect(statements(checkWith(podCidrRouteMissing, given, W1))).toContain('the packet takes “10.0.0.0/8 via 10.79.0.1');
  expect(namedOn(given)).toEqual(['pod-cidr-route-missing']);
});

/** The same cluster with flannel's host-gw back end: each node routes to the other one's own address. */
const hostGateway: RecordedInput = {
  edits: [
    editObjects('api.nodes', CLUSTER, (node) => {
      const text = JSON.stringify(node).replace(
        '"flannel.alpha.coreos.com/backend-type":"vxlan"',
        '"flannel.alpha.coreos.com/backend-type":"host-gw"',
      );
      return JSON.parse(text) as object;
    }),
  ],
  changes: [
    addRoute(W1, '10.244.1.0/24 via 10.79.0.12 dev eth0'),
    addRoute(W2, '10.244.0.0/24 via 10.79.0.11 dev eth0'),
  ],
};

test('present: host-gw: no router is told of pods, so that the default route leads nowhere', () => {
  const changes = [...hostGateway.changes!, removeRoute(W1, '10.244.1.0/24 via 10.79.0.12 dev eth0')];
  const given = recordedCase({ ...hostGateway, changes, probes });
  expect(given.gate.podAddressesRoutable).toBe('no');
  expect(given.flows[0]!.dead.map((leaf) => leaf.end.end)).toEqual(['left-the-cluster']);
  const finding = checkWith(podCidrRouteMissing, given, W1);
  expect(presentOf(finding).claims).toHaveLength(1);
  expect(presentOf(finding).change?.map((change) => 'line' in change && change.line)).toEqual([
    '10.244.1.0/24 via 10.79.0.12 dev eth0',
  ]);
  expect(namedOn(given)).toEqual(['pod-cidr-route-missing']);
  expect(diagnosisOf(given).causes[0]!.confidence).toBe('proven');
  // It works by the router's grace: not a word.
  expect(namedOn(recordedCase({ ...hostGateway, changes, probes: { main: probe('yes', 'connected') } }))).toEqual([]);
});

test('near miss: host-gw with its routes, and nothing is heard', () => {
  const given = recordedCase({ ...hostGateway, probes });
  expect(checkWith(podCidrRouteMissing, given, W1).is).toBe('absent');
  expect(namedOn(given)).toEqual([]);
});

test('absent: the routes are there', () => {
  expect(checkWith(podCidrRouteMissing, recordedCase(), W1).is).toBe('absent');
});

test('near miss: the network routes pod addresses itself (a VPC CNI), and a rule drops the packet', () => {
  const given = recordedCase({
    changes: [gone, insertRule(W1, '-A FORWARD -d 10.244.1.0/24 -j DROP')],
    gate: { podAddressesRoutable: 'yes', parts: [] },
    probes,
  });
  expect(checkWith(podCidrRouteMissing, given, W1).is).toBe('absent');
});

test.each(['no', 'unknown'] as const)(
  'near miss: a rule drops the packet on its default route (pod addresses routable: %s)',
  (podAddressesRoutable) => {
    const given = recordedCase({
      changes: [gone, insertRule(W1, '-A FORWARD -d 10.244.1.0/24 -j DROP')],
      gate: { podAddressesRoutable, parts: [] },
      probes,
    });
    expect(checkWith(podCidrRouteMissing, given, W1).is).toBe('absent');
  },
);

test('near miss: the outer packet takes the default route, since the tunnel’s entry is wrong', () => {
  const changes = [
    removeFdb(W1, `${VXLAN_MAC.w2} dev flannel.1`),
    addFdb(W1, `${VXLAN_MAC.w2} dev flannel.1 dst 192.0.2.99 self permanent`),
  ];
  const given = recordedCase({ changes, probes });
  const lost = { ...given, flows: given.flows.map((flow) => ({ ...flow, dead: flow.leaves })) };
  expect(checkWith(podCidrRouteMissing, lost, W1).is).toBe('absent');
});

test('near miss: the node’s NIC is down, and the outer packet has no route', () => {
  const given = recordedCase({ changes: [setLink(W1, 'eth0', { up: false })], probes });
  expect(checkWith(podCidrRouteMissing, given, W1).is).toBe('absent');
});

test('near miss: the tunnel device is down, and its routes went with it', () => {
  const given = recordedCase({ changes: [setLink(W1, 'flannel.1', { up: false })], probes });
  expect(checkWith(podCidrRouteMissing, given, W1)).toMatchObject({
    is: 'absent',
    because: expect.stringContaining('the tunnel device of w1 is down'),
  });
});

test('near miss: a routing rule sends the pods’ packets to another table; the route is there', () => {
  const rule = { priority: 30200, src: '10.244.0.0', srclen: 16, table: '100', protocol: '3' };
  const other = {
    type: '1',
    dst: 'default',
    gateway: '10.79.0.1',
    dev: 'eth0',
    table: '100',
    protocol: '3',
    flags: [],
  };
  const given = recordedCase({
    edits: [
      editJson('rules', W1, (rules) => [rules[0]!, rule, ...rules.slice(1)]),
      editJson('routes', W1, (routes) => [...routes, other]),
    ],
    probes,
  });
  expect(given.flows[0]!.dead[0]?.end.end).toBe('left-the-cluster');
  expect(checkWith(podCidrRouteMissing, given, W1)).toMatchObject({
    is: 'absent',
    because: expect.stringContaining('which was not taken'),
  });
});

test('near miss: the pod’s address lies outside its node’s pod CIDR, to which flannel’s routes lead', () => {
  const moved = editObjects('api.nodes', CLUSTER, (node) => {
    const { metadata, spec } = node as { metadata: { name: string }; spec: object };
    return metadata.name === 'w2'
      ? { ...node, spec: { ...spec, podCIDR: '10.244.9.0/24', podCIDRs: ['10.244.9.0/24'] } }
      : node;
  });
  const given = recordedCase({ changes: [gone], edits: [moved], probes });
  expect(checkWith(podCidrRouteMissing, given, W1)).toMatchObject({
    is: 'absent',
    because: expect.stringContaining('is in no pod CIDR of w2'),
  });
});

test('near miss: a wrong permanent neighbour entry of the other node', () => {
  const given = recordedCase({
    changes: [addNeighbour(W1, '10.79.0.12 dev eth0 lladdr 02:00:5e:00:53:02 PERMANENT')],
    probes,
  });
  expect(checkWith(podCidrRouteMissing, given, W1).is).toBe('absent');
});

test('near miss: from outside to a NodePort, the way back leaves by the default route and should', () => {
  const asks = [
    {
      from: { outside: '192.0.2.9' },
      source: '192.0.2.9',
      to: W1_IP,
      l4: { protocol: 'tcp', sourcePort: 'ephemeral', destinationPort: 30080, flags: ['syn'] },
    },
  ] as const;
  expect(checkWith(podCidrRouteMissing, recordedCase({ asks }), W1).is).toBe('absent');
});

test('unknown: whether the network carries pod addresses is not known, so that the default route may be right', () => {
  const given = recordedCase({ changes: [gone], gate: { podAddressesRoutable: 'unknown', parts: [] }, probes });
  expect(checkWith(podCidrRouteMissing, given, W1)).toMatchObject({
    is: 'unknown',
    because: expect.stringContaining('whether the network behind 10.79.0.1 carries'),
  });
});

test('unknown: the routes were cut', () => {
  const given = recordedCase({
    edits: [
      editJson('routes', W1, (routes) => routes.filter((one) => one['dst'] !== '10.244.1.0/24')),
      cut('routes', W1),
    ],
    probes,
  });
  expect(checkWith(podCidrRouteMissing, given, W1).is).toBe('unknown');
});
