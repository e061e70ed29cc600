import { expect, test } from 'vitest';
import { checkWith, probe } from '../../diagnose/testing/build-case.ts';
import type { Edit } from '../../simulate/testing/recording.ts';
import { presentOf, statements } from '../testing/cause-cases.ts';
import { diagnosisOf, namedOn, recordedCase, WEB } from '../testing/recorded-case.ts';
import { listenQueueOverflow } from './listen-queue-overflow.ts';

const probes = { main: probe('no', 'timed-out') };

/** What ss prints of the web server's socket: so many wait, so many may. */
function queue(waiting: number, most: number): Edit {
  return ['sockets', WEB, (text) => text.replace(/^(tcp +LISTEN) +\d+ +\d+( +\*:8080 )/m, `$1 ${waiting} ${most}$2`)];
}

test('present: more wait than may', () => {
  const given = recordedCase({ edits: [queue(129, 128)], probes });
  expect(given.flows[0]!.dead[0]?.end).toMatchObject({ end: 'accept-queue-full', place: WEB, senderSees: 'nothing' });
  const finding = checkWith(listenQueueOverflow, given);
  expect(presentOf(finding).claims).toEqual([{ flow: 'main', leg: 'forward', segment: 0 }]);
  expect(presentOf(finding).place).toEqual({ ...WEB, object: 'tcp port 8080' });
  expect(statements(finding)).toMatch(
    /listens on \*:8080, but 129 connections wait there to be accepted, more than its queue takes \(128\): a SYN is dropped/,
  );
  expect(namedOn(given)).toEqual(['listen-queue-overflow']);
  const { causes } = diagnosisOf(given);
  expect(causes[0]).toMatchObject({ confidence: 'proven', counterfactual: { disposition: 'delivered' } });
});

test('present: the kernel counted what it dropped while the probes ran', () => {
  const counted = (overflows: number) =>
    JSON.stringify({ files: [{ path: '/proc/net/netstat', text: `TcpExt: ListenOverflows\nTcpExt: ${overflows}\n` }] });
  const given = recordedCase({
    edits: [queue(129, 128)],
    answers: [['counters', WEB, {}, counted(4)]],
    after: [['counters', WEB, {}, counted(7)]],
    probes,
  });
  const finding = checkWith(listenQueueOverflow, given);
  expect(statements(finding)).toContain('ListenOverflows rose by 3 while the probes ran');
  expect(presentOf(finding).evidence.map((one) => one.plane)).toEqual(['walk', 'kernel', 'probe']);
});

test('absent: nobody waits', () => {
  expect(checkWith(listenQueueOverflow, recordedCase({ probes })).is).toBe('absent');
});

test('near miss: as many wait as may, and one more is taken', () => {
  const given = recordedCase({ edits: [queue(128, 128)] });
  expect(checkWith(listenQueueOverflow, given).is).toBe('absent');
  expect(namedOn(given)).toEqual([]);
});

test('unknown: the sockets were not seen', () => {
  const given = recordedCase({ without: [[WEB, ['sockets']]], probes });
  expect(checkWith(listenQueueOverflow, given).is).toBe('unknown');
});
