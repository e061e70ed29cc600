import { expect, test } from 'vitest';
import { checkWith } from '../../diagnose/testing/build-case.ts';
import { presentOf, statements } from '../testing/cause-cases.ts';
import { large, narrow, passes, small } from '../testing/large-packets.ts';
import { namedOn, recordedCase, W1, W2, WEB } from '../testing/recorded-case.ts';
import { editLink } from '../testing/recorded-faults.ts';
import { mtuMismatchNode } from './mtu-mismatch-node.ts';

const lowered = [editLink(W2, 'eth0', (link) => ({ ...link, mtu: 1400 }))];
/** As a NIC of hardware, which may take more than its MTU. */
const hardware = [
  editLink(W2, 'eth0', ({ linkinfo: _, link_index: __, link_netnsid: ___, ...link }) => ({ ...link, mtu: 1400 })),
];

test('present: the receiving NIC drops what the others send', () => {
  const given = recordedCase(narrow(1350, { edits: lowered }));
  const finding = checkWith(mtuMismatchNode, given);
  expect(presentOf(finding).place).toEqual({ ...W2, object: 'eth0 MTU 1400' });
  expect(statements(finding)).toContain('w1 sends outer packets of 1500 bytes, and eth0 of w2 has MTU 1400');
  expect(statements(finding)).toContain('eth0 of w1, which sends to it, has MTU 1500');
  expect(namedOn(given)).toEqual(['mtu-mismatch-node']);
});

test('present: of hardware the sizes that pass decide', () => {
  const given = recordedCase(narrow(1350, { edits: hardware }));
  expect(given.flows.find(({ id }) => id === 'large')!.dead).toEqual([]);
  expect(statements(checkWith(mtuMismatchNode, given))).toContain('on the cable 1400 bytes pass and 1420 do not');
  expect(namedOn(given)).toEqual(['mtu-mismatch-node']);
});

test('near miss: hardware that takes more than its MTU: nothing is lost', () => {
  const given = recordedCase({ asks: [{}, small, large], edits: hardware, probes: { large: passes, icmp: passes } });
  expect(checkWith(mtuMismatchNode, given).is).toBe('absent');
  expect(namedOn(given)).toEqual([]);
});

test('near miss: what is lost is not at that MTU: something else drops it', () => {
  const given = recordedCase(narrow(1280, { edits: hardware }));
  expect(checkWith(mtuMismatchNode, given)).toMatchObject({
    is: 'absent',
    because: expect.stringContaining('1330 bytes pass'),
  });
  expect(namedOn(given)).not.toContain('overlay-mtu-too-large');
});

test('near miss: both NICs are smaller than the tunnel: the nodes cut their outer packets', () => {
  const edits = [W1, W2].map((node) => editLink(node, 'eth0', (link) => ({ ...link, mtu: 1400 })));
  const given = recordedCase({ asks: [{}, small, large], edits, probes: { large: passes } });
  expect(checkWith(mtuMismatchNode, given).is).toBe('absent');
});

test('near miss: the pod’s cable is the smaller one', () => {
  const edits = [editLink(WEB, 'eth0', (link) => ({ ...link, mtu: 1350 }))];
  expect(checkWith(mtuMismatchNode, recordedCase(narrow(1350, { edits }))).is).toBe('absent');
});

test('unknown: no size but the largest was tried; the other node was not seen', () => {
  const { asks: _, ...rest } = narrow(1350, { edits: hardware });
  expect(checkWith(mtuMismatchNode, recordedCase({ ...rest, asks: [{}, small, large] })).is).toBe('unknown');
  expect(checkWith(mtuMismatchNode, recordedCase(narrow(1350, { without: [[W2]] }))).is).toBe('unknown');
});
