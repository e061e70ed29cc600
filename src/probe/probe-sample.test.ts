import { describe, expect, it } from 'vitest';
import { parsePing } from './ping.ts';
import { samplesOfPing } from './probe-sample.ts';
import { createTally } from './tally.ts';

const PASSED = { passed: 'yes', statement: '' } as const;
const ASKED = { first: 10, count: 5, sentAtMs: 1_000, intervalMs: 200 };

/* Made of lines of iputils 20221126: 2 is answered twice, 4 by an error, 5 not at all. */
const MIXED = `PING 10.231.0.2 (10.231.0.2) 56(84) bytes of data.
64 bytes from 10.231.0.2: icmp_seq=1 ttl=64 time=0.118 ms
64 bytes from 10.231.0.2: icmp_seq=2 ttl=64 time=0.043 ms
64 bytes from 10.231.0.2: icmp_seq=2 ttl=64 time=0.061 ms (DUP!)
64 bytes from 10.231.0.2: icmp_seq=3 ttl=64 time=0.050 ms
From 10.231.0.1 icmp_seq=4 Destination Host Unreachable

--- 10.231.0.2 ping statistics ---
5 packets transmitted, 3 received, +1 duplicates, +1 errors, 40% packet loss, time 804ms
rtt min/avg/max/mdev = 0.043/0.068/0.118/0.029 ms
`;

describe('samplesOfPing', () => {
  it('says of each request what became of it', () => {
    const answer = parsePing(MIXED, '');
    expect(answer.duplicates).toBe(1);
    const samples = samplesOfPing(answer, ASKED, PASSED);
    expect(samples.map(({ attempt, sentAtMs, outcome, latencyMs }) => [attempt, sentAtMs, outcome, latencyMs])).toEqual(
      [
        [10, 1_000, 'answered', 0.118],
        [11, 1_200, 'answered', 0.043],
        [12, 1_400, 'answered', 0.05],
        [13, 1_600, 'icmp-error', undefined],
        [14, 1_800, 'unanswered', undefined],
      ],
    );
    expect(samples[0]!.duplicates).toBe(1);
    expect(samples[3]!.statement).toBe('10.231.0.1: Destination Host Unreachable');
  });

  it('says of one that did not begin why', () => {
    const answer = parsePing('', 'ping: connect: Network is unreachable\n');
    const reading = { passed: 'no', statement: 'no network' } as const;
    const samples = samplesOfPing(answer, ASKED, reading);
    expect(samples).toHaveLength(5);
    expect(samples[0]).toEqual({ attempt: 10, sentAtMs: 1_000, outcome: 'unreachable', ...reading });
  });
});

describe('createTally', () => {
  it('counts what ended alike, and times of answers alone', () => {
    const tally = createTally();
    const base = { sentAtMs: 0, statement: 'as it was' };
    tally.add({ ...base, attempt: 0, outcome: 'connected', passed: 'yes', latencyMs: 0.4 });
    tally.add({ ...base, attempt: 1, outcome: 'refused', passed: 'no', errno: 'ECONNREFUSED', latencyMs: 0.2 });
    tally.add({ ...base, attempt: 2, outcome: 'refused', passed: 'no', errno: 'ECONNREFUSED', latencyMs: 0.3 });
    tally.add({ ...base, attempt: 3, outcome: 'untold', passed: 'unknown' });
    expect(tally.read()).toEqual({
      ...{ sent: 3, passed: 1, failed: 2, unknown: 1, timesMs: [0.4], duplicates: 0 },
      outcomes: [
        { outcome: 'refused', count: 2, statement: 'as it was' },
        { outcome: 'connected', count: 1, statement: 'as it was' },
        { outcome: 'untold', count: 1, statement: 'as it was' },
      ],
    });
  });
});
