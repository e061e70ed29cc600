import { expect, test } from 'vitest';
import { checkWith } from '../../diagnose/testing/build-case.ts';
import { presentOf, statements } from '../testing/cause-cases.ts';
import { large, passes, small, told } from '../testing/large-packets.ts';
import {
  type Answer,
  CLIENT,
  CLIENT_IP,
  diagnosisOf,
  namedOn,
  type RecordedInput,
  recordedCase,
  WEB_IP,
} from '../testing/recorded-case.ts';
import { mtuStalePmtuCache } from './mtu-stale-pmtu-cache.ts';

const exception = (mtu: number, to = WEB_IP): Answer => [
  'route-exceptions',
  CLIENT,
  { family: 4 },
  // As `ip -N -d -j route show cache` has it; this kernel lists it twice.
  JSON.stringify(
    [1, 2].map(() => ({
      ...{ type: '1', dst: to, gateway: '10.244.0.1', dev: 'eth0', flags: [], cache: [] },
      ...{ expires: 512, metrics: [{ mtu }] },
    })),
  ),
];

const syn = (answered: number, sent = 3): Answer => [
  'probe.syn',
  CLIENT,
  { address: WEB_IP, source: CLIENT_IP, port: 8080, sizeBytes: 1450, count: 3, intervalMs: 100, timeoutMs: 1_000 },
  JSON.stringify({ sent, answered, resets: 0, disturbed: 3 - sent }),
];

const given = (...answers: readonly Answer[]): RecordedInput => ({
  asks: [{}, small, large],
  probes: { icmp: passes, large: told },
  answers,
});

test('present, as a risk: a full-sized SYN gets through that does not heed what was learnt', () => {
  const stale = recordedCase(given(exception(1300), syn(3)));
  const finding = checkWith(mtuStalePmtuCache, stale);
  expect(presentOf(finding).place).toEqual({ ...CLIENT, object: `path MTU 1300 learnt for ${WEB_IP}` });
  expect(statements(finding)).toContain(`the kernel keeps 1300 bytes as the path MTU of ${WEB_IP}, for another 512 s`);
  expect(statements(finding)).toContain('3 of 3 answered');
  expect(diagnosisOf(stale).causes.map(({ cause }) => [cause.id, cause.gravity])).toEqual([
    ['mtu-stale-pmtu-cache', 'risk'],
  ]);
  expect(namedOn(stale)).toEqual([]);
});

test('near miss: what was learnt is what the path has', () => {
  const right = recordedCase(given(exception(1300), syn(0)));
  expect(checkWith(mtuStalePmtuCache, right)).toMatchObject({
    is: 'absent',
    because: expect.stringContaining('none of 3 answered'),
  });
});

test('near miss: it was learnt of another destination', () => {
  expect(checkWith(mtuStalePmtuCache, recordedCase(given(exception(1300, '10.244.1.9'), syn(3)))).is).toBe('absent');
});

test('near miss: large packets pass', () => {
  const input = { ...given(exception(1450), syn(3)), probes: { large: passes } };
  expect(checkWith(mtuStalePmtuCache, recordedCase(input)).is).toBe('absent');
});

test('unknown: what was learnt was not read; whether there is more was not tried', () => {
  expect(checkWith(mtuStalePmtuCache, recordedCase(given(syn(3)))).is).toBe('unknown');
  expect(checkWith(mtuStalePmtuCache, recordedCase(given(exception(1300)))).is).toBe('unknown');
  expect(checkWith(mtuStalePmtuCache, recordedCase(given(exception(1300), syn(0, 0)))).is).toBe('unknown');
});
