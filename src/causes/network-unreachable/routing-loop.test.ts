import { expect, test } from 'vitest';
import { buildCase, checkWith, flow, hop, leafTrace, probe, step } from '../../diagnose/testing/build-case.ts';
import { presentOf, statements } from '../testing/cause-cases.ts';
import {
  diagnosisOf,
  namedOn,
  type RecordedInput,
  recordedCase,
  W1,
  W1_IP,
  W2,
  W2_IP,
} from '../testing/recorded-case.ts';
import { addRoute } from '../testing/recorded-faults.ts';
import { routingLoop } from './routing-loop.ts';

const NETWORK = '10.244.77.0/24';
const ADDRESS = '10.244.77.5';
const CROSSED = [addRoute(W1, `${NETWORK} via ${W2_IP} dev eth0`), addRoute(W2, `${NETWORK} via ${W1_IP} dev eth0`)];

function toNobody(more: RecordedInput = {}) {
  return recordedCase({ asks: [{ to: ADDRESS }], changes: CROSSED, ...more });
}

test('present: two nodes lead it to each other, however it dies of that', () => {
  const given = toNobody({ probes: { main: probe('no', 'timed-out') } });
  expect(given.flows[0]!.dead.length).toBeGreaterThan(0);
  const finding = checkWith(routingLoop, given);
  expect(presentOf(finding).claims).toHaveLength(given.flows[0]!.dead.length);
  expect(presentOf(finding).place?.object).toMatch(/^routes to 10\.244\.77\.5 at w[12] and w[12]$/);
  expect(statements(finding)).toContain(`w1 sends it on by “${NETWORK} via ${W2_IP} dev eth0`);
  expect(statements(finding)).toContain(`w2 sends it on by “${NETWORK} via ${W1_IP} dev eth0`);
  expect(namedOn(given)).toEqual(['routing-loop']);
  // Which of the two is wrong nobody's state tells: no change, and so no proof.
  expect(diagnosisOf(given).causes[0]).toMatchObject({ confidence: 'observed' });
});

test('absent: every walk arrives', () => {
  expect(checkWith(routingLoop, recordedCase()).is).toBe('absent');
});

test('near miss: a route to the wrong node, which has no way on', () => {
  const given = toNobody({ changes: [CROSSED[0]!, addRoute(W2, `blackhole ${NETWORK}`)] });
  expect(checkWith(routingLoop, given).is).not.toBe('present');
});

test('near miss: a loop of bridges, in which one host routes and nobody else', () => {
  const bridged = leafTrace('loop', {
    place: W1,
    steps: [step()],
    before: [hop(W1, [step()]), hop(W2, [step({ kind: 'bridge' })])],
  });
  expect(checkWith(routingLoop, buildCase({ flows: [flow({ forward: bridged })] })).is).not.toBe('present');
});

test('unknown: the other node’s routes were not seen', () => {
  const given = toNobody({ changes: [CROSSED[0]!], without: [[W2, ['routes']]] });
  expect(checkWith(routingLoop, given).is).toBe('unknown');
});
