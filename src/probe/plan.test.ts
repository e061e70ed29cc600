import { describe, expect, it } from 'vitest';
import { podPlace } from '../net/place.ts';
import type { Question } from '../target/question.ts';
import { namesAsked, type ProbedFlow, planProbes, probesOf } from './plan.ts';

const from = podPlace('w1', 'shop', 'web');
const main: ProbedFlow = { purpose: 'main', from, destination: '10.96.0.20', protocol: 'tcp', port: 80 };
const question = {
  destination: { kind: 'name', host: 'api' },
  family: 4,
} as unknown as Question;

describe('probesOf', () => {
  it('connects where the flow is TCP', () => {
    expect(probesOf(main, 4)).toEqual([
      { action: 'probe.tcp', place: from, args: { address: '10.96.0.20', port: 80, timeoutMs: 2_200 }, round: 0 },
    ]);
  });

  it('asks a DNS server for names, on the port that it has', () => {
    const dns: ProbedFlow = { purpose: 'dns', from, destination: '10.96.0.10', protocol: 'udp', port: 53 };
    expect(probesOf(dns, 6, ['a.', 'b.']).map(({ args }) => [args.server, args.name, args.type, args.port])).toEqual([
      ['10.96.0.10', 'a.', 'AAAA', undefined],
      ['10.96.0.10', 'b.', 'AAAA', undefined],
    ]);
    expect(probesOf({ ...dns, purpose: 'dns-endpoint', port: 8053 }, 4)[0]?.args.port).toBe(8053);
  });

  it('makes a large ping exactly as long as the flow’s packet', () => {
    const trip = { forward: { packet: { lengthBytes: 1450 } } };
    const large: ProbedFlow = { ...main, purpose: 'large', trip };
    expect(probesOf(large, 4)[0]?.args).toMatchObject({ sizeBytes: 1422, df: true });
    expect(probesOf({ ...large, destination: 'fd00::20' }, 6)[0]?.args).toMatchObject({ sizeBytes: 1402, df: true });
    expect(probesOf({ ...main, purpose: 'large' }, 4)).toEqual([]);
  });

  it('has none from outside, for SCTP, or without a port', () => {
    expect(probesOf({ purpose: 'main', destination: '10.0.0.1', protocol: 'tcp', port: 80 }, 4)).toEqual([]);
    expect(probesOf({ ...main, protocol: 'sctp' }, 4)).toEqual([]);
    expect(probesOf({ purpose: 'main', from, destination: '10.0.0.1', protocol: 'tcp' }, 4)).toEqual([]);
  });
});

describe('planProbes', () => {
  it('asks each question once', () => {
    expect(planProbes(question, [main, { ...main, purpose: 'endpoint' }])).toHaveLength(1);
  });
});

describe('namesAsked', () => {
  it('is what the resolver would ask for the destination', () => {
    expect(namesAsked(question, { search: ['shop.svc.cluster.local'], options: { ndots: '5' } })).toEqual([
      'api.shop.svc.cluster.local.',
      'api.',
    ]);
  });
});
