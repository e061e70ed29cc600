import { describe, expect, test } from 'vitest';
import { parseDropEvents } from './drop-events.ts';
import { expectEveryTruncationParses, expectFuzzParses, fixture } from './testing/parser-properties.ts';

const REAL = fixture('drop-events-bpftrace-0.17.txt');

describe('parseDropEvents', () => {
  test('four SYNs that a rule refused', () => {
    const { value, unparsed } = parseDropEvents(REAL);
    expect(unparsed).toEqual([]);
    expect(value).toMatchObject({ isWatched: true, lost: 0 });
    expect(value.ended).toBeUndefined();
    expect(value.events).toHaveLength(4);
    expect(value.events[0]).toEqual({
      atNs: 37_874_818_176_101n,
      term: 0,
      isTurned: false,
      as: 'itself',
      sourcePort: 52_602,
      destinationPort: 8080,
      reason: 'NETFILTER_DROP',
      function: 'nft_do_chain',
      namespace: 4_026_532_523,
      device: 'flannel.1',
    });
    expect(value.events.map(({ atNs }) => atNs)).toEqual(value.events.map(({ atNs }) => atNs).toSorted());
  });

  test('a reason’s name is that of the kernel that spoke', () => {
    const older =
      'print fmt: "…", __print_symbolic(REC->reason, { 1, "NOT_SPECIFIED" }, { 12, "SOCKET_BACKLOG" })\nW\n';
    const event = 'D 1 0 1 1 80 4000 12 0 9 0 0 2 2 eth0 0  f\n';
    expect(parseDropEvents(older + event).value.events).toMatchObject([
      { reason: 'SOCKET_BACKLOG', isTurned: true, as: 'tunnelled', device: 'eth0' },
    ]);
    expect(parseDropEvents(`W\n${event}`).value.events).toMatchObject([{ reason: '12' }]);
  });

  test('the receiving socket’s namespace goes before what the field of the device holds', () => {
    const event = 'W\nD 1 0 0 0 4000 80 40 77 0 78 79 2 0  3 cni0 tcp_conn_request\n';
    const [only] = parseDropEvents(event).value.events;
    expect(only).toMatchObject({ namespace: 77, device: 'cni0', function: 'tcp_conn_request' });
    const nowhere = 'W\nD 1 0 0 0 4000 80 40 77 0 0 79 2 0  0  tcp_conn_request\n';
    expect(parseDropEvents(nowhere).value.events[0]).not.toHaveProperty('device');
  });

  test('why it ended, and what found no room', () => {
    expect(parseDropEvents('W\nX rate\n').value).toMatchObject({ ended: 'rate' });
    expect(parseDropEvents('W\nLost 12 events\nLost 3 events\n').value.lost).toBe(15);
    expect(parseDropEvents('').value.isWatched).toBe(false);
    expect(parseDropEvents('W\nD 1 0 0\n').unparsed).toEqual([{ line: 2, text: 'D 1 0 0' }]);
  });

  test('anything parses', () => {
    expectEveryTruncationParses(REAL, parseDropEvents);
    expectFuzzParses([REAL], parseDropEvents);
  });
});
