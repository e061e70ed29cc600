import { expect, test } from 'vitest';
import { buildCase, checkWith, flow, leafTrace, packet, step } from '../../diagnose/testing/build-case.ts';
import type { Place } from '../../net/place.ts';
import { presentOf, statements } from '../testing/cause-cases.ts';
import { large, lost, narrow, passes, small } from '../testing/large-packets.ts';
import { type Answer, namedOn, recordedCase, W1, W2 } from '../testing/recorded-case.ts';
import { editLink } from '../testing/recorded-faults.ts';
import { fragmentsDropped } from './fragments-dropped.ts';

/** The NICs were lowered below the tunnel. */
const edits = [W1, W2].map((node) => editLink(node, 'eth0', (link) => ({ ...link, mtu: 1450 })));

/** `/proc/net/snmp` of a node, as far as it counts fragments. */
function counted(place: Place, rises: Readonly<Record<string, number>> = {}): Answer {
  const names = ['ReasmTimeout', 'ReasmReqds', 'ReasmOKs', 'ReasmFails', 'FragOKs', 'FragFails', 'FragCreates'];
  const values = names.map((name) => 40 + (rises[`Ip${name}`] ?? 0));
  const text = `Ip: ${names.join(' ')}\nIp: ${values.join(' ')}\n`;
  return ['counters', place, {}, JSON.stringify({ files: [{ path: '/proc/net/snmp', text }] })];
}

/** Counters before, and after the probes. */
function counters(here: Readonly<Record<string, number>>, there: Readonly<Record<string, number>>) {
  return { edits, answers: [counted(W1), counted(W2)], after: [counted(W1, here), counted(W2, there)] };
}

const cut = { IpFragCreates: 20 };

test('present: fragments are made, some come, and none come together', () => {
  const given = recordedCase(narrow(1400, counters(cut, { IpReasmReqds: 10 })));
  const finding = checkWith(fragmentsDropped, given);
  expect(presentOf(finding).place).toEqual({ ...W1, object: 'fragments from w1 to w2' });
  expect(statements(finding)).toContain(
    '1500 bytes are more than the MTU 1450 of eth0: w1 sends them to w2 in fragments',
  );
  expect(statements(finding)).toContain('IpFragCreates rose by 20');
  expect(statements(finding)).toContain('10 fragments came to w2 while the probes ran, and none of them came together');
  expect(namedOn(given)).toEqual(['fragments-dropped']);
});

test('present: no fragment comes at all', () => {
  const given = recordedCase(narrow(1400, counters(cut, {})));
  expect(statements(checkWith(fragmentsDropped, given))).toContain('no fragment came to w2');
});

const RULE = step({
  kind: 'rule',
  at: 'prerouting nft ip early in#1',
  values: {
    ...{ backend: 'nft', family: 'ip', table: 'early', chain: 'in', ruleNumber: 1, handle: 4, verdict: 'drop' },
    ruleText: 'ip frag-off & 0x1fff != 0x0 drop',
  },
});

/** A packet that dies at the rule, in fragments or whole. */
const dying = (id: string, fragmentBytes?: number) =>
  flow({
    id,
    forward: leafTrace('dropped-by-rule', {
      place: W2,
      steps: [RULE],
      packet: { ...packet({ lengthBytes: 1500 }), ...(fragmentBytes !== undefined && { fragmentBytes }) },
    }),
    probe: lost,
  });

test('present: a rule of a node drops them; near miss: the same rule drops what is whole as well', () => {
  const finding = presentOf(checkWith(fragmentsDropped, buildCase({ flows: [dying('large', 1444)] })));
  expect(finding.place).toEqual({ ...W2, object: 'nft ip early in rule 1' });
  expect(finding.claims).toHaveLength(1);
  expect(finding.fix.commands).toEqual(['nft delete rule ip early in handle 4    # on w2']);
  const both = buildCase({ flows: [dying('large', 1444), dying('main')] });
  expect(checkWith(fragmentsDropped, both).is).toBe('absent');
});

test('absent: fragments come together: what is lost is lost otherwise, and the overlay’s MTU is not it', () => {
  const given = recordedCase(narrow(1400, counters(cut, { IpReasmReqds: 20, IpReasmOKs: 10 })));
  expect(checkWith(fragmentsDropped, given)).toMatchObject({
    is: 'unknown',
    because: expect.stringContaining('w2 made no fragments'),
  });
  expect(namedOn(given)).toEqual([]);
});

test('near miss: large packets pass in fragments (an oddity, and no fault)', () => {
  const given = recordedCase({ asks: [{}, small, large], edits, probes: { large: passes, icmp: passes } });
  expect(checkWith(fragmentsDropped, given).is).toBe('absent');
  expect(namedOn(given)).toEqual([]);
});

test('near miss: nothing is cut, and large packets are lost between the nodes (overlay-mtu-too-large)', () => {
  const given = recordedCase(narrow(1350, { ...counters(cut, { IpReasmReqds: 10 }), edits: [] }));
  expect(checkWith(fragmentsDropped, given).is).toBe('absent');
  expect(namedOn(given)).toEqual(['overlay-mtu-too-large']);
});

test('near miss: small pings are lost as well', () => {
  const given = recordedCase({ asks: [{}, small], edits, probes: { icmp: narrow(0).probes!['large']! } });
  expect(checkWith(fragmentsDropped, given).is).toBe('absent');
});

test('unknown: counters were read once; this node made no fragments meanwhile', () => {
  expect(checkWith(fragmentsDropped, recordedCase(narrow(1400, { edits }))).is).toBe('unknown');
  const none = recordedCase(narrow(1400, counters({}, {})));
  expect(checkWith(fragmentsDropped, none).is).toBe('unknown');
});
