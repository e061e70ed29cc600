/** The whole shelf of causes on each fault: one name, the right one, and none where nothing is wrong or nothing is known. */
import { describe, expect, test } from 'vitest';
import { probe } from '../../diagnose/testing/build-case.ts';
import { CLUSTER } from '../../net/place.ts';
import { tcpSyn } from '../../simulate/testing/build-hook-input.ts';
import type { Edit } from '../../simulate/testing/recording.ts';
import type { Endpoint } from '../../target/question.ts';
import {
  CLIENT,
  CLIENT_VETH,
  diagnosisOf,
  namedOn,
  OUTSIDE_IP,
  outsideEnd,
  PING,
  type RecordedInput,
  recordedCase,
  SERVICE_IP,
  VXLAN_MAC,
  W1,
  W2,
  W2_IP,
  WEB,
  WEB_VETH,
} from './recorded-case.ts';
import {
  addFdb,
  addNeighbour,
  addRoute,
  editJson,
  filterPolicy,
  insertRule,
  removeFdb,
  removeNeighbour,
  removeRoute,
  removeRules,
  setLink,
  sysctl,
} from './recorded-faults.ts';

const toService: Endpoint = {
  kind: 'service',
  namespace: 'demo',
  name: 'web',
  type: 'ClusterIP',
  addresses: [SERVICE_IP],
  headless: false,
  port: { name: 'http', port: 80, targetPort: 8080, protocol: 'TCP' },
};
const service: RecordedInput = {
  asks: [{ to: SERVICE_IP, l4: tcpSyn(80) }],
  question: { destination: toService, port: 80 },
};
const outside: RecordedInput = {
  asks: [{ to: OUTSIDE_IP, l4: tcpSyn(80) }],
  question: { destination: outsideEnd(), port: 80 },
};

const routeThere = removeRoute(W1, '10.244.1.0/24 via 10.244.1.0 dev flannel.1');
const routeBack = removeRoute(W2, '10.244.0.0/24 via 10.244.0.0 dev flannel.1');
const strict = sysctl(W2, 'net.ipv4.conf.all.rp_filter', '1');
/** vxlan_stop closes the socket. */
const closedPort: Edit = ['sockets', W2, (text) => text.replace(/^udp UNCONN .*:8472 .*$/m, '')];

const FAULTS: readonly (readonly [named: string, how: string, fault: RecordedInput])[] = [
  [
    'forward-policy-drop',
    'policy, and the CNI’s accepts are gone',
    { changes: [filterPolicy(W1, 'FORWARD')], edits: [removeRules(W1, /-A FLANNEL-FWD/)] },
  ],
  [
    'forward-policy-drop',
    'at the receiver',
    { changes: [filterPolicy(W2, 'FORWARD')], edits: [removeRules(W2, /-A FLANNEL-FWD/)] },
  ],
  ['host-firewall-drop', 'in FORWARD', { changes: [insertRule(W1, '-A FORWARD -d 10.244.1.0/24 -j DROP')] }],
  ['host-firewall-drop', 'on the way back', { changes: [insertRule(W1, '-A FORWARD -s 10.244.1.0/24 -j DROP')] }],
  [
    'overlay-port-blocked',
    'at the receiver',
    { changes: [insertRule(W2, '-A INPUT -p udp -m udp --dport 8472 -j DROP')] },
  ],
  [
    'overlay-port-blocked',
    'at the sender, on the way back',
    { changes: [insertRule(W1, '-A INPUT -p udp -m udp --dport 8472 -j DROP')] },
  ],
  [
    'ip-forward-disabled',
    'as a whole',
    { changes: [sysctl(W1, 'net.ipv4.ip_forward', '0'), sysctl(W1, 'net.ipv4.conf.cni0.forwarding', '0')] },
  ],
  ['pod-cidr-route-missing', 'there', { changes: [routeThere] }],
  ['pod-cidr-route-missing', 'back', { changes: [routeBack] }],
  [
    'pod-cidr-route-missing > rp-filter-drop',
    'back, and the way there is filtered for it',
    { changes: [routeBack, strict] },
  ],
  ['pod-cidr-route-wrong', 'to another machine', { changes: [addRoute(W1, '10.244.1.0/24 via 10.79.0.254 dev eth0')] }],
  [
    'pod-cidr-route-wrong',
    'to a removed node’s tunnel',
    { changes: [addRoute(W1, '10.244.1.0/24 via 10.244.9.0 dev flannel.1 onlink')] },
  ],
  [
    'vtep-address-mismatch',
    'another MAC at the peer',
    { changes: [setLink(W2, 'flannel.1', { mac: '02:00:5e:00:53:98' })] },
  ],
  ['vtep-address-mismatch', 'no neighbour', { changes: [removeNeighbour(W1, '10.244.1.0 dev flannel.1')] }],
  [
    'vtep-address-mismatch',
    'no forwarding entry, on the way back',
    { changes: [removeFdb(W2, `${VXLAN_MAC.w1} dev flannel.1`)] },
  ],
  [
    'neighbour-unresolved',
    'a stale permanent entry',
    { changes: [addNeighbour(W1, `${W2_IP} dev eth0 lladdr 02:00:5e:00:53:02 PERMANENT`)] },
  ],
  ['link-down', 'the bridge', { changes: [setLink(W2, 'cni0', { up: false })] }],
  ['link-down', 'the sender’s tunnel', { changes: [setLink(W1, 'flannel.1', { up: false })] }],
  ['link-down', 'the receiver’s tunnel', { changes: [setLink(W2, 'flannel.1', { up: false })], edits: [closedPort] }],
  ['link-down', 'the NIC', { changes: [setLink(W1, 'eth0', { up: false })] }],
  ['rp-filter-drop', 'uneven routes', { changes: [addRoute(W1, `10.244.1.0/24 via ${W2_IP} dev eth0`), strict] }],
  ['pod-veth-broken', 'the client’s is no port', { changes: [setLink(W1, CLIENT_VETH, { master: '' })] }],
  [
    'pod-veth-broken',
    'the server’s is no port',
    {
      changes: [setLink(W2, WEB_VETH, { master: '' })],
      edits: [editJson('fdb', W2, (all) => all.filter((one) => one['ifname'] !== WEB_VETH))],
    },
  ],
  ['pod-veth-broken', 'the server’s host side is down', { changes: [setLink(W2, WEB_VETH, { up: false })] }],
  ['pod-veth-broken', 'the client’s own side is down', { changes: [setLink(CLIENT, 'eth0', { up: false })] }],
  ['egress-not-masqueraded', 'no rule', { ...outside, edits: [removeRules(W1, /-A FLANNEL-POSTRTG .*MASQUERADE/)] }],
  [
    'pod-default-route-missing',
    'gone',
    { ...service, changes: [removeRoute(CLIENT, 'default via 10.244.0.1 dev eth0')] },
  ],
  ['kube-proxy-down', 'no rules for it', { ...service, edits: [removeRules(W1, /-A KUBE-SERVICES/)] }],
  ['no-listener', 'nothing on the port', { edits: [['sockets', WEB, (text) => text.replace(/^.*:8080 .*$/m, '')]] }],
];

