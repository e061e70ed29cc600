import { expect, test } from 'vitest';
import type { Case } from '../../diagnose/check.ts';
import type { CaptureDevice, FlowCapture } from '../../diagnose/derived.ts';
import { checkWith, probe } from '../../diagnose/testing/build-case.ts';
import { presentOf, statements } from '../testing/cause-cases.ts';
import {
  type Answer,
  diagnosisOf,
  namedOn,
  PING,
  type RecordedInput,
  recordedCase,
  W2,
  WEB_VETH,
} from '../testing/recorded-case.ts';
import { qdiscShapingDrops } from './qdisc-shaping-drops.ts';

const shaper = (drops: number, more: object = {}): Answer => [
  'qdiscs',
  W2,
  {},
  JSON.stringify([
    {
      kind: 'tbf',
      handle: '8001:',
      dev: WEB_VETH,
      root: true,
      options: { rate: 125, burst: 70 },
      drops,
      overlimits: drops,
      ...more,
    },
  ]),
];

const lost: RecordedInput = {
  asks: [{}, PING],
  probes: { main: probe('no', 'timed-out'), icmp: probe('no', 'silent') },
  answers: [shaper(2)],
  after: [shaper(9)],
};
const at = (device: string, way: 'in' | 'out'): CaptureDevice => ({ place: W2, device, way });

function captured(input: RecordedInput, after: CaptureDevice, before: CaptureDevice): Case {
  const given = recordedCase(input);
  const capture: FlowCapture = {
    agrees: 'unknown',
    statement: 'lost',
    losses: [{ leg: 'there', after, before: [before] }],
    wrongOuterSums: [],
    evidence: {
      kind: 'capture',
      plane: 'capture',
      place: W2,
      source: { request: { action: 'capture.stop', place: W2, args: { id: 'cni0' }, round: 0 } },
      values: {},
      statement: `a capture: last seen ${after.way} by ${after.device}, not seen ${before.way} by ${before.device}`,
    },
  };
  return { ...given, flows: given.flows.map((flow) => (flow.id === 'main' ? { ...flow, capture } : flow)) };
}
const atShaper = (input: RecordedInput): Case => captured(input, at('cni0', 'out'), at(WEB_VETH, 'out'));

test('present: the packets go no further than the shaper, whose drops rise', () => {
  const given = atShaper(lost);
  const finding = checkWith(qdiscShapingDrops, given);
  expect(presentOf(finding)).toMatchObject({ claims: [], place: { ...W2, object: `qdisc tbf of ${WEB_VETH}` } });
  expect(statements(finding)).toContain(`${WEB_VETH} of w2 is held back by tbf: 1000 bit/s, a bucket of 70 bytes`);
  expect(statements(finding)).toContain(`drops of qdisc tbf of ${WEB_VETH} rose by 7 while the probes ran`);
  expect(namedOn(given)).toEqual(['qdisc-shaping-drops']);
  expect(diagnosisOf(given).causes[0]!.confidence).toBe('proven');
});

test('present: without a capture, by the kernel’s own word', () => {
  const given = recordedCase(lost);
  const request = { action: 'drops.stop', place: W2, args: {}, round: 0 };
  const said = {
    place: W2,
    device: WEB_VETH,
    leg: 'there',
    as: 'itself',
    reason: 'QDISC_DROP',
    function: '__dev_queue_xmit',
    packets: 2,
    request,
  } as const;
  const with_ = (more: object): Case => ({
    ...given,
    flows: given.flows.map((flow) => (flow.id === 'main' ? { ...flow, drops: [{ ...said, ...more }] } : flow)),
  });
  expect(checkWith(qdiscShapingDrops, with_({})).is).toBe('present');
  expect(checkWith(qdiscShapingDrops, with_({ device: 'cni0' })).is).toBe('unknown');
  expect(checkWith(qdiscShapingDrops, with_({ reason: 'NETFILTER_DROP' })).is).toBe('unknown');
});

test('unknown: the drops rise, and nothing tells whose packets these were', () => {
  expect(checkWith(qdiscShapingDrops, recordedCase(lost))).toMatchObject({
    is: 'unknown',
    because: expect.stringContaining('rose by 7'),
  });
  expect(namedOn(recordedCase(lost))).not.toContain('qdisc-shaping-drops');
});

test.each<[string, Case]>([
  ['its drops stand still', atShaper({ ...lost, after: [shaper(2)] })],
  ['it is lost behind the shaper', captured(lost, at(WEB_VETH, 'out'), at('eth0', 'in'))],
  [
    'it is no shaper',
    atShaper({ ...lost, answers: [shaper(2, { kind: 'fq_codel' })], after: [shaper(9, { kind: 'fq_codel' })] }),
  ],
  [
    'the shaper is another pod’s',
    atShaper({ ...lost, answers: [shaper(2, { dev: 'veth0' })], after: [shaper(9, { dev: 'veth0' })] }),
  ],
])('near miss: %s', (_, given) => {
  expect(checkWith(qdiscShapingDrops, given).is).toBe('absent');
});

test('absent: what is answered was not dropped', () => {
  expect(checkWith(qdiscShapingDrops, recordedCase({ ...lost, probes: { main: probe('yes', 'connected') } })).is).toBe(
    'absent',
  );
});

test('unknown: the disciplines were not read twice', () => {
  const { after: _, ...once } = lost;
  expect(checkWith(qdiscShapingDrops, recordedCase(once)).is).toBe('unknown');
});
