import { expect, test } from 'vitest';
import type { Case } from '../../diagnose/check.ts';
import type { CaptureDevice, CaptureLoss, FlowCapture } from '../../diagnose/derived.ts';
import type { Evidence } from '../../diagnose/evidence.ts';
import { checkWith, probe } from '../../diagnose/testing/build-case.ts';
import { ECHO } from '../../simulate/testing/build-hook-input.ts';
import { presentOf, statements } from '../testing/cause-cases.ts';
import {
  type Answer,
  type Ask,
  namedOn,
  PING,
  type RecordedInput,
  recorded,
  recordedCase,
  W1,
  W1_IP,
  W2,
  W2_IP,
} from '../testing/recorded-case.ts';
import { addFdb, filterPolicy, insertRule, removeFdb } from '../testing/recorded-faults.ts';
import { overlayPortBlocked } from './overlay-port-blocked.ts';

const no = probe('no', 'timed-out');
const RULE = '-A INPUT -p udp -m udp --dport 8472 -j DROP';

test('present: a rule of the receiver drops the outer packet', () => {
  const given = recordedCase({ changes: [insertRule(W2, RULE)], probes: { main: no } });
  const finding = checkWith(overlayPortBlocked, given, W2);
  expect(presentOf(finding).claims).toEqual([{ flow: 'main', leg: 'forward', segment: 0 }]);
  expect(presentOf(finding).place).toEqual({ ...W2, object: 'iptables-nft filter INPUT rule 1' });
  expect(presentOf(finding).change).toEqual([
    expect.objectContaining({ op: 'rule', place: W2, act: 'remove', chain: 'INPUT', number: 1 }),
  ]);
  expect(presentOf(finding).evidence.map((one) => one.plane)).toEqual(['walk', 'probe']);
  expect(statements(finding)).toContain(
    `“${RULE}” (iptables-nft filter INPUT rule 1) drops the outer packet ${W1_IP} → ${W2_IP}, udp port 8472, which carries 10.244.0.4 → 10.244.1.3`,
  );
  expect(presentOf(finding).fix.summary).toContain('let udp port 8472 through between all nodes');
  expect(namedOn(given)).toEqual(['overlay-port-blocked']);
});

test('present: the INPUT policy does; and the sender’s own OUTPUT rule', () => {
  const policy = recordedCase({ changes: [filterPolicy(W2, 'INPUT')], probes: { main: no } });
  expect(statements(checkWith(overlayPortBlocked, policy, W2))).toContain('the iptables-nft filter INPUT policy drops');
  const output = recordedCase({
    changes: [insertRule(W1, '-A OUTPUT -p udp -m udp --dport 8472 -j DROP')],
    probes: { main: no },
  });
  expect(presentOf(checkWith(overlayPortBlocked, output, W1)).place?.object).toContain('OUTPUT rule 1');
  expect(namedOn(output)).toEqual(['overlay-port-blocked']);
});

/** flannel.1's own statistics, as `ip -s link` prints them after the probes. */
function flannelCounted(
  place: typeof W1,
  rises: { readonly tx?: number; readonly rx?: number; readonly txDropped?: number },
): Answer {
  const [first] = recorded('links', place).split('\n');
  const links = (
    JSON.parse(first!) as {
      ifname: string;
      stats64: { rx: { packets: number }; tx: { packets: number; dropped: number } };
    }[]
  ).map((link) => {
    if (link.ifname !== 'flannel.1') return link;
    const { rx, tx } = link.stats64;
    return {
      ...link,
      stats64: {
        rx: { ...rx, packets: rx.packets + (rises.rx ?? 0) },
        tx: { ...tx, packets: tx.packets + (rises.tx ?? 0), dropped: tx.dropped + (rises.txDropped ?? 0) },
      },
    };
  });
  return ['links', place, {}, JSON.stringify(links)];
}

const udp = (inCsumErrors: number, noPorts = 2): Answer => [
  'counters',
  W2,
  {},
  JSON.stringify({
    files: [
      {
        path: '/proc/net/snmp',
        text: `Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors\nUdp: 90 ${noPorts} 0 70 0 0 ${inCsumErrors}\n`,
      },
    ],
  }),
];