describe.each(FAULTS)('%s: %s', (named, _, fault) => {
  const given = recordedCase({
    ...fault,
    probes: { main: probe('no', named === 'no-listener' ? 'refused' : 'timed-out') },
  });

  test('is the only name, and undoing it mends the way', () => {
    expect(namedOn(given)).toEqual([named]);
    const { causes, unexplained } = diagnosisOf(given);
    expect(unexplained).toEqual([]);
    expect(causes[0]!.confidence).toMatch(/^(proven|observed)$/);
    expect(causes[0]!.counterfactual?.holds ?? true).toBe(true);
  });
});

describe('nothing is named', () => {
  const yes = probe('yes', 'connected');

  test.each<[string, RecordedInput]>([
    ['pod to pod', { asks: [{}, PING] }],
    ['pod to Service', service],
    ['pod to the outside', outside],
    [
      'with policies that drop what nothing sends',
      { changes: [filterPolicy(W1, 'FORWARD'), filterPolicy(W2, 'FORWARD')] },
    ],
    ['with direct routes on one side', { changes: [addRoute(W1, `10.244.1.0/24 via ${W2_IP} dev eth0`)] }],
    [
      'with a second address of the other node',
      { changes: [{ op: 'address', place: W2, act: 'add', line: 'inet 10.80.0.12/24 dev eth0', text: '' }] },
    ],
    [
      'with a forwarding entry too many',
      { changes: [addFdb(W1, '02:00:5e:00:53:98 dev flannel.1 dst 192.0.2.99 self permanent')] },
    ],
  ])('on a healthy cluster: %s', (_, input) => {
    expect(namedOn(recordedCase(input))).toEqual([]);
    expect(namedOn(recordedCase({ ...input, probes: { main: yes } }))).toEqual([]);
  });

  test.each<[string, RecordedInput['without']]>([
    ['the other node', [[W2]]],
    ['the rules of the other node', [[W2, ['iptables.nft']]]],
    ['the routes of this node', [[W1, ['routes']]]],
    ['the tunnel’s entries', [[W1, ['fdb']]]],
    ['the pod’s namespace', [[WEB]]],
  ])('where the probe fails and this was not seen: %s', (_, without) => {
    const given = recordedCase({ without, probes: { main: probe('no', 'timed-out') } });
    const { ruledOut } = diagnosisOf(given);
    expect(namedOn(given)).toEqual([]);
    const ofTheWalk = [
      'forward-policy-drop',
      'host-firewall-drop',
      'ip-forward-disabled',
      'rp-filter-drop',
      'link-down',
    ];
    expect(ruledOut.map((one) => one.id).filter((id) => ofTheWalk.includes(id))).toEqual([]);
  });

  test('where the probe fails and every walk delivers, with or without the API’s objects', () => {
    const probes = { main: probe('no', 'timed-out') };
    expect(namedOn(recordedCase({ probes }))).toEqual([]);
    expect(namedOn(recordedCase({ probes, without: [[CLUSTER]] }))).toEqual([]);
  });

  test('on a datapath that is not modelled', () => {
    const cilium = {
      role: 'services',
      by: 'cilium',
      mode: 'ebpf',
      modelled: false,
      statement: 'kube-proxy replacement',
      sources: [],
    } as const;
    const given = recordedCase({
      ...service,
      edits: [removeRules(W1, /-A KUBE-SERVICES/)],
      gate: { parts: [cilium] },
      probes: { main: probe('no', 'timed-out') },
    });
    expect(namedOn(given)).toEqual([]);
  });
});
