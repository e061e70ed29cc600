import { expect, test } from 'vitest';
import { checkWith, probe } from '../../diagnose/testing/build-case.ts';
import { CLUSTER } from '../../net/place.ts';
import { tcpSyn } from '../../simulate/testing/build-hook-input.ts';
import { presentOf, statements } from '../testing/cause-cases.ts';
import {
  CLIENT_IP,
  namedOn,
  OUTSIDE_IP,
  outsideEnd,
  recordedCase,
  SERVICE_IP,
  W1,
  W1_IP,
} from '../testing/recorded-case.ts';
import { insertRule, removeRoute, removeRules, unparsed } from '../testing/recorded-faults.ts';
import { egressNotMasqueraded } from './egress-not-masqueraded.ts';

const noMasquerade = removeRules(W1, /-A FLANNEL-POSTRTG .*MASQUERADE/);
const outside = {
  asks: [{ to: OUTSIDE_IP, l4: tcpSyn(80) }],
  question: { destination: outsideEnd(), port: 80 },
  probes: { main: probe('no', 'timed-out') },
};

test('present: the packet leaves with the pod’s address; a MASQUERADE of it would mend that', () => {
  const given = recordedCase({ ...outside, edits: [noMasquerade] });
  const finding = checkWith(egressNotMasqueraded, given, W1);
  expect(presentOf(finding).claims).toEqual([{ flow: 'main', leg: 'forward', segment: 0 }]);
  expect(presentOf(finding).place).toEqual({ ...W1, object: 'nat POSTROUTING' });
  expect(presentOf(finding).change).toEqual([
    expect.objectContaining({
      op: 'rule',
      backend: 'iptables.nft',
      family: 4,
      table: 'nat',
      chain: 'POSTROUTING',
      act: 'insert',
      rule: `-A POSTROUTING -s ${CLIENT_IP}/32 -d ${OUTSIDE_IP}/32 -j MASQUERADE`,
    }),
  ]);
  expect(presentOf(finding).evidence.map((one) => one.plane)).toEqual(['walk', 'probe']);
  expect(statements(finding)).toContain(
    `no rule of nat POSTROUTING translates ${CLIENT_IP} → ${OUTSIDE_IP}; it leaves by eth0 with the pod’s address`,
  );
  expect(namedOn(given)).toEqual(['egress-not-masqueraded']);
});

test('present: each destination gets its own change', () => {
  const asks = [outside.asks[0]!, { id: 'endpoint/192.0.2.7', to: '192.0.2.7', l4: tcpSyn(80) }];
  const given = recordedCase({ ...outside, asks, edits: [noMasquerade] });
  const finding = checkWith(egressNotMasqueraded, given, W1);
  expect(presentOf(finding).claims).toHaveLength(2);
  expect(presentOf(finding).change).toHaveLength(2);
  expect(namedOn(given)).toEqual(['egress-not-masqueraded']);
});

test('absent: masqueraded', () => {
  expect(checkWith(egressNotMasqueraded, recordedCase(outside), W1).is).toBe('absent');
  expect(namedOn(recordedCase(outside))).toEqual([]);
});

test('near miss: pod addresses are routable by design (a VPC CNI)', () => {
  const given = recordedCase({ ...outside, edits: [noMasquerade], gate: { podAddressesRoutable: 'yes' } });
  expect(checkWith(egressNotMasqueraded, given, W1)).toMatchObject({
    is: 'absent',
    because: 'pod addresses are routable outside by design here',
  });
});

test('near miss: what leaves is for a pod of another node, whose route is gone', () => {
  const given = recordedCase({
    changes: [removeRoute(W1, '10.244.1.0/24 via 10.244.1.0 dev flannel.1')],
    probes: outside.probes,
  });
  expect(given.flows[0]!.dead[0]?.end).toMatchObject({
    end: 'left-the-cluster',
    packet: { ip: { source: CLIENT_IP } },
  });
  expect(checkWith(egressNotMasqueraded, given, W1).is).toBe('absent');
});

test('near miss: what leaves is for a ClusterIP that no rule translates', () => {
  const given = recordedCase({
    edits: [removeRules(W1, /-A KUBE-SERVICES/), noMasquerade],
    asks: [{ to: SERVICE_IP, l4: tcpSyn(80) }],
    probes: outside.probes,
  });
  expect(given.flows[0]!.dead[0]?.end).toMatchObject({
    end: 'left-the-cluster',
    packet: { ip: { source: CLIENT_IP } },
  });
  expect(checkWith(egressNotMasqueraded, given, W1).is).toBe('absent');
});

test('near miss: the outside does not answer, and the packet left with the node’s address', () => {
  const given = recordedCase(outside);
  expect(given.flows[0]!.leaves[0]?.end.packet.ip.source).toBe(W1_IP);
  expect(namedOn(given)).toEqual([]);
});

test('near miss: a rule drops it before it could leave', () => {
  const given = recordedCase({
    ...outside,
    edits: [noMasquerade],
    changes: [insertRule(W1, `-A FORWARD -d ${OUTSIDE_IP}/32 -j DROP`)],
  });
  expect(checkWith(egressNotMasqueraded, given, W1).is).toBe('absent');
});

test('near miss: the node itself asks', () => {
  const asks = [{ from: W1, source: W1_IP, to: OUTSIDE_IP, l4: tcpSyn(80) }];
  expect(checkWith(egressNotMasqueraded, recordedCase({ ...outside, asks, edits: [noMasquerade] }), W1).is).toBe(
    'absent',
  );
});

test('unknown: whether the network carries pod addresses is not known', () => {
  const given = recordedCase({ ...outside, edits: [noMasquerade], gate: { podAddressesRoutable: 'unknown' } });
  expect(checkWith(egressNotMasqueraded, given, W1).is).toBe('unknown');
});

test('unknown: a line of the rules was not understood; the cluster’s addresses were not all listed', () => {
  const rules = recordedCase({ ...outside, edits: [noMasquerade, unparsed('iptables.nft', W1)] });
  expect(checkWith(egressNotMasqueraded, rules, W1).is).toBe('unknown');
  const list = recordedCase({ ...outside, edits: [noMasquerade], without: [[CLUSTER, ['api.services']]] });
  expect(checkWith(egressNotMasqueraded, list, W1).is).toBe('unknown');
});
