import { expect, test } from 'vitest';
import { checkWith, probe } from '../../diagnose/testing/build-case.ts';
import { presentOf, statements } from '../testing/cause-cases.ts';
import { CLIENT, CLIENT_VETH, namedOn, recordedCase, W1, W2, WEB, WEB_IP, WEB_VETH } from '../testing/recorded-case.ts';
import { addNeighbour, cut, editJson, editLink, insertRule, removeRoute, setLink } from '../testing/recorded-faults.ts';
import { podVethBroken } from './pod-veth-broken.ts';

const probes = { main: probe('no', 'timed-out') };
const noPort = setLink(W1, CLIENT_VETH, { master: '' });

test('present: the host side is no port of the bridge; no answer finds the way into the pod', () => {
  const given = recordedCase({ changes: [noPort], probes });
  const finding = checkWith(podVethBroken, given, CLIENT);
  expect(presentOf(finding).claims).toEqual([{ flow: 'main', leg: 'reply-0', segment: 0 }]);
  expect(presentOf(finding).place).toEqual({ ...CLIENT, object: CLIENT_VETH });
  expect(presentOf(finding).change).toEqual([
    { op: 'link', place: W1, device: CLIENT_VETH, set: { master: 'cni0' }, text: `${CLIENT_VETH} a port of cni0` },
  ]);
  expect(presentOf(finding).evidence.map((one) => one.plane)).toEqual(['state', 'probe']);
  expect(statements(finding)).toContain(
    `${CLIENT_VETH}, the host side of the pod’s eth0, is no port of any bridge; the pod’s gateway is on cni0`,
  );
  expect(presentOf(finding).fix.commands).toContain(
    `ip link set ${CLIENT_VETH} master cni0    # on w1, to keep it running`,
  );
  expect(namedOn(given)).toEqual(['pod-veth-broken']);
});

test('present: the walk cannot tell who else is on the bridge, and the probe failed', () => {
  const given = recordedCase({
    changes: [setLink(W2, WEB_VETH, { master: '' })],
    edits: [editJson('fdb', W2, (entries) => entries.filter((one) => one['ifname'] !== WEB_VETH))],
    probes,
  });
  expect(given.flows[0]!.unknown).toHaveLength(1);
  expect(presentOf(checkWith(podVethBroken, given, WEB)).claims).toHaveLength(1);
  expect(namedOn(given)).toEqual(['pod-veth-broken']);
  const untried = { ...given, flows: given.flows.map(({ probe: _, ...flow }) => flow) };
  expect(checkWith(podVethBroken, untried, WEB).is).toBe('unknown');
});

test('present: either end is set down', () => {
  const host = recordedCase({ changes: [setLink(W2, WEB_VETH, { up: false })], probes });
  expect(statements(checkWith(podVethBroken, host, WEB))).toContain(
    `${WEB_VETH}, the host side of the pod’s eth0, is set down`,
  );
  expect(namedOn(host)).toEqual(['pod-veth-broken']);
  const own = recordedCase({ changes: [setLink(CLIENT, 'eth0', { up: false })], probes });
  expect(presentOf(checkWith(podVethBroken, own, CLIENT)).change).toEqual([
    expect.objectContaining({ op: 'link', place: CLIENT, device: 'eth0', set: { up: true } }),
    expect.objectContaining({ op: 'route', place: CLIENT, line: 'default via 10.244.0.1 dev eth0' }),
  ]);
  expect(namedOn(own)).toEqual(['pod-veth-broken']);
});

test('present: the host side is not on the node; the pod has nothing but its loopback', () => {
  const taken = recordedCase({
    edits: [editJson('links', W1, (links) => links.filter((link) => link['ifname'] !== CLIENT_VETH))],
    probes,
  });
  expect(statements(checkWith(podVethBroken, taken, CLIENT))).toContain(
    'the host side of eth0 (index 6) is not on the node',
  );
  expect(namedOn(taken)).toEqual(['pod-veth-broken']);
  const bare = recordedCase({
    edits: [
      editJson('links', CLIENT, (links) => links.filter((link) => link['ifname'] === 'lo')),
      editJson('routes', CLIENT, (routes) => routes.filter((one) => one['dev'] === 'lo')),
    ],
    probes,
  });
  expect(statements(checkWith(podVethBroken, bare, CLIENT))).toContain('the pod has no interface but the loopback');
  expect(namedOn(bare)).toEqual(['pod-veth-broken']);
});

/** As the ptp plug-in or Calico wire pods: a /32 in the pod, a host route by its veth, no bridge. */
const routed = [
  editLink(WEB, 'eth0', (link) => ({
    ...link,
    addr_info: [{ family: 'inet', local: WEB_IP, prefixlen: 32, scope: 'global' }],
  })),
  editLink(W2, WEB_VETH, (link) => {
    const { master: _master, ...bare } = link;
    return { ...bare, linkinfo: { info_kind: 'veth' } };
  }),
  editJson('fdb', W2, (entries) => entries.filter((one) => one['ifname'] !== WEB_VETH)),
];
const hostRoute = editJson('routes', W2, (routes) => [
  ...routes,
  { type: '1', dst: WEB_IP, dev: WEB_VETH, table: '254', protocol: '3', scope: '253', flags: [] },
]);