const underlay: Ask = { id: 'underlay/w2', purpose: 'underlay', from: W1, source: W1_IP, to: W2_IP, l4: ECHO };
const nodesAnswer = probe('yes', 'answered', `ping of ${W2_IP} with 56 bytes: 3 of 3 answered`);

/** The fabric drops UDP 8472: walks deliver, probes hear nothing, the tunnel's counters stand still at the receiver. */
const lost: RecordedInput = {
  asks: [{}, PING, underlay],
  probes: { main: no, icmp: probe('no', 'silent'), 'underlay/w2': nodesAnswer },
  answers: [udp(0)],
  after: [flannelCounted(W1, { tx: 6 }), flannelCounted(W2, {}), udp(0)],
};

test('present: no rule drops it, and what the tunnel sends never arrives, while the nodes ping each other', () => {
  const given = recordedCase(lost);
  const finding = checkWith(overlayPortBlocked, given, W1);
  expect(presentOf(finding).claims).toEqual([]);
  expect(presentOf(finding).place).toEqual({ ...W1, object: 'overlay to w2 (UDP port 8472)' });
  expect(presentOf(finding).evidence.map((one) => one.plane)).toEqual(['kernel', 'kernel', 'probe', 'probe', 'probe']);
  expect(statements(finding)).toContain('flannel.1 of w1 (UDP port 8472) sent 6 packets while the probes ran');
  expect(statements(finding)).toContain('flannel.1 of w2 (UDP port 8472) received none in that time');
  expect(statements(finding)).toContain(nodesAnswer.statement);
  expect(namedOn(given)).toEqual(['overlay-port-blocked']);
});

/** The case with what a capture of the asked flow saw. */
function withLoss(input: RecordedInput, before: Partial<CaptureDevice> = {}): Case {
  const given = recordedCase(input);
  const tunnel = { kind: 'vxlan', port: 8472 };
  const loss: CaptureLoss = {
    leg: 'there',
    after: { place: W1, device: 'eth0', way: 'out', tunnel },
    before: [{ place: W2, device: 'eth0', way: 'in', tunnel, ...before }],
  };
  const evidence: Evidence = {
    kind: 'capture',
    plane: 'capture',
    place: { ...W1, device: 'eth0' },
    source: { request: { action: 'capture.stop', place: W1, args: { id: 'eth0' }, round: 0 } },
    values: {},
    statement: 'a capture at 10 devices: last seen out by eth0 of w1, not seen in by eth0 of w2',
  };
  const capture: FlowCapture = { agrees: 'unknown', statement: 'lost', losses: [loss], wrongOuterSums: [], evidence };
  return { ...given, flows: given.flows.map((flow) => (flow.id === 'main' ? { ...flow, capture } : flow)) };
}

const othersPass: RecordedInput = {
  ...lost,
  after: [flannelCounted(W1, { tx: 6 }), flannelCounted(W2, { rx: 9 }), udp(0)],
};

test('present: a capture tells our packets from others’, which the counters do not', () => {
  expect(checkWith(overlayPortBlocked, recordedCase(othersPass), W1).is).toBe('unknown');
  const finding = checkWith(overlayPortBlocked, withLoss(othersPass), W1);
  expect(presentOf(finding).evidence.map((one) => one.plane)).toEqual(['capture', 'probe', 'probe', 'probe']);
  expect(statements(finding)).toContain('not seen in by eth0 of w2');
});

test.each<[string, Partial<CaptureDevice>]>([
  ['behind the receiver’s own rules', { device: 'flannel.1', tunnel: undefined as never }],
  ['between other nodes', { place: { ...W2, node: 'w3' } }],
])('near miss: the capture lost it %s', (_, before) => {
  expect(checkWith(overlayPortBlocked, withLoss(othersPass, before), W1).is).toBe('unknown');
});

