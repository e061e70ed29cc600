import { describe, expect, it } from 'vitest';
import type { DnsAnswer, IcmpAnswer } from '../snapshot/probe-answers.ts';
import {
  interpretDns,
  interpretIcmp,
  interpretLarge,
  interpretProbe,
  interpretTcp,
  interpretUdp,
} from './interpret.ts';

const TCP = { address: '10.96.0.20', port: 80, timeoutMs: 3_300 };
const PING = { address: '10.244.1.7', sizeBytes: 56, df: false };
const DNS = { server: '10.96.0.10', name: 'api.', type: 'A', transport: 'udp', timeoutMs: 2_000 };

const silent: IcmpAnswer = { outcome: 'silent', sent: 3, received: 0, errors: [] };
const answered: IcmpAnswer = { outcome: 'answered', sent: 3, received: 3, latencyMs: 0.1, errors: [] };

function dns(more: Partial<DnsAnswer>): DnsAnswer {
  return { outcome: 'answered', addresses: [], names: [], truncated: false, ...more };
}

describe('interpretTcp', () => {
  it('proves the way by a connection, except where something else accepts it', () => {
    const answer = { outcome: 'connected', latencyMs: 0.4 } as const;
    expect(interpretTcp(TCP, answer)).toEqual({
      outcome: 'connected',
      passed: 'yes',
      statement: 'TCP to 10.96.0.20:80 connected in 0.4 ms',
      latencyMs: 0.4,
    });
    expect(interpretTcp(TCP, answer, { interceptedBy: 'istio-proxy' })).toMatchObject({ passed: 'unknown' });
  });

  it.each([
    [{ outcome: 'refused', errno: 'ECONNREFUSED', latencyMs: 0.2 }, 'no', 'was refused after 0.2 ms'],
    [{ outcome: 'timed-out' }, 'no', 'had no answer within 3300 ms'],
    [{ outcome: 'unreachable', errno: 'ENETUNREACH' }, 'no', 'ENETUNREACH: no route'],
    [{ outcome: 'failed', errno: 'EADDRNOTAVAIL' }, 'no', 'no source address or port is left'],
    [{ outcome: 'failed', errno: 'EMFILE' }, 'unknown', 'the probe itself failed'],
  ] as const)('reads %o', (answer, passed, words) => {
    const reading = interpretTcp(TCP, answer);
    expect(reading.passed).toBe(passed);
    expect(reading.statement).toContain(words);
  });

  it('brackets an IPv6 address', () => {
    expect(interpretTcp({ ...TCP, address: 'fd00::1' }, { outcome: 'timed-out' }).statement).toContain('[fd00::1]:80');
  });
});

describe('interpretUdp', () => {
  it('takes silence for no proof', () => {
    expect(interpretUdp(TCP, { outcome: 'silent' }).passed).toBe('unknown');
    expect(interpretUdp(TCP, { outcome: 'answered', latencyMs: 1, bytes: 9 }).passed).toBe('yes');
    expect(interpretUdp(TCP, { outcome: 'refused', errno: 'ECONNREFUSED' }).passed).toBe('no');
  });
});

describe('interpretIcmp', () => {
  it('tells a ping that could not be sent from one without an answer', () => {
    const denied = { ...silent, outcome: 'not-permitted', detail: 'socket: Operation not permitted' } as const;
    expect(interpretIcmp(PING, denied).passed).toBe('unknown');
    expect(interpretIcmp(PING, silent).passed).toBe('no');
    const filtered = { ...silent, outcome: 'failed', detail: 'sendmsg: Operation not permitted' } as const;
    expect(interpretIcmp(PING, filtered).passed).toBe('no');
  });

  it('names who sent an error', () => {
    const errors = [{ from: '10.244.0.1', text: 'Packet filtered' }];
    expect(interpretIcmp(PING, { ...silent, outcome: 'unreachable', errors }).statement).toContain(
      '10.244.0.1: Packet filtered',
    );
  });
});

describe('interpretLarge', () => {
  const large = { ...PING, sizeBytes: 1422, df: true };

  it('blames the size only where small ones pass', () => {
    expect(interpretLarge(large, silent, answered).passed).toBe('no');
    expect(interpretLarge(large, silent, silent).passed).toBe('unknown');
    expect(interpretLarge(large, silent, undefined).passed).toBe('unknown');
    expect(interpretLarge(large, answered, undefined).passed).toBe('yes');
  });

  it('takes an ICMP error that tells an MTU for path-MTU discovery at work, which is no loss', () => {
    const errors = [{ from: '10.244.0.1', text: 'Frag needed and DF set (mtu = 1300)', mtu: 1300 }];
    expect(interpretLarge(large, { ...silent, outcome: 'too-big', errors }, undefined).passed).toBe('unknown');
  });
});

describe('interpretDns', () => {
  it('takes any response for proof of the way', () => {
    expect(interpretDns(DNS, dns({ addresses: ['10.96.0.20'], rcode: 'NOERROR', latencyMs: 1 })).passed).toBe('yes');
    expect(interpretDns(DNS, dns({ outcome: 'nxdomain', rcode: 'NXDOMAIN', latencyMs: 1 })).passed).toBe('yes');
    expect(interpretDns(DNS, dns({ outcome: 'failed', rcode: 'FORMERR', latencyMs: 1 })).passed).toBe('yes');
  });

  it('takes silence and refusal of the packet for a no', () => {
    expect(interpretDns(DNS, dns({ outcome: 'timed-out' })).passed).toBe('no');
    expect(interpretDns(DNS, dns({ outcome: 'unreachable', errno: 'ECONNREFUSED' })).passed).toBe('no');
    expect(interpretDns(DNS, dns({ outcome: 'failed' })).passed).toBe('unknown');
  });
});

describe('interpretProbe', () => {
  it('reads each kind by its own rules', () => {
    expect(interpretProbe('probe.tcp', TCP, { outcome: 'timed-out' }).statement).toMatch(/^TCP/);
    expect(interpretProbe('probe.udp', TCP, { outcome: 'silent' }).statement).toMatch(/^UDP/);
    expect(interpretProbe('probe.icmp', PING, silent).statement).toMatch(/^ping/);
    expect(interpretProbe('probe.dns', DNS, dns({ outcome: 'timed-out' })).statement).toMatch(/^A of api\./);
  });
});
