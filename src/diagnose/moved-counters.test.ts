import { expect, test } from 'vitest';
import { type Answer, PING, type RecordedInput, recordedCase, W1, W2 } from '../causes/testing/recorded-case.ts';
import type { Place } from '../net/place.ts';
import { movedCounters } from './moved-counters.ts';
import { probe } from './testing/build-case.ts';

const snmp = (place: Place, errors: number, datagrams: number): Answer => [
  'counters',
  place,
  {},
  JSON.stringify({
    files: [{ path: '/proc/net/snmp', text: `Udp: InDatagrams RcvbufErrors\nUdp: ${datagrams} ${errors}\n` }],
  }),
];
const qdisc = (drops: number, overlimits: number): Answer => [
  'qdiscs',
  W2,
  {},
  JSON.stringify([{ kind: 'tbf', handle: '8001:', dev: 'veth1', root: true, drops, overlimits, backlog: 0 }]),
];
const filter = (packets: number): Answer => [
  'iptables.nft',
  W2,
  { family: 4, table: '' },
  `*filter\n:FORWARD DROP [${packets}:0]\n[${packets + 1}:60] -A FORWARD -s 192.0.2.0/24 -j DROP\n[${packets}:60] -A FORWARD -j ACCEPT\nCOMMIT\n`,
];
const softnet = (dropped: number): Answer => [
  'softnet',
  W1,
  {},
  JSON.stringify({ files: [{ path: '/proc/net/softnet_stat', text: `00000010 0000000${dropped} 00000000\n` }] }),
];

const moving: RecordedInput = {
  asks: [{}, PING],
  probes: { main: probe('no', 'timed-out'), icmp: probe('yes', 'answered') },
  answers: [snmp(W2, 4, 10), qdisc(1, 5), filter(3), softnet(1)],
  after: [snmp(W2, 9, 90), qdisc(3, 5), filter(7), softnet(2)],
};

function moved(input: RecordedInput): string[] {
  const given = recordedCase(input);
  return movedCounters(given.snapshot, given.flows, 4).map(({ place, counter, rose }) => {
    return `${place.node} ${place.namespace}: ${counter} +${rose}`;
  });
}

test('what tells of a loss and rose between the two looks, rules and policies that drop among it', () => {
  expect(moved(moving).toSorted()).toEqual([
    'w1 host: softnet of the whole machine: dropped +1',
    'w2 host: UdpRcvbufErrors +5',
    'w2 host: iptables-nft filter FORWARD#1: -A FORWARD -s 192.0.2.0/24 -j DROP +4',
    'w2 host: iptables-nft filter FORWARD: policy DROP +4',
    'w2 host: qdisc tbf 8001: of veth1: drops +2',
  ]);
});

test('nothing where a look is missing, where nothing rose, or where the flow was answered', () => {
  const { after, answers, ...rest } = moving;
  expect(moved({ ...rest, answers: answers! })).toEqual([]);
  expect(moved({ ...moving, after: answers! })).toEqual([]);
  expect(moved({ ...moving, answers: after!, after: answers! })).toEqual([]);
  expect(moved({ ...moving, probes: { main: probe('yes', 'connected') } })).toEqual([]);
});
