import { describe, expect, it } from 'vitest';
import { type TcpSegment, type TcpTracking, tcpBegin, tcpContinue, tcpSegment } from './tcp-tracking.ts';

/** The state after these segments, those with `<` in the answers' direction; or the verdict where it is none. */
function stateAfter(...segments: readonly string[]): string {
  let tcp: TcpTracking | undefined;
  for (const text of segments) {
    const reply = text.startsWith('<');
    const segment = text.replace('<', '') as TcpSegment;
    if (!tcp) {
      tcp = tcpBegin(segment, true);
      if (!tcp) return 'none';
      continue;
    }
    const verdict = tcpContinue(tcp, segment, reply);
    if (verdict.kind !== 'accept') return verdict.kind;
    tcp = verdict.tcp;
  }
  return tcp?.state ?? 'none';
}

describe('tcpSegment', () => {
  it.each([
    [['syn'], 'syn'],
    [['syn', 'ece', 'cwr'], 'syn'],
    [['ack', 'syn'], 'synack'],
    [['psh', 'ack'], 'ack'],
    [['fin', 'ack'], 'fin'],
    [['rst', 'ack'], 'rst'],
    [['fin'], undefined],
    [[], undefined],
    [['syn', 'fin'], undefined],
    [['fin', 'psh', 'urg'], undefined],
    [['rst', 'ack', 'urg'], undefined],
  ] as const)('%j is %s', (flags, segment) => expect(tcpSegment(flags)).toBe(segment));
});

describe('states', () => {
  it('begins with a SYN, or loosely with an ACK', () => {
    expect(stateAfter('syn')).toBe('SS');
    expect(stateAfter('ack')).toBe('ES');
    expect(tcpBegin('ack', false)).toBeUndefined();
    expect(['synack', 'fin', 'rst'].map((segment) => tcpBegin(segment as TcpSegment, true))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('opens and closes', () => {
    expect(stateAfter('syn', '<synack', 'ack')).toBe('ES');
    expect(stateAfter('syn', '<synack', 'ack', 'fin', '<ack', '<fin', 'ack')).toBe('TW');
    expect(stateAfter('syn', '<rst')).toBe('CL');
  });

  it('calls invalid what the other side has not spoken for', () => {
    expect(stateAfter('syn', 'ack')).toBe('invalid');
    expect(stateAfter('syn', 'synack')).toBe('invalid');
    expect(stateAfter('syn', '<fin')).toBe('invalid');
  });

  it('lets a second SYN through without a change, and one on a closed connection reopens it', () => {
    expect(stateAfter('syn', '<synack', 'ack', 'syn')).toBe('ES');
    expect(stateAfter('syn', '<synack', 'ack', 'fin', '<ack', '<fin', 'ack', 'syn')).toBe('reopen');
    expect(stateAfter('syn', '<synack', 'ack', 'rst', 'syn')).toBe('reopen');
    // Only the other side has reset it: the SYN is ignored, and its SYN/ACK brings the entry back in step.
    expect(stateAfter('syn', '<synack', 'ack', '<rst', 'syn')).toBe('CL');
    expect(stateAfter('syn', '<synack', 'ack', '<rst', 'syn', '<synack')).toBe('SR');
  });
});
