import { expect, test } from 'vitest';
import {
  buildCase,
  CLIENT_PLACE,
  checkWith,
  fakeSnapshot,
  flow,
  hop,
  leafTrace,
  probe,
  SERVER,
  step,
} from '../../diagnose/testing/build-case.ts';
import { CLUSTER, hostOf } from '../../net/place.ts';
import { node, pod, presentOf, statements } from '../testing/cause-cases.ts';
import { namedOn, recordedCase, VXLAN_MAC, W1, W2, W2_IP } from '../testing/recorded-case.ts';
import {
  addFdb,
  addNeighbour,
  addRoute,
  filterPolicy,
  insertRule,
  removeFdb,
  removeRoute,
  removeRules,
  sysctl,
} from '../testing/recorded-faults.ts';
import { podCidrRouteWrong } from './pod-cidr-route-wrong.ts';

const probes = { main: probe('no', 'timed-out') };
const elsewhere = addRoute(W1, '10.244.1.0/24 via 10.79.0.254 dev eth0');

test('present: the next hop is another machine; the route that flannel means is put in its place', () => {
  const given = recordedCase({ changes: [elsewhere], probes });
  const finding = checkWith(podCidrRouteWrong, given, W1);
  const text = '10.244.1.0/24 via 10.79.0.254 dev eth0';
  expect(presentOf(finding).claims).toEqual([{ flow: 'main', leg: 'forward', segment: 0 }]);
  expect(presentOf(finding).place).toEqual({ ...W1, object: `route ${text}` });
  expect(presentOf(finding).change).toEqual([
    expect.objectContaining({ op: 'route', act: 'remove', line: text }),
    expect.objectContaining({ op: 'route', act: 'add', line: '10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink' }),
  ]);
  expect(presentOf(finding).evidence.map((one) => one.plane)).toEqual(['walk', 'probe']);
  expect(statements(finding)).toContain(
    `“${text}” does not lead to w2, which owns 10.244.1.3; meant is “10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink”`,
  );
  expect(namedOn(given)).toEqual(['pod-cidr-route-wrong']);
});

test('present: it leads into this node’s own bridge', () => {
  const given = recordedCase({ changes: [addRoute(W1, '10.244.1.0/24 dev cni0')], probes });
  expect(presentOf(checkWith(podCidrRouteWrong, given, W1)).claims).toHaveLength(1);
  expect(namedOn(given)).toContain('pod-cidr-route-wrong');
});

test('present: a next hop on the tunnel that is a removed node’s; the tunnel’s entries are not to blame', () => {
  const given = recordedCase({ changes: [addRoute(W1, '10.244.1.0/24 via 10.244.9.0 dev flannel.1 onlink')], probes });
  expect(presentOf(checkWith(podCidrRouteWrong, given, W1)).claims).toHaveLength(1);
  expect(namedOn(given)).toEqual(['pod-cidr-route-wrong']);
});

test('present: with a CNI whose routes are not known, a next hop that is another node, which drops the packet', () => {
  const w3 = hostOf('w3');
  const route = step({
    values: {
      purpose: 'forward',
      address: SERVER,
      destination: '10.244.2.0/24',
      via: '10.77.0.13',
      device: 'eth0',
      routeText: '10.244.2.0/24 via 10.77.0.13 dev eth0 proto bird',
    },
  });
  const before = [hop(CLIENT_PLACE), hop(W1, [route])];
  const check = (via: string) => {
    const hops = [before[0]!, { ...before[1]!, steps: [{ ...route, values: { ...route.values, via } }] }];
    const flows = [flow({ forward: leafTrace('dropped-by-rule', { place: w3, before: hops }), probe: probes.main })];
    const snapshot = fakeSnapshot({
      facts: [
        ['links', W1, {}, []],
        ['api.nodes', CLUSTER, {}, [node('w1', 1), node('w2', 2), node('w3', 3)]],
        ['api.pods', CLUSTER, {}, [pod('web', { namespace: 'demo', ip: SERVER, node: 'w2' })]],
      ],
    });
    return checkWith(podCidrRouteWrong, buildCase({ snapshot, flows }), W1);
  };
  expect(statements(check('10.77.0.13'))).toContain('does not lead to w2, which owns 10.244.2.7');
  expect(presentOf(check('10.77.0.13')).change).toEqual([]);
  expect(check('10.77.0.12').is).toBe('absent');
  expect(check('10.77.0.1').is).toBe('unknown'); // a router, or a route reflector's choice
});

