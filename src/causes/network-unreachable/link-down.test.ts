import { expect, test } from 'vitest';
import { checkWith, probe } from '../../diagnose/testing/build-case.ts';
import type { Edit } from '../../simulate/testing/recording.ts';
import { presentOf, statements } from '../testing/cause-cases.ts';
import { diagnosisOf, namedOn, OUTSIDE_IP, recordedCase, W1, W2, WEB_VETH } from '../testing/recorded-case.ts';
import {
  addRoute,
  cut,
  editJson,
  editLink,
  insertRule,
  removeRoute,
  removeRules,
  setLink,
} from '../testing/recorded-faults.ts';
import { linkDown } from './link-down.ts';

const probes = { main: probe('no', 'timed-out') };
/** vxlan_stop closes the socket. */
const closedPort: Edit = ['sockets', W2, (text) => text.replace(/^udp UNCONN .*:8472 .*$/m, '')];

test('present: the bridge is set down; its route went with it, and the packet left by the default one', () => {
  const given = recordedCase({ changes: [setLink(W2, 'cni0', { up: false })], probes });
  expect(given.flows[0]!.dead[0]?.end).toMatchObject({ end: 'left-the-cluster', place: W2 });
  const finding = checkWith(linkDown, given, W2);
  expect(presentOf(finding).claims).toEqual([{ flow: 'main', leg: 'forward', segment: 0 }]);
  expect(presentOf(finding).place).toEqual({ ...W2, object: 'cni0' });
  expect(presentOf(finding).change).toEqual([
    { op: 'link', place: W2, device: 'cni0', set: { up: true }, text: 'cni0 up' },
  ]);
  expect(presentOf(finding).evidence.map((one) => one.plane)).toEqual(['state', 'probe']);
  expect(statements(finding)).toContain('cni0 is set down, and its route to the network of 10.244.1.3 is gone with it');
  expect(namedOn(given)).toEqual(['link-down']);
});

test('present: the kernel disables a bridge’s ports with it; they come back with it', () => {
  const disabled = editJson('links', W2, (links) =>
    links.map((link) => {
      const info = link['linkinfo'] as { info_slave_data?: object } | undefined;
      if (link['master'] !== 'cni0' || !info) return link;
      return { ...link, linkinfo: { ...info, info_slave_data: { ...info.info_slave_data, state: 'disabled' } } };
    }),
  );
  const given = recordedCase({ edits: [disabled], changes: [setLink(W2, 'cni0', { up: false })], probes });
  expect(presentOf(checkWith(linkDown, given, W2)).change?.map((change) => change.text)).toEqual(['cni0 up']);
  const { causes } = diagnosisOf(given);
  expect(causes[0]).toMatchObject({ confidence: 'proven', counterfactual: { disposition: 'delivered' } });
});

test('present: the tunnel device of the sender; its routes to the other nodes’ pods have to be written anew', () => {
  const given = recordedCase({ changes: [setLink(W1, 'flannel.1', { up: false })], probes });
  const finding = checkWith(linkDown, given, W1);
  expect(statements(finding)).toContain('flannel.1 is set down, and its route to the pods of w2 is gone with it');
  expect(presentOf(finding).change).toEqual([
    expect.objectContaining({ op: 'link', device: 'flannel.1' }),
    expect.objectContaining({ op: 'route', act: 'add', line: '10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink' }),
  ]);
  expect(namedOn(given)).toEqual(['link-down']);
});

test('present: the tunnel device of the receiver; nobody takes the outer packet', () => {
  const given = recordedCase({ changes: [setLink(W2, 'flannel.1', { up: false })], edits: [closedPort], probes });
  expect(given.flows[0]!.dead[0]?.end).toMatchObject({ end: 'no-listener', place: W2 });
  const finding = checkWith(linkDown, given, W2);
  expect(statements(finding)).toContain('flannel.1 is set down, and its UDP port 8472 is gone with it');
  expect(namedOn(given)).toEqual(['link-down']);
});

test('present: the NIC of the sender, whose connected route led to the other node', () => {
  const given = recordedCase({ changes: [setLink(W1, 'eth0', { up: false })], probes });
  expect(presentOf(checkWith(linkDown, given, W1)).place?.object).toBe('eth0');
  expect(namedOn(given)).toEqual(['link-down']);
});

test('present: no carrier: the device is up, and nothing that could be set here mends it', () => {
  const unplugged = editLink(W1, 'eth0', (link) => ({
    ...link,
    flags: ['NO-CARRIER', 'BROADCAST', 'MULTICAST', 'UP'],
    operstate: 'DOWN',
  }));
  const given = recordedCase({ edits: [unplugged], probes });
  const finding = checkWith(linkDown, given, W1);
  expect(statements(finding)).toContain(
    'eth0 is up but has no carrier (operstate DOWN): its other end is down or gone',
  );
  expect(presentOf(finding).change).toEqual([]);
  expect(presentOf(finding).evidence.map((one) => one.plane)).toEqual(['walk', 'probe']);
  expect(presentOf(finding).fix.commands).toContain('ethtool eth0    # on w1: "Link detected"');
  expect(namedOn(given)).toEqual(['link-down']);
});

