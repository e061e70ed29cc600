import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePing, pingArgv, pingLastsMs } from './ping.ts';

/* Captured from iputils 20221126 between two network namespaces. */
const ANSWERED = `PING 10.231.0.2 (10.231.0.2) 56(84) bytes of data.
64 bytes from 10.231.0.2: icmp_seq=1 ttl=64 time=0.118 ms
64 bytes from 10.231.0.2: icmp_seq=2 ttl=64 time=0.043 ms

--- 10.231.0.2 ping statistics ---
2 packets transmitted, 2 received, 0% packet loss, time 204ms
rtt min/avg/max/mdev = 0.043/0.080/0.118/0.037 ms
`;
const TOO_BIG = `PING 10.232.0.9 (10.232.0.9) 1400(1428) bytes of data.
From 10.231.0.2 icmp_seq=1 Frag needed and DF set (mtu = 1300)

--- 10.232.0.9 ping statistics ---
2 packets transmitted, 0 received, +2 errors, 100% packet loss, time 204ms

`;

function errorOf(address: string, line: string): string {
  return `PING ${address} (${address}) 56(84) bytes of data.
${line}

--- ${address} ping statistics ---
1 packets transmitted, 0 received, +1 errors, 100% packet loss, time 0ms

`;
}

describe('parsePing', () => {
  it('reads answers and the fastest time', () => {
    expect(parsePing(ANSWERED, '')).toEqual({
      outcome: 'answered',
      sent: 2,
      received: 2,
      latencyMs: 0.043,
      errors: [],
      replies: [
        { sequence: 1, latencyMs: 0.118 },
        { sequence: 2, latencyMs: 0.043 },
      ],
    });
  });

  it('reads an answer too short to carry a time', () => {
    const text = `PING 127.0.0.1 (127.0.0.1) 0(28) bytes of data.
8 bytes from 127.0.0.1: icmp_seq=1 ttl=64

--- 127.0.0.1 ping statistics ---
1 packets transmitted, 1 received, 0% packet loss, time 0ms
`;
    expect(parsePing(text, '')).toEqual({
      ...{ outcome: 'answered', sent: 1, received: 1, errors: [] },
      replies: [{ sequence: 1 }],
    });
  });

  it('calls silence what had neither answer nor error', () => {
    const text = errorOf('10.231.0.2', '').replace('+1 errors, ', '');
    expect(parsePing(text, '')).toEqual({ outcome: 'silent', sent: 1, received: 0, errors: [] });
  });

  it('reads the MTU that a router told, and that our own kernel knows', () => {
    expect(parsePing(TOO_BIG, 'ping: local error: message too long, mtu=1300\n')).toEqual({
      outcome: 'too-big',
      sent: 2,
      received: 0,
      errors: [
        { from: '10.231.0.2', text: 'Frag needed and DF set (mtu = 1300)', mtu: 1300 },
        { text: 'local error: message too long, mtu=1300', mtu: 1300 },
      ],
    });
    expect(parsePing('', 'ping: local error: message too long, mtu: 1500\n').errors[0]?.mtu).toBe(1500);
  });

  it.each([
    ['Destination Host Unreachable', '10.231.0.1'],
    ['Destination Net Unreachable', '10.231.0.2'],
    ['Packet filtered', '10.231.0.2'],
    ['Destination unreachable: No route', 'fd31::2'],
  ])('tells who sent "%s"', (text, from) => {
    expect(parsePing(errorOf('10.240.0.9', `From ${from} icmp_seq=1 ${text}`), '')).toMatchObject({
      outcome: 'unreachable',
      errors: [{ from, text }],
    });
  });

  it.each([
    ['ping: connect: Network is unreachable', 'unreachable'],
    ['ping: Do you want to ping broadcast? Then -b. If not, check your local firewall rules', 'unreachable'],
    ['ping: socket: Operation not permitted', 'not-permitted'],
    ['ping: sendmsg: Operation not permitted', 'failed'],
    ['ping: invalid argument: x', 'failed'],
  ] as const)('tells what "%s" is', (stderr, outcome) => {
    expect(parsePing('', stderr)).toMatchObject({ outcome, received: 0, detail: stderr.replace('ping: ', '') });
  });

  it('claims no silence where ping was cut off before it summed up', () => {
    expect(parsePing('PING 10.0.0.1 (10.0.0.1) 56(84) bytes of data.\n', '').outcome).toBe('failed');
  });

  it('reads what is left of any cut output', () => {
    for (let length = 0; length <= ANSWERED.length; length++) {
      const { outcome, received } = parsePing(ANSWERED.slice(0, length), '');
      expect(outcome).toBe(received > 0 ? 'answered' : 'failed');
    }
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (out, error) => {
        expect(parsePing(out, error).received).toBeGreaterThanOrEqual(0);
      }),
      { seed: 21 },
    );
  });
});

describe('pingArgv', () => {
  const question = { address: '10.0.0.1', sizeBytes: 1422, df: true, count: 3, intervalMs: 200, timeoutMs: 1_500 };

  it('asks as wanted', () => {
    expect(pingArgv(question).join(' ')).toBe('ping -n -c 3 -i 0.2 -W 1.5 -s 1422 -M do 10.0.0.1');
    expect(pingArgv({ ...question, df: false })).toContain('dont');
    expect(pingLastsMs(question)).toBe(1_900);
  });
});