test('near miss: a capture saw it lost between the nodes, which do not reach each other at all', () => {
  const silent = { ...othersPass, probes: { ...lost.probes, 'underlay/w2': probe('no', 'silent') } };
  expect(checkWith(overlayPortBlocked, withLoss(silent), W1).is).toBe('unknown');
});

test('absent: nothing is lost', () => {
  const given = recordedCase({ ...lost, probes: { main: probe('yes', 'connected') } });
  expect(checkWith(overlayPortBlocked, given, W1).is).toBe('absent');
  expect(checkWith(overlayPortBlocked, recordedCase(), W2).is).toBe('absent');
});

test.each<[string, RecordedInput]>([
  [
    'the packets come out of the tunnel, and the pod does not answer',
    { after: [flannelCounted(W1, { tx: 6 }), flannelCounted(W2, { rx: 6 }), udp(0)] },
  ],
  ['others’ packets come out of it', { after: [flannelCounted(W1, { tx: 6 }), flannelCounted(W2, { rx: 1 }), udp(0)] }],
  [
    'they arrive with a bad checksum (vxlan-bad-checksum)',
    { after: [flannelCounted(W1, { tx: 6 }), flannelCounted(W2, {}), udp(6)] },
  ],
  ['they arrive at a closed port', { after: [flannelCounted(W1, { tx: 6 }), flannelCounted(W2, {}), udp(0, 8)] }],
  [
    'the sender’s device sent nothing: the packets were lost before',
    { after: [flannelCounted(W1, {}), flannelCounted(W2, {}), udp(0)] },
  ],
  [
    'the sender’s device dropped some itself',
    { after: [flannelCounted(W1, { tx: 4, txDropped: 2 }), flannelCounted(W2, {}), udp(0)] },
  ],
  ['the nodes do not reach each other at all', { probes: { ...lost.probes, 'underlay/w2': probe('no', 'silent') } }],
  ['whether they do was not tried', { asks: [{}, PING] }],
])('near miss, not named: %s', (_, more) => {
  const given = recordedCase({ ...lost, ...more });
  expect(checkWith(overlayPortBlocked, given, W1).is).toBe('unknown');
  expect(namedOn(given)).not.toContain('overlay-port-blocked');
});

test('near miss: the ping was to the node’s own address, the tunnel goes to another one of it', () => {
  const mac = '76:da:b1:5b:19:df';
  const given = recordedCase({
    ...lost,
    changes: [
      { op: 'address', place: W2, act: 'add', line: 'inet 10.79.0.112/24 dev eth0', text: 'a second address' },
      removeFdb(W1, `${mac} dev flannel.1`),
      addFdb(W1, `${mac} dev flannel.1 dst 10.79.0.112 self permanent`),
    ],
  });
  expect(given.flows[0]!.dead).toEqual([]);
  expect(checkWith(overlayPortBlocked, given, W1).is).toBe('unknown');
});

test('near miss: refused or unreachable, somebody answered', () => {
  for (const outcome of ['refused', 'unreachable']) {
    const given = recordedCase({
      ...lost,
      asks: [{}, underlay],
      probes: { ...lost.probes, main: probe('no', outcome) },
    });
    expect(checkWith(overlayPortBlocked, given, W1).is).toBe('absent');
  }
});

test('near miss: a rule that drops the pods’ own packets', () => {
  const given = recordedCase({
    changes: [insertRule(W2, '-A FORWARD -d 10.244.1.0/24 -j DROP')],
    probes: { main: no },
  });
  expect(checkWith(overlayPortBlocked, given, W2).is).toBe('absent');
  expect(namedOn(given)).toEqual(['host-firewall-drop']);
});

test('unknown: the counters were not read twice', () => {
  expect(checkWith(overlayPortBlocked, recordedCase({ ...lost, after: [] }), W1)).toMatchObject({
    is: 'unknown',
    because: expect.stringContaining('were not both read twice'),
  });
});

test('unknown: the walk could not go on at the receiver', () => {
  const given = recordedCase({ without: [[W2, ['iptables.nft']]], probes: { main: no } });
  expect(checkWith(overlayPortBlocked, given, W2).is).toBe('unknown');
});