test('present: each pod has a host route, and this one’s is gone', () => {
  const withoutNetwork = removeRoute(W2, '10.244.1.0/24 dev cni0');
  const given = recordedCase({ edits: routed, changes: [withoutNetwork], probes });
  const finding = checkWith(podVethBroken, given, WEB);
  expect(statements(finding)).toContain(
    `w2 has no route to ${WEB_IP} by ${WEB_VETH}, the host side of the pod’s interface; the packet takes “default via`,
  );
  expect(presentOf(finding).change).toEqual([
    expect.objectContaining({ op: 'route', place: W2, act: 'add', line: `${WEB_IP} dev ${WEB_VETH} scope link` }),
  ]);
});

test('absent: both pods are wired', () => {
  expect(checkWith(podVethBroken, recordedCase(), CLIENT).is).toBe('absent');
  expect(checkWith(podVethBroken, recordedCase({ edits: [...routed, hostRoute] }), WEB).is).toBe('absent');
});

test('near miss: the host side is in no bridge, because the CNI routes each pod', () => {
  const ptp = editLink(W2, WEB_VETH, (link) => {
    const { master: _master, ...bare } = link;
    return { ...bare, addr_info: [{ family: 'inet', local: '10.244.1.1', prefixlen: 32, scope: 'global' }] };
  });
  const given = recordedCase({
    edits: [ptp],
    changes: [insertRule(W2, '-A FORWARD -d 10.244.1.0/24 -j DROP')],
    probes,
  });
  expect(checkWith(podVethBroken, given, WEB).is).toBe('absent');
});

test('near miss: the pod’s interface is no veth (Kata, a SR-IOV function, a branch interface)', () => {
  const given = recordedCase({
    edits: [editLink(CLIENT, 'eth0', (link) => ({ ...link, linkinfo: { info_kind: 'vlan' } }))],
    probes,
  });
  expect(checkWith(podVethBroken, given, CLIENT)).toMatchObject({
    is: 'absent',
    because: expect.stringContaining('is no veth, but a vlan'),
  });
});

test('near miss: the other end lives where nobody looked (a switch’s own namespace), and the pod is reached', () => {
  const elsewhere = editJson('links', W1, (links) => links.filter((link) => link['ifname'] !== CLIENT_VETH));
  const given = recordedCase({ edits: [elsewhere], probes: { main: probe('yes', 'connected') } });
  expect(namedOn(given)).toEqual([]);
});

test('near miss: a veth of the node with the right index that is another pod’s', () => {
  const another = editLink(W1, CLIENT_VETH, (link) => ({ ...link, link_index: 9, flags: ['BROADCAST', 'MULTICAST'] }));
  const finding = checkWith(podVethBroken, recordedCase({ edits: [another], probes }), CLIENT);
  expect(statements(finding)).not.toContain('is set down');
});

test('near miss: the cable is broken, and this packet died before it came to it', () => {
  const given = recordedCase({
    changes: [setLink(W2, WEB_VETH, { up: false }), insertRule(W1, '-A FORWARD -d 10.244.1.0/24 -j DROP')],
    probes,
  });
  expect(checkWith(podVethBroken, given, WEB).is).toBe('absent');
  expect(namedOn(given)).toEqual(['host-firewall-drop']);
});

test('near miss: the node has no way to the other node’s pods; the asking pod’s own cable is odd and harmless', () => {
  const given = recordedCase({
    changes: [noPort, removeRoute(W1, '10.244.1.0/24 via 10.244.1.0 dev flannel.1')],
    probes,
  });
  expect(given.flows[0]!.dead[0]?.end).toMatchObject({ end: 'left-the-cluster', place: W1 });
  expect(checkWith(podVethBroken, given, CLIENT).is).toBe('absent');
});

test('near miss: another pod of the bridge is not found there', () => {
  const given = recordedCase({
    changes: [addNeighbour(W2, `${WEB_IP} dev cni0 lladdr 02:00:00:00:00:77 PERMANENT`)],
    edits: [editJson('links', W2, (links) => links.filter((link) => link['ifname'] !== 'veth7721b668'))],
    probes,
  });
  expect(given.flows[0]!.dead[0]?.end.end).toBe('not-for-this-mac');
  expect(checkWith(podVethBroken, given, WEB).is).toBe('absent');
  expect(checkWith(podVethBroken, given, CLIENT).is).toBe('absent');
});

test('unknown: one of the two ends was not seen wholly; the index of the other end was not told', () => {
  expect(checkWith(podVethBroken, recordedCase({ edits: [cut('links', W1)], probes }), CLIENT).is).toBe('unknown');
  expect(checkWith(podVethBroken, recordedCase({ without: [[W1, ['links']]], probes }), CLIENT).is).toBe('unknown');
  const untold = editLink(CLIENT, 'eth0', ({ link_index: _index, link_netnsid: _namespace, ...link }) => link);
  expect(checkWith(podVethBroken, recordedCase({ edits: [untold], probes }), CLIENT)).toMatchObject({
    is: 'unknown',
    because: 'which device is the other end of eth0 was not told',
  });
});