test('present: a route leads to a dummy device; no cable is to be mended there', () => {
  const dummy = editJson('links', W1, (links) => [
    ...links,
    {
      ...links.find((link) => link['ifname'] === 'cni0'),
      ifname: 'dummy0',
      ifindex: 92,
      linkinfo: { info_kind: 'dummy' },
      addr_info: [],
      flags: ['BROADCAST', 'NOARP', 'UP', 'LOWER_UP'],
      operstate: 'UNKNOWN',
    },
  ]);
  const given = recordedCase({ edits: [dummy], changes: [addRoute(W1, '10.244.1.3 dev dummy0')], probes });
  const finding = checkWith(linkDown, given, W1);
  expect(statements(finding)).toContain('dummy0: a dummy device discards what is sent by it');
  expect(presentOf(finding).fix.summary).toBe('lead these packets by another device of w1: dummy0 sends nothing on');
  expect(namedOn(given)).toEqual(['link-down']);
});

test('absent: all devices are up', () => {
  expect(checkWith(linkDown, recordedCase(), W1).is).toBe('absent');
});

test('near miss: a device beside the way is down, and the packet ended elsewhere', () => {
  const idle = editJson('links', W1, (links) => [
    ...links,
    {
      ...links.find((link) => link['ifname'] === 'cni0'),
      ifname: 'docker0',
      ifindex: 90,
      flags: ['NO-CARRIER', 'BROADCAST', 'MULTICAST', 'UP'],
      operstate: 'DOWN',
      addr_info: [{ family: 'inet', local: '172.17.0.1', prefixlen: 16, scope: 'global' }],
    },
  ]);
  const given = recordedCase({
    edits: [idle],
    changes: [insertRule(W1, '-A FORWARD -d 10.244.1.0/24 -j DROP')],
    probes,
  });
  expect(checkWith(linkDown, given, W1).is).toBe('absent');
  expect(namedOn(given)).toEqual(['host-firewall-drop']);
});

test('near miss: the route is gone while the device is up', () => {
  const given = recordedCase({ changes: [removeRoute(W1, '10.244.1.0/24 via 10.244.1.0 dev flannel.1')], probes });
  expect(checkWith(linkDown, given, W1).is).toBe('absent');
});

test('near miss: a bridge that is down and unused has a network that overlaps the other node’s pods', () => {
  const leftover = editJson('links', W1, (links) => [
    ...links,
    {
      ...links.find((link) => link['ifname'] === 'cni0'),
      ifname: 'br-old',
      ifindex: 91,
      flags: ['BROADCAST', 'MULTICAST'],
      operstate: 'DOWN',
      addr_info: [{ family: 'inet', local: '10.244.200.1', prefixlen: 16, scope: 'global' }],
    },
  ]);
  const gone = removeRoute(W1, '10.244.1.0/24 via 10.244.1.0 dev flannel.1');
  const given = recordedCase({ edits: [leftover], changes: [gone], probes });
  expect(checkWith(linkDown, given, W1).is).toBe('absent');
  expect(namedOn(given)).toEqual(['pod-cidr-route-missing']);
});

test('near miss: a packet for the outside leaves by the default route, as it should, while the tunnel is down', () => {
  const given = recordedCase({
    changes: [setLink(W1, 'flannel.1', { up: false })],
    edits: [removeRules(W1, /-A FLANNEL-POSTRTG .*MASQUERADE/)],
    asks: [{ to: OUTSIDE_IP }],
    probes,
  });
  expect(given.flows[0]!.dead[0]?.end.end).toBe('left-the-cluster');
  expect(checkWith(linkDown, given, W1).is).toBe('absent');
});

test('near miss: one pod’s own veth has a narrower name', () => {
  const given = recordedCase({ changes: [setLink(W2, WEB_VETH, { up: false })], probes });
  expect(presentOf(checkWith(linkDown, given, W2)).place?.object).toBe(WEB_VETH);
  expect(namedOn(given)).toEqual(['pod-veth-broken']);
});

test('near miss: nothing listens on a port of the node whose tunnel is down', () => {
  const given = recordedCase({
    changes: [setLink(W2, 'flannel.1', { up: false })],
    asks: [
      {
        from: W1,
        source: '10.79.0.11',
        to: '10.79.0.12',
        l4: { protocol: 'udp', sourcePort: 'ephemeral', destinationPort: 9 },
      },
    ],
  });
  expect(given.flows[0]!.dead[0]?.end.end).toBe('no-listener');
  expect(checkWith(linkDown, given, W2).is).toBe('absent');
});

test('unknown: the devices were cut, or the walk could not go on', () => {
  expect(checkWith(linkDown, recordedCase({ edits: [cut('links', W1)], probes }), W1).is).toBe('unknown');
  expect(checkWith(linkDown, recordedCase({ without: [[W2, ['routes']]], probes }), W1).is).toBe('unknown');
});
