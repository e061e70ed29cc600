import { expect, test } from 'vitest';
import type { Case } from '../../diagnose/check.ts';
import { checkWith, probe } from '../../diagnose/testing/build-case.ts';
import { presentOf, statements } from '../testing/cause-cases.ts';
import {
  type Answer,
  diagnosisOf,
  namedOn,
  type RecordedInput,
  recorded,
  recordedCase,
  WEB,
} from '../testing/recorded-case.ts';
import { udpBufferErrors } from './udp-buffer-errors.ts';

const PORT = 8081;
const udp = (rcvbufErrors: number): Answer => [
  'counters',
  WEB,
  {},
  JSON.stringify({
    files: [{ path: '/proc/net/snmp', text: `Udp: InDatagrams RcvbufErrors\nUdp: 90 ${rcvbufErrors}\n` }],
  }),
];
/** The web server's own sockets, with so much waiting at its port of UDP. */
const sockets = (waiting: number, others = ''): Answer => [
  'sockets',
  WEB,
  {},
  `${recorded('sockets', WEB).replace(/^(udp +UNCONN) +\d+ /m, `$1 ${waiting} `)}${others}`,
];

const full: RecordedInput = {
  asks: [{ l4: { protocol: 'udp', sourcePort: 'ephemeral', destinationPort: PORT } }],
  probes: { main: probe('unknown', 'silent') },
  answers: [udp(3), sockets(4352)],
  after: [udp(4)],
};

test('present: the counter rises, and this socket alone has something waiting', () => {
  const given = recordedCase(full);
  const finding = checkWith(udpBufferErrors, given);
  expect(presentOf(finding).place).toEqual({ ...WEB, object: `udp port ${PORT}` });
  expect(statements(finding)).toContain('UdpRcvbufErrors rose by 1 while the probes ran');
  expect(statements(finding)).toMatch(/has 4352 bytes waiting at udp port 8081 that it does not read/);
  expect(namedOn(given)).toEqual(['udp-buffer-errors']);
  expect(diagnosisOf(given).causes[0]!.confidence).toBe('proven');
});

test('present: nothing waits any more, and the kernel itself said so', () => {
  const given = recordedCase({ ...full, answers: [udp(3), sockets(0)] });
  const drop = {
    place: WEB,
    leg: 'there',
    as: 'itself',
    reason: 'SOCKET_RCVBUFF',
    function: 'udp_queue_rcv_one_skb',
    packets: 1,
    request: { action: 'drops.stop', place: WEB, args: {}, round: 0 },
  } as const;
  const told = (more: object): Case => ({
    ...given,
    flows: given.flows.map((flow) => ({ ...flow, drops: [{ ...drop, ...more }] })),
  });
  expect(checkWith(udpBufferErrors, told({})).is).toBe('present');
  expect(checkWith(udpBufferErrors, told({ reason: 'UDP_CSUM' })).is).toBe('unknown');
  expect(checkWith(udpBufferErrors, given).is).toBe('unknown');
});

test('unknown: another socket of the pod has something waiting as well', () => {
  const given = recordedCase({ ...full, answers: [udp(3), sockets(4352, 'udp UNCONN 99 0 0.0.0.0:9000 0.0.0.0:*\n')] });
  expect(checkWith(udpBufferErrors, given)).toMatchObject({
    is: 'unknown',
    because: expect.stringContaining('whether these were datagrams to port 8081'),
  });
  expect(namedOn(given)).toEqual([]);
});

test('near miss: the buffer holds something, and its counter stands still', () => {
  expect(checkWith(udpBufferErrors, recordedCase({ ...full, after: [udp(3)] })).is).toBe('absent');
});

test('near miss: it was answered', () => {
  const given = recordedCase({ ...full, probes: { main: probe('yes', 'answered') } });
  expect(checkWith(udpBufferErrors, given).is).toBe('absent');
});

test('absent: TCP', () => {
  expect(checkWith(udpBufferErrors, recordedCase({ probes: { main: probe('no', 'timed-out') } })).is).toBe('absent');
});

test('unknown: the counters were not read twice', () => {
  const { after: _, ...once } = full;
  expect(checkWith(udpBufferErrors, recordedCase(once)).is).toBe('unknown');
});
