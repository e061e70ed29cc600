import { expect, test } from 'vitest';
import { checkWith, probe } from '../../diagnose/testing/build-case.ts';
import { presentOf, statements } from '../testing/cause-cases.ts';
import { namedOn, recordedCase, VXLAN_MAC, W1, W2, W2_IP, WEB, WEB_IP } from '../testing/recorded-case.ts';
import {
  addFdb,
  addNeighbour,
  addRoute,
  cut,
  editJson,
  editLink,
  insertRule,
  removeFdb,
  removeNeighbour,
  setLink,
} from '../testing/recorded-faults.ts';
import { vtepAddressMismatch } from './vtep-address-mismatch.ts';

/** On w2; the pod behind it was not recorded. */
const COREDNS_VETH = 'veth7721b668';
const OTHER = '02:00:5e:00:53:98';
const probes = { main: probe('no', 'timed-out') };
const otherMac = setLink(W2, 'flannel.1', { mac: OTHER });

test('present: the peer’s device has another MAC than was announced and entered', () => {
  const given = recordedCase({ changes: [otherMac], probes });
  const finding = checkWith(vtepAddressMismatch, given, W1);
  expect(presentOf(finding).claims).toEqual([{ flow: 'main', leg: 'forward', segment: 0 }]);
  expect(presentOf(finding).place).toEqual({ ...W1, object: 'flannel.1 towards w2' });
  expect(presentOf(finding).change).toEqual([
    expect.objectContaining({ op: 'neighbour', act: 'remove', line: '10.244.1.0 dev flannel.1' }),
    expect.objectContaining({
      op: 'neighbour',
      act: 'add',
      line: `10.244.1.0 dev flannel.1 lladdr ${OTHER} PERMANENT`,
    }),
    expect.objectContaining({ op: 'fdb', act: 'add', line: `${OTHER} dev flannel.1 dst ${W2_IP} self permanent` }),
  ]);
  expect(presentOf(finding).evidence.map((one) => [one.plane, one.place.node])).toEqual([
    ['walk', 'w1'],
    ['state', 'w2'],
    ['state', 'w2'],
    ['probe', 'w1'],
  ]);
  expect(statements(finding)).toContain(
    `w1 sends to w2 by MAC ${VXLAN_MAC.w2} at ${W2_IP}; its device is ${OTHER} at ${W2_IP}`,
  );
  expect(statements(finding)).toContain(`w2 announces the VTEP ${VXLAN_MAC.w2} at ${W2_IP} (flannel’s annotations)`);
  expect(presentOf(finding).fix.summary).toContain('the peer, whose device is not the announced one, then on w1');
  expect(namedOn(given)).toEqual(['vtep-address-mismatch']);
});

test('present: the entries on this node are stale; the peer is as announced', () => {
  const changes = [
    addNeighbour(W1, `10.244.1.0 dev flannel.1 lladdr ${OTHER} PERMANENT`),
    addFdb(W1, `${OTHER} dev flannel.1 dst ${W2_IP} self permanent`),
  ];
  const given = recordedCase({ changes, probes });
  const finding = checkWith(vtepAddressMismatch, given, W1);
  expect(presentOf(finding).fix.summary).toMatch(/^restart the CNI’s agent on w1;/);
  expect(namedOn(given)).toEqual(['vtep-address-mismatch']);
});

test('present: an entry is gone', () => {
  const noMac = recordedCase({ changes: [removeNeighbour(W1, '10.244.1.0 dev flannel.1')], probes });
  expect(statements(checkWith(vtepAddressMismatch, noMac, W1))).toContain(
    `w1 has no tunnel MAC for w2 (neighbour 10.244.1.0); its device has ${VXLAN_MAC.w2}`,
  );
  expect(namedOn(noMac)).toEqual(['vtep-address-mismatch']);
  const noRemote = recordedCase({ changes: [removeFdb(W1, `${VXLAN_MAC.w2} dev flannel.1`)], probes });
  expect(statements(checkWith(vtepAddressMismatch, noRemote, W1))).toContain(
    `w1 has no FDB entry for ${VXLAN_MAC.w2}, its tunnel MAC of w2`,
  );
  expect(namedOn(noRemote)).toEqual(['vtep-address-mismatch']);
});

