import { expect, test } from 'vitest';
import { checkWith } from '../../diagnose/testing/build-case.ts';
import { presentOf, statements } from '../testing/cause-cases.ts';
import { large, narrow, passes, small } from '../testing/large-packets.ts';
import { namedOn, recordedCase, W2, WEB, WEB_VETH } from '../testing/recorded-case.ts';
import { editLink, insertRule } from '../testing/recorded-faults.ts';
import { mtuMismatchVeth } from './mtu-mismatch-veth.ts';

const smaller = (place: typeof WEB, device: string) => [editLink(place, device, (link) => ({ ...link, mtu: 1350 }))];

test('present: the pod’s end is smaller', () => {
  const given = recordedCase(narrow(1350, { edits: smaller(WEB, 'eth0') }));
  const finding = checkWith(mtuMismatchVeth, given);
  expect(presentOf(finding).place).toEqual({ ...WEB, object: 'eth0 MTU 1350' });
  expect(statements(finding)).toContain(`${WEB_VETH} hands 1450 bytes to eth0 of ${WEB.namespace} on w2`);
  expect(statements(finding)).toContain(`${WEB_VETH} of w2, which sends to it, has MTU 1450`);
  expect(namedOn(given)).toEqual(['mtu-mismatch-veth']);
});

test('present: the host’s end is smaller; one probe stands for all sizes', () => {
  const given = recordedCase(narrow(1350, { edits: smaller(W2, WEB_VETH) }));
  const finding = presentOf(checkWith(mtuMismatchVeth, given));
  expect(finding.place).toEqual({ ...W2, object: `${WEB_VETH} MTU 1350` });
  expect(finding.evidence.filter(({ plane }) => plane === 'probe')).toHaveLength(1);
  expect(namedOn(given)).toEqual(['mtu-mismatch-veth']);
});

test('near miss: four bytes more pass, as with a VLAN tag', () => {
  const edits = [editLink(WEB, 'eth0', (link) => ({ ...link, mtu: 1446 }))];
  const given = recordedCase({ asks: [{}, small, large], edits });
  expect(checkWith(mtuMismatchVeth, given).is).toBe('absent');
});

test('near miss: a NIC of the node is the smaller one', () => {
  const edits = [editLink(W2, 'eth0', (link) => ({ ...link, mtu: 1400 }))];
  expect(checkWith(mtuMismatchVeth, recordedCase(narrow(1350, { edits }))).is).toBe('absent');
});

test('near miss: a rule drops what is long', () => {
  const changes = [insertRule(W2, '-A FORWARD -m length --length 1351:65535 -j DROP')];
  expect(checkWith(mtuMismatchVeth, recordedCase(narrow(1350, { changes }))).is).toBe('absent');
});

test('absent: all devices agree; unknown: the node’s devices were not seen', () => {
  const healthy = recordedCase({ asks: [{}, small, large], probes: { large: passes } });
  expect(checkWith(mtuMismatchVeth, healthy).is).toBe('absent');
  expect(checkWith(mtuMismatchVeth, recordedCase(narrow(1350, { without: [[W2]] }))).is).toBe('unknown');
});
