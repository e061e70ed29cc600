import { expect, test } from 'vitest';
import { checkWith, probe } from '../../diagnose/testing/build-case.ts';
import { tcpSyn } from '../../simulate/testing/build-hook-input.ts';
import { presentOf, statements } from '../testing/cause-cases.ts';
import {
  type Ask,
  diagnosisOf,
  NEAR_WEB_IP,
  namedOn,
  type RecordedInput,
  recordedCase,
  SERVICE_IP,
  W2,
  WEB,
  WEB_IP,
  WEB_VETH,
} from '../testing/recorded-case.ts';
import { editJson, setLink } from '../testing/recorded-faults.ts';
import { hairpinDisabled } from './hairpin-disabled.ts';

/** One of the Service's two pods asks the Service; half of the connections come back to it. */
const OWN_SERVICE: Ask = { from: WEB, source: WEB_IP, to: SERVICE_IP, l4: tcpSyn(80) };
const OFF = setLink(W2, WEB_VETH, { hairpin: false });

function ofItself(more: RecordedInput = {}) {
  return recordedCase({ asks: [OWN_SERVICE], question: { port: 80 }, changes: [OFF], ...more });
}

test('present: half of the connections, those that the Service leads back to the pod', () => {
  const given = ofItself({ probes: { main: probe('no', 'timed-out') } });
  const [dead] = given.flows[0]!.dead;
  expect(dead).toMatchObject({ chance: { min: 0.5, max: 0.5 }, end: { end: 'bridge-blocked', senderSees: 'nothing' } });
  const finding = checkWith(hairpinDisabled, given, W2);
  expect(presentOf(finding).place).toEqual({ ...W2, object: `hairpin of ${WEB_VETH}` });
  expect(statements(finding)).toContain('hairpin is off');
  expect(namedOn(given)).toEqual(['hairpin-disabled']);
  const [named] = diagnosisOf(given).causes;
  expect(named).toMatchObject({ confidence: 'proven', counterfactual: { disposition: 'delivered' } });
});

test('absent: hairpin mode is on, and the pod reaches itself by its Service', () => {
  const given = ofItself({ changes: [] });
  expect(given.flows[0]!.dead).toEqual([]);
  expect(checkWith(hairpinDisabled, given, W2).is).toBe('absent');
  expect(namedOn(given)).toEqual([]);
});

test('absent: it is off, and another pod asks', () => {
  expect(checkWith(hairpinDisabled, recordedCase({ changes: [OFF] }), W2).is).toBe('absent');
});

test('near miss: another’s frame that a wrong entry leads back', () => {
  const given = ofItself();
  const elsewhere = given.flows.map((flow) => ({ ...flow, source: NEAR_WEB_IP }));
  expect(checkWith(hairpinDisabled, { ...given, flows: elsewhere }, W2).is).not.toBe('present');
});

test('unknown: a promiscuous bridge, and ports that were not seen', () => {
  const promiscuous = editJson('links', W2, (links) =>
    links.map((one) =>
      one['ifname'] === 'cni0' ? { ...one, flags: [...(one['flags'] as string[]), 'PROMISC'] } : one,
    ),
  );
  expect(checkWith(hairpinDisabled, ofItself({ edits: [promiscuous] }), W2)).toMatchObject({
    is: 'unknown',
    because: expect.stringContaining('promiscuous'),
  });
  expect(checkWith(hairpinDisabled, ofItself({ changes: [], without: [[W2, ['links']]] }), W2).is).toBe('unknown');
});