test('absent: the routes lead where they should', () => {
  expect(checkWith(podCidrRouteWrong, recordedCase(), W1).is).toBe('absent');
});

test('near miss: direct routing to the node’s own address, and a rule there drops the packet', () => {
  const direct = addRoute(W1, `10.244.1.0/24 via ${W2_IP} dev eth0`);
  const works = recordedCase({ changes: [direct] });
  expect(checkWith(podCidrRouteWrong, works, W1).is).toBe('absent');
  const given = recordedCase({ changes: [direct, insertRule(W1, '-A FORWARD -d 10.244.1.0/24 -j DROP')], probes });
  expect(checkWith(podCidrRouteWrong, given, W1).is).toBe('absent');
  expect(namedOn(given)).toEqual(['host-firewall-drop']);
});

test('near miss: the packet was dropped here before its odd route could matter', () => {
  const given = recordedCase({
    changes: [elsewhere, filterPolicy(W1, 'FORWARD')],
    edits: [removeRules(W1, /-A FLANNEL-FWD/)],
    probes,
  });
  expect(checkWith(podCidrRouteWrong, given, W1).is).toBe('absent');
});

test('near miss: the outer packet dies of a wrong neighbour entry, on a route of its own', () => {
  const wrongMac = addNeighbour(W1, `${W2_IP} dev eth0 lladdr 02:00:5e:00:53:02 PERMANENT`);
  const given = recordedCase({ changes: [wrongMac], probes });
  expect(checkWith(podCidrRouteWrong, given, W1).is).toBe('absent');
  expect(namedOn(given)).toEqual(['neighbour-unresolved']);
});

test('near miss: the tunnel’s entry leads to another node', () => {
  const changes = [
    removeFdb(W1, `${VXLAN_MAC.w2} dev flannel.1`),
    addFdb(W1, `${VXLAN_MAC.w2} dev flannel.1 dst 192.0.2.99 self permanent`),
  ];
  const given = recordedCase({ changes, probes });
  const lost = { ...given, flows: given.flows.map((flow) => ({ ...flow, dead: flow.leaves })) };
  expect(checkWith(podCidrRouteWrong, lost, W1).is).toBe('absent');
});

test('near miss: there is no route but the default one', () => {
  const given = recordedCase({ changes: [removeRoute(W1, '10.244.1.0/24 via 10.244.1.0 dev flannel.1')], probes });
  expect(checkWith(podCidrRouteWrong, given, W1).is).toBe('absent');
});

test('near miss: reverse path filtering drops what a route to the right node answers', () => {
  const changes = [addRoute(W1, `10.244.1.0/24 via ${W2_IP} dev eth0`), sysctl(W2, 'net.ipv4.conf.all.rp_filter', '1')];
  const given = recordedCase({ changes, probes });
  expect(checkWith(podCidrRouteWrong, given, W2).is).toBe('absent');
  expect(namedOn(given)).toEqual(['rp-filter-drop']);
});

test('unknown: a next hop of which nothing is known, with a CNI whose routes are not known', () => {
  // Calico's VXLAN routes go to an address of the peer's own tunnel device, which no list names.
  const given = recordedCase({
    changes: [addRoute(W1, '10.244.1.0/24 via 10.244.1.77 dev flannel.1 onlink')],
    gate: { parts: [] },
    probes,
  });
  expect(checkWith(podCidrRouteWrong, given, W1)).toMatchObject({
    is: 'unknown',
    because: expect.stringContaining('is not known for this CNI'),
  });
});

test('unknown: the walk could not go on behind this node', () => {
  const given = recordedCase({ without: [[W2]], probes });
  expect(checkWith(podCidrRouteWrong, given, W1).is).toBe('unknown');
});