test('present: the FDB leads to an address that the peer does not have', () => {
  const changes = [
    removeFdb(W1, `${VXLAN_MAC.w2} dev flannel.1`),
    addFdb(W1, `${VXLAN_MAC.w2} dev flannel.1 dst 192.0.2.99 self permanent`),
  ];
  const given = recordedCase({ changes, probes });
  const lost = { ...given, flows: given.flows.map((flow) => ({ ...flow, dead: flow.leaves })) };
  const finding = checkWith(vtepAddressMismatch, lost, W1);
  expect(statements(finding)).toContain(`at 192.0.2.99; its device is ${VXLAN_MAC.w2} at ${W2_IP}`);
  expect(presentOf(finding).change).toContainEqual(
    expect.objectContaining({
      op: 'fdb',
      act: 'add',
      line: `${VXLAN_MAC.w2} dev flannel.1 dst ${W2_IP} self permanent`,
    }),
  );
});

test('absent: the entries fit', () => {
  expect(checkWith(vtepAddressMismatch, recordedCase(), W1).is).toBe('absent');
});

test('near miss: the route leads to another node’s tunnel address, whose entry is not there', () => {
  const given = recordedCase({ changes: [addRoute(W1, '10.244.1.0/24 via 10.244.9.0 dev flannel.1 onlink')], probes });
  expect(checkWith(vtepAddressMismatch, given, W1).is).toBe('absent');
});

test('near miss: the frame came out of the tunnel, and a stale MAC of the pod stopped it behind', () => {
  const given = recordedCase({
    changes: [addNeighbour(W2, `${WEB_IP} dev cni0 lladdr 02:00:00:00:00:77 PERMANENT`)],
    edits: [editJson('links', W2, (links) => links.filter((link) => link['ifname'] !== COREDNS_VETH))],
    probes,
  });
  expect(given.flows[0]!.dead[0]?.end).toMatchObject({ end: 'not-for-this-mac', place: W2 });
  expect(checkWith(vtepAddressMismatch, given, W1).is).toBe('absent');
  expect(namedOn(given)).toEqual(['neighbour-unresolved']);
});

test('near miss: nothing listens in the pod; the way through the tunnel was by another address of the peer', () => {
  const changes = [
    { op: 'address', place: W2, act: 'add', line: 'inet 10.79.0.112/24 dev eth0', text: 'a second address' } as const,
    removeFdb(W1, `${VXLAN_MAC.w2} dev flannel.1`),
    addFdb(W1, `${VXLAN_MAC.w2} dev flannel.1 dst 10.79.0.112 self permanent`),
  ];
  const given = recordedCase({
    changes,
    asks: [{ l4: { protocol: 'tcp', sourcePort: 'ephemeral', destinationPort: 9999, flags: ['syn'] } }],
    probes: { main: probe('no', 'refused') },
  });
  expect(given.flows[0]!.dead[0]?.end).toMatchObject({ end: 'no-listener', place: WEB });
  expect(checkWith(vtepAddressMismatch, given, W1).is).toBe('absent');
});

test('near miss: a rule of the peer drops the outer packet; so does a wrong MAC on the NIC', () => {
  const blocked = recordedCase({ changes: [insertRule(W2, '-A INPUT -p udp -m udp --dport 8472 -j DROP')], probes });
  expect(checkWith(vtepAddressMismatch, blocked, W1).is).toBe('absent');
  const nic = recordedCase({
    changes: [addNeighbour(W1, `${W2_IP} dev eth0 lladdr 02:00:5e:00:53:02 PERMANENT`)],
    probes,
  });
  expect(checkWith(vtepAddressMismatch, nic, W1).is).toBe('absent');
});

test('near miss: another VNI at the peer', () => {
  const given = recordedCase({
    edits: [
      editLink(W2, 'flannel.1', (link) => {
        const info = link['linkinfo'] as { info_data: object };
        return { ...link, linkinfo: { ...info, info_data: { ...info.info_data, id: 2 } } };
      }),
    ],
    probes,
  });
  expect(given.flows[0]!.dead[0]?.end.end).toBe('tunnel-dropped');
  expect(checkWith(vtepAddressMismatch, given, W1).is).toBe('absent');
});

test('unknown: neither the peer’s device nor an announcement tells its MAC', () => {
  const given = recordedCase({
    changes: [removeNeighbour(W1, '10.244.1.0 dev flannel.1')],
    without: [[W2, ['links']]],
    gate: { parts: [] },
    probes,
  });
  expect(given.flows[0]!.dead[0]?.end.end).toBe('neighbour-unresolved');
  expect(checkWith(vtepAddressMismatch, given, W1)).toMatchObject({
    is: 'unknown',
    because: 'the MAC of the VXLAN device of w2 was not seen, nor announced',
  });
});

test('unknown: the forwarding table was cut', () => {
  const given = recordedCase({
    edits: [editJson('fdb', W1, (entries) => entries.filter((one) => one['dst'] !== W2_IP)), cut('fdb', W1)],
    probes,
  });
  expect(checkWith(vtepAddressMismatch, given, W1).is).toBe('unknown');
});
