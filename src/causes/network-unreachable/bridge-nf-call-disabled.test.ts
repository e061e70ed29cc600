import { expect, test } from 'vitest';
import { checkWith, probe } from '../../diagnose/testing/build-case.ts';
import { tcpSyn } from '../../simulate/testing/build-hook-input.ts';
import type { Edit } from '../../simulate/testing/recording.ts';
import type { SnapshotChange } from '../../snapshot/snapshot.ts';
import { presentOf, statements } from '../testing/cause-cases.ts';
import {
  type Ask,
  diagnosisOf,
  namedOn,
  type RecordedInput,
  recordedCase,
  SERVICE_IP,
  W1,
  W2,
} from '../testing/recorded-case.ts';
import { editJson } from '../testing/recorded-faults.ts';
import { bridgeNfCallDisabled } from './bridge-nf-call-disabled.ts';

/** One of the Service's two pods is beside the client. */
const TO_SERVICE: Ask = { to: SERVICE_IP, l4: tcpSyn(80) };
const KEY = 'net.bridge.bridge-nf-call-iptables';
const OFF: SnapshotChange = { op: 'sysctl', place: W1, key: KEY, value: '0', text: `${KEY}=0` };

function toService(more: RecordedInput = {}) {
  return recordedCase({ asks: [TO_SERVICE], question: { port: 80 }, changes: [OFF], ...more });
}

test('present: the answer of the pod beside the client comes from the wrong address', () => {
  const given = toService({ probes: { main: probe('no', 'timed-out') } });
  expect(given.flows[0]!.dead).toHaveLength(1);
  expect(given.flows[0]!.dead[0]!.end.end).toBe('reply-not-matched');
  const finding = checkWith(bridgeNfCallDisabled, given, W1);
  expect(presentOf(finding).place).toEqual({ ...W1, object: KEY });
  expect(statements(finding)).toContain(`${KEY} = 0`);
  expect(namedOn(given)).toEqual(['bridge-nf-call-disabled']);
  expect(diagnosisOf(given).causes[0]).toMatchObject({
    confidence: 'proven',
    counterfactual: { disposition: 'delivered' },
  });
});

test('present: br_netfilter is not loaded, so that there is no setting', () => {
  const notLoaded: Edit = [
    'sysctls',
    W1,
    (text) => {
      const reply = JSON.parse(text) as { readonly files: readonly { readonly path: string }[] };
      return JSON.stringify({ ...reply, files: reply.files.filter(({ path }) => !path.includes('/bridge/')) });
    },
  ];
  const finding = checkWith(bridgeNfCallDisabled, toService({ changes: [], edits: [notLoaded] }), W1);
  expect(statements(finding)).toContain('br_netfilter is not loaded');
  expect(presentOf(finding).fix.commands[0]).toMatch(/^modprobe br_netfilter/);
});

test('absent: it is on', () => {
  const given = toService({ changes: [] });
  expect(checkWith(bridgeNfCallDisabled, given, W1).is).toBe('absent');
  expect(namedOn(given)).toEqual([]);
});

test('absent: it is off where nothing is translated, and where nobody asks a Service', () => {
  expect(checkWith(bridgeNfCallDisabled, toService(), W2).is).toBe('absent');
  expect(namedOn(recordedCase({ changes: [OFF] }))).toEqual([]);
});

test('near miss: the bridge’s own switch does it as well', () => {
  const own = editJson('links', W1, (links) =>
    links.map((one) => {
      const { linkinfo } = one as { readonly linkinfo?: { readonly info_data?: object } };
      return one['ifname'] === 'cni0'
        ? { ...one, linkinfo: { ...linkinfo, info_data: { ...linkinfo?.info_data, nf_call_iptables: 1 } } }
        : one;
    }),
  );
  expect(namedOn(toService({ edits: [own] }))).toEqual([]);
});

test('unknown: the settings were not seen', () => {
  expect(checkWith(bridgeNfCallDisabled, toService({ changes: [], without: [[W1, ['sysctls']]] }), W1).is).toBe(
    'unknown',
  );
});
