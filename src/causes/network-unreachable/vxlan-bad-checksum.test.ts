import { expect, test } from 'vitest';
import type { Case } from '../../diagnose/check.ts';
import type { CaptureDevice, FlowCapture } from '../../diagnose/derived.ts';
import { checkWith, probe } from '../../diagnose/testing/build-case.ts';
import { presentOf, statements } from '../testing/cause-cases.ts';
import { type Answer, namedOn, PING, type RecordedInput, recordedCase, W1, W2 } from '../testing/recorded-case.ts';
import { vxlanBadChecksum } from './vxlan-bad-checksum.ts';

const udp = (inCsumErrors: number): Answer => [
  'counters',
  W2,
  {},
  JSON.stringify({
    files: [
      {
        path: '/proc/net/snmp',
        text: `Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors\nUdp: 90 2 0 70 0 0 ${inCsumErrors}\n`,
      },
    ],
  }),
];

/** Walks deliver, probes hear nothing. */
const lost: RecordedInput = {
  asks: [{}, PING],
  probes: { main: probe('no', 'timed-out'), icmp: probe('no', 'silent') },
  answers: [udp(1)],
  after: [udp(7)],
};

const TUNNEL = { kind: 'vxlan', port: 8472 };
const NIC: CaptureDevice = { place: W2, device: 'eth0', way: 'in', tunnel: TUNNEL };
const DAMAGED = [{ place: W2, device: 'eth0', packets: 4 }];

function captured(input: RecordedInput, seen: Partial<Pick<FlowCapture, 'losses' | 'wrongOuterSums'>> = {}): Case {
  const given = recordedCase(input);
  const capture: FlowCapture = {
    agrees: 'unknown',
    statement: 'lost',
    losses: [{ leg: 'there', after: NIC, before: [{ place: W2, device: 'flannel.1', way: 'in' }] }],
    wrongOuterSums: DAMAGED,
    evidence: {
      kind: 'capture',
      plane: 'capture',
      place: { ...W2, device: 'eth0' },
      source: { request: { action: 'capture.stop', place: W2, args: { id: 'eth0' }, round: 0 } },
      values: {},
      statement: 'a capture at 10 devices: last seen in by eth0 of w2, not seen in by flannel.1 of w2',
    },
    ...seen,
  };
  return { ...given, flows: given.flows.map((flow) => (flow.id === 'main' ? { ...flow, capture } : flow)) };
}

test('present: packets come in with a wrong outer sum and go no further', () => {
  const given = captured(lost);
  const finding = checkWith(vxlanBadChecksum, given, W2);
  expect(presentOf(finding)).toMatchObject({ claims: [], place: { ...W2, object: 'what comes in by eth0' } });
  expect(presentOf(finding).evidence.map((one) => one.plane)).toEqual(['capture', 'kernel', 'probe', 'probe']);
  expect(statements(finding)).toContain('UdpInCsumErrors rose by 6 while the probes ran');
  expect(namedOn(given)).toEqual(['vxlan-bad-checksum']);
});

test('present: without counters the capture is enough', () => {
  const { after: _, ...uncounted } = lost;
  expect(presentOf(checkWith(vxlanBadChecksum, captured(uncounted), W2)).evidence[0]!.plane).toBe('capture');
});

test('unknown: the sum looks wrong, and the kernel counts no packet that it refused for it', () => {
  expect(checkWith(vxlanBadChecksum, captured({ ...lost, after: [udp(1)] }), W2)).toMatchObject({
    is: 'unknown',
    because: expect.stringContaining('UdpInCsumErrors stood still'),
  });
});

test('absent at the sender', () => {
  expect(checkWith(vxlanBadChecksum, captured({ ...lost, after: [udp(1)] }), W1).is).toBe('absent');
});

test.each<[string, Partial<Pick<FlowCapture, 'losses' | 'wrongOuterSums'>>]>([
  ['the sums are right', { wrongOuterSums: [] }],
  ['they are wrong at another node', { wrongOuterSums: [{ ...DAMAGED[0]!, place: { ...W2, node: 'w3' } }] }],
  [
    'it goes on for all that, and is lost later',
    {
      losses: [
        {
          leg: 'there',
          after: { place: W2, device: 'flannel.1', way: 'in' },
          before: [{ place: W2, device: 'cni0', way: 'out' }],
        },
      ],
    },
  ],
])('near miss: %s', (_, seen) => {
  const quiet = { ...lost, after: [udp(1)] };
  expect(checkWith(vxlanBadChecksum, captured(quiet, seen), W2).is).toBe('absent');
});

test('unknown: the counter rises, and no capture tells whose packets these were', () => {
  expect(checkWith(vxlanBadChecksum, recordedCase(lost), W2)).toMatchObject({
    is: 'unknown',
    because: expect.stringContaining('UdpInCsumErrors rose by 6'),
  });
});

test('absent: what is answered was not dropped', () => {
  const given = captured({ ...lost, probes: { main: probe('yes', 'connected') } });
  expect(checkWith(vxlanBadChecksum, given, W2).is).toBe('absent');
});
