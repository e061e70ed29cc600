import { describe, expect, test } from 'vitest';
import { parseRuleTrace } from './rule-trace.ts';
import { expectEveryTruncationParses, expectFuzzParses, fixture } from './testing/parser-properties.ts';

const REAL = fixture('rule-trace-nft-1.0.6.txt');
const PACKET = 'ip saddr 10.0.0.1 ip daddr 10.0.0.2 ip protocol tcp tcp sport 4000 tcp dport 80 tcp flags == syn';

describe('parseRuleTrace', () => {
  test('a packet that a rule of iptables-nft dropped; one that is not known any more is told by its handle', () => {
    const { value, unparsed } = parseRuleTrace(REAL);
    expect(unparsed).toEqual([]);
    expect(value.at(-1)).toEqual({
      family: 'ip',
      table: 'filter',
      base: 'INPUT',
      chain: 'INPUT',
      by: 'unknown rule handle 2',
      verdict: 'drop',
      source: '127.0.0.1',
      destination: '127.0.0.1',
      sourcePort: 47_948,
      destinationPort: 99,
    });
    expect(value.filter(({ table }) => table === 'pt').map(({ base, by }) => `${base} ${by}`)).toEqual([
      'out policy',
      'pre policy',
    ]);
  });

  test('the last word of each base chain counts, in whichever chain it was said', () => {
    const text = [
      `trace id a1 ip filter FORWARD packet: iif "cni0" ${PACKET}`,
      'trace id a1 ip filter FORWARD rule counter packets 7 bytes 420 jump KUBE-FORWARD (verdict jump KUBE-FORWARD)',
      'trace id a1 ip filter KUBE-FORWARD rule meta mark 0x4000 counter packets 7 bytes 420 accept (verdict accept)',
      `trace id a1 ip nat POSTROUTING packet: oif "eth0" ${PACKET}`,
      'trace id a1 ip nat POSTROUTING policy accept ',
    ].join('\n');
    expect(
      parseRuleTrace(text).value.map(({ table, base, chain, by, verdict }) => [table, base, chain, by, verdict]),
    ).toEqual([
      ['filter', 'FORWARD', 'KUBE-FORWARD', 'meta mark 0x4000 accept', 'accept'],
      ['nat', 'POSTROUTING', 'POSTROUTING', 'policy', 'accept'],
    ]);
  });

  test('a packet whose end was not told has no verdict; a line without its packet is unparsed', () => {
    expect(parseRuleTrace(`trace id a1 ip filter INPUT packet: ${PACKET}\n`).value).toEqual([]);
    expect(parseRuleTrace('trace id a1 ip filter INPUT rule drop (verdict drop)\n').unparsed).toHaveLength(1);
    expect(parseRuleTrace('trace id a1 what\n').unparsed).toHaveLength(1);
  });

  test('anything parses', () => {
    expectEveryTruncationParses(REAL, parseRuleTrace);
    expectFuzzParses([REAL], parseRuleTrace);
  });
});
