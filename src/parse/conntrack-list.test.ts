import { describe, expect, it } from 'vitest';
import { parseConntrackLine, parseConntrackList } from './conntrack-list.ts';

// Lines as conntrack-tools 1.4.7 prints them (`conntrack -L`, the last with `-o extended`).
const TRANSLATED =
  'udp      17 27 src=10.244.0.5 dst=10.96.0.10 sport=40000 dport=53 [UNREPLIED] src=10.244.1.7 dst=10.244.0.5 sport=5353 dport=40000 mark=16384 use=1';
const ESTABLISHED =
  'tcp      6 431999 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=40000 dport=80 src=10.0.0.2 dst=10.0.0.1 sport=80 dport=40000 [ASSURED] mark=0 use=1';
const ECHO =
  'icmp     1 29 src=10.0.0.1 dst=10.0.0.2 type=8 code=0 id=7 src=10.0.0.2 dst=10.0.0.1 type=0 code=0 id=7 mark=0 use=1';
const ZONES =
  'udp      17 29 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 [UNREPLIED] src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 mark=0 zone-orig=5 use=1';
const OFFLOADED =
  'ipv6     10 tcp      6 src=fd00::1 dst=fd00::2 sport=4 dport=80 packets=3 bytes=200 src=fd00::2 dst=fd00::1 sport=80 dport=4 packets=2 bytes=120 [OFFLOAD] mark=0 zone=3 use=2';

describe('parseConntrackLine', () => {
  it('reads both tuples, what NAT made of the answers, and the mark', () => {
    expect(parseConntrackLine(TRANSLATED)).toEqual({
      protocol: 'udp',
      timeout: 27,
      original: { source: '10.244.0.5', destination: '10.96.0.10', sourcePort: 40000, destinationPort: 53 },
      answer: { source: '10.244.1.7', destination: '10.244.0.5', sourcePort: 5353, destinationPort: 40000 },
      seenReply: false,
      assured: false,
      mark: 16384,
      zones: { original: 0, answer: 0 },
      text: TRANSLATED.replaceAll(/\s+/g, ' '),
    });
  });

  it('reads the state of TCP, and ICMP without ports', () => {
    expect(parseConntrackLine(ESTABLISHED)).toMatchObject({ state: 'ESTABLISHED', seenReply: true, assured: true });
    expect(parseConntrackLine(ECHO)).toMatchObject({
      original: { type: 8, code: 0, id: 7 },
      answer: { type: 0, code: 0, id: 7 },
    });
  });

  it('reads zones, of both directions or of one', () => {
    expect(parseConntrackLine(ZONES)?.zones).toEqual({ original: 5, answer: 0 });
    expect(parseConntrackLine(OFFLOADED)).toMatchObject({ zones: { original: 3, answer: 3 }, protocol: 'tcp' });
    expect(parseConntrackLine(OFFLOADED)?.timeout).toBeUndefined();
  });

  it('does not read what was cut', () => {
    for (let end = 0; end < ESTABLISHED.indexOf('dport=40000'); end++) {
      const cut = parseConntrackLine(ESTABLISHED.slice(0, end));
      expect(cut === undefined || cut.answer.destination !== undefined).toBe(true);
    }
    expect(parseConntrackList(`${ECHO}\nudp 17 29 src=10.0.0.1\n`).unparsed).toEqual([
      { line: 2, text: 'udp 17 29 src=10.0.0.1' },
    ]);
  });
});
