import { expect, test } from 'vitest';
import { checkWith } from '../../diagnose/testing/build-case.ts';
import { presentOf, statements } from '../testing/cause-cases.ts';
import { large, narrow, passes, small, told } from '../testing/large-packets.ts';
import { CLIENT_IP, namedOn, recordedCase, W1, W2, WEB } from '../testing/recorded-case.ts';
import { editLink, insertRule } from '../testing/recorded-faults.ts';
import { pmtuBlackHole } from './pmtu-black-hole.ts';

/** The tunnel was made smaller on the pod's own node; the pods still have 1450. */
const edits = [editLink(W1, 'flannel.1', (link) => ({ ...link, mtu: 1350 }))];
const noIcmp = [insertRule(W1, '-A OUTPUT -p icmp -m icmp --icmp-type 3/4 -j DROP')];

test('present: the node refuses what is too big, and a rule of its own drops the message', () => {
  const given = recordedCase(narrow(1350, { edits, changes: noIcmp }));
  const finding = checkWith(pmtuBlackHole, given, W1);
  expect(presentOf(finding).place).toEqual({ ...W1, object: 'iptables-nft filter OUTPUT rule 1' });
  expect(statements(finding)).toContain(
    '1450 bytes, which may not be fragmented, are more than the 1350 that the way by flannel.1 carries',
  );
  expect(statements(finding)).toContain(`that message, 10.244.0.1 → ${CLIENT_IP}, is dropped by “-A OUTPUT -p icmp`);
  expect(presentOf(finding).fix.commands[0]).toContain('-D OUTPUT -p icmp');
  expect(presentOf(finding).fix.summary).toContain('raising a tunnel’s own MTU is no cure');
  expect(namedOn(given)).toEqual(['pmtu-black-hole']);
});

test('present: the far node refuses it, and the message dies on the way back', () => {
  const given = recordedCase(
    narrow(1350, {
      edits: [editLink(W2, 'cni0', (link) => ({ ...link, mtu: 1350 }))],
      changes: [insertRule(W1, '-A FORWARD -p icmp -m icmp --icmp-type 3/4 -j DROP')],
    }),
  );
  const finding = presentOf(checkWith(pmtuBlackHole, given, W2));
  expect(finding.place).toEqual({ ...W1, object: 'iptables-nft filter FORWARD rule 1' });
  expect(namedOn(given)).toEqual(['pmtu-black-hole']);
});

test('near miss: the message arrives: the sender heeds it, and all works', () => {
  const given = recordedCase({ asks: [{}, small, large], edits, probes: { icmp: passes, large: told } });
  expect(checkWith(pmtuBlackHole, given, W1).is).toBe('absent');
  expect(namedOn(given)).toEqual([]);
});

test('near miss: the rule is there, and every link is large enough', () => {
  const given = recordedCase({ asks: [{}, small, large], changes: noIcmp, probes: { large: passes } });
  expect(checkWith(pmtuBlackHole, given, W1).is).toBe('absent');
  expect(namedOn(given)).toEqual([]);
});

test('near miss: by the walk the message dies, and the probe got it: the walk is not believed', () => {
  const given = recordedCase({
    asks: [{}, small, large],
    edits,
    changes: noIcmp,
    probes: { icmp: passes, large: told },
  });
  expect(checkWith(pmtuBlackHole, given, W1)).toMatchObject({
    is: 'absent',
    because: expect.stringContaining('the probe got it'),
  });
});

test('near miss: a cable drops it, and no message is made', () => {
  const cable = [editLink(WEB, 'eth0', (link) => ({ ...link, mtu: 1350 }))];
  const given = recordedCase(narrow(1350, { edits: cable, changes: noIcmp }));
  expect(checkWith(pmtuBlackHole, given, W2).is).toBe('absent');
});

test('unknown: the node was not seen; a rule that may drop the message was not decided', () => {
  expect(checkWith(pmtuBlackHole, recordedCase(narrow(1350, { without: [[W2]] })), W1).is).toBe('unknown');
  const doubtful = [insertRule(W1, '-A OUTPUT -p icmp -m icmp --icmp-type 3/4 -m limit --limit 1/sec -j DROP')];
  const given = recordedCase(narrow(1350, { edits, changes: doubtful }));
  expect(checkWith(pmtuBlackHole, given, W1).is).not.toBe('present');
});
