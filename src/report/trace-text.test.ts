import { describe, expect, test } from 'vitest';
import { CLIENT_PLACE, hop, leafEnd, leafTrace, packet, step } from '../diagnose/testing/build-case.ts';
import {
  deliveredReport,
  ruleStep,
  serviceTrace,
  traceReport,
  undecidedTrace,
  W1,
  whatIfReport,
} from './testing/sample-traces.ts';
import type { TraceReport } from './trace-report.ts';
import { renderTraceText } from './trace-text.ts';

const options = { color: false, columns: 100, verbose: false, allBranches: false };
const textOf = (report: TraceReport, more: Partial<typeof options> = {}): string =>
  renderTraceText(report, { ...options, ...more });

/** The lines without what stands before `from`. */
function after(text: string, from: string): readonly string[] {
  const lines = text.split('\n');
  return lines.slice(lines.findIndex((line) => line.includes(from)));
}

describe('a Service with one of two endpoints dead', () => {
  const text = textOf(traceReport(serviceTrace(1, 1)));

  test('says first how it ends, and how often', () => {
    expect(text.split('\n').slice(0, 5)).toEqual([
      'pod/demo/client → svc/demo/web:80',
      '  tcp 10.244.1.5:* → 10.96.12.34:80 SYN',
      '',
      '✗ LOST',
      '  dropped by the policy of filter FORWARD (w2) [50 % of the connections]',
    ]);
  });

  test('tells each hop with its devices, each stage, each rule with its line, owner and counters, and each change', () => {
    expect(after(text, ' 2 w1: in by').slice(0, 20)).toEqual([
      ' 2 w1: in by veth9047efb1',
      '   packet      tcp 10.244.1.5:* → 10.96.12.34:80 SYN, ttl 64, mss 1410, 60 bytes, DF',
      ' ┄ 2 ways: each connection takes one of them by chance',
      '',
      '┄ WAY 1 of 2 (50 %): to 10.244.2.7:8080',
      '',
      ' 2 w1, going on: out by flannel.1',
      '   prerouting  nat PREROUTING#1: calls KUBE-SERVICES [kube-proxy · 205 packets]',
      '                 line 81: -A PREROUTING -m comment --comment "kubernetes service portals" -j',
      '                 KUBE-SERVICES',
      '                 nat KUBE-SERVICES#1: calls KUBE-SVC-XRY76EGRC3BSCIIJ [kube-proxy]',
      '                   line 131: -A KUBE-SERVICES -d 10.96.12.34/32 -p tcp -m tcp --dport 80 -j',
      '                   KUBE-SVC-XRY76EGRC3BSCIIJ',
      '                   nat KUBE-SVC-XRY76EGRC3BSCIIJ#1: calls KUBE-SEP-CQ4QY7EE2SRNBL7G [kube-proxy]',
      '                     line 151: -A KUBE-SVC-XRY76EGRC3BSCIIJ -m statistic --mode random -j',
      '                     KUBE-SEP-CQ4QY7EE2SRNBL7G',
      '                     nat KUBE-SEP-CQ4QY7EE2SRNBL7G#1: destination becomes 10.244.2.7:8080',
      '                     [kube-proxy]',
      '                       line 102: -A KUBE-SEP-CQ4QY7EE2SRNBL7G -p tcp -m tcp -j DNAT --to-destination',
      '                       10.244.2.7:8080',
    ]);
    expect(text).toContain(
      '               ⇒ destination 10.96.12.34:80 → 10.244.2.7:8080\n   routing     10.244.2.7: 10.244.2.0/24 via',
    );
  });

  test('tells what becomes of each way: the answer’s own walk, or what the sender sees', () => {
    expect(text).toContain(
      ' ● delivered: agnhost listens on *:8080 (pod/demo/web-0 on w2)\n\nTHE WAY BACK: tcp 10.244.2.7:*',
    );
    expect(text).toContain(
      [
        '   forward     filter FORWARD: no rule decided, policy DROP [1 packet]',
        ' ✗ dropped by the policy of filter FORWARD (w2)',
        '   :FORWARD DROP',
        '   the sender sees nothing: a time-out',
      ].join('\n'),
    );
  });
});

describe('branches that fare alike', () => {
  const report = traceReport(serviceTrace(4, 1));

  test('are shown once, and the others are named', () => {
    const text = textOf(report);
    expect(text).toContain('┄ WAY 1 of 2 (20 %, one of 4 that fare alike): to 10.244.2.7:8080');
    expect(text).toContain(
      '   so do 3 more (each 20 %): 10.244.2.8:8080, 10.244.2.9:8080, 10.244.2.10:8080; --all-branches\n   shows them',
    );
    expect(text).toContain('┄ WAY 2 of 2 (20 %): to 10.244.2.11:8080');
    expect(text.match(/●/g)).toHaveLength(2); // the way there and the way back
  });

  test('are all shown on request', () => {
    const text = textOf(report, { allBranches: true });
    expect(text.match(/┄ WAY \d of 5/g)).toHaveLength(5);
    expect(text.match(/●/g)).toHaveLength(8);
    expect(text).not.toContain('fare alike');
  });
});

describe('what is not decided', () => {
  const text = textOf(traceReport(undecidedTrace()));

  test('is named with its rule, and both ways have an interval', () => {
    expect(text).toContain('? COULD NOT TELL\n  perhaps dropped by the rule filter FORWARD#2 (w1)\n');
    expect(text).toContain(' ┄ 2 ways may be taken, since something is not decided: filter FORWARD#2 (recent)');
    expect(text).toContain('┄ WAY 1 of 2 (0–100 %)');
    expect(text).toContain(
      '   forward     ? filter FORWARD#2: not decided (recent); if it matches: drop [foreign · 0 packets]',
    );
    expect(text).toContain('                 line 33: -A FORWARD -m recent --rcheck --name scan -j DROP');
  });

  test('and what would tell it is said', () => {
    const wants = [{ action: 'links', place: W1, args: {}, round: 2 }];
    const because = 'the node w1 was not looked at';
    const open = textOf(traceReport(leafTrace('insufficient-information', { because, wants })));
    expect(open).toContain(' ? not known: the node w1 was not looked at (w1)\n   what would tell: links of w1');
  });
});

describe('a what-if', () => {
  test('says the difference first', () => {
    expect(textOf(whatIfReport()).split('\n').slice(3, 9)).toEqual([
      'WHAT IF',
      '  · policy of filter FORWARD is ACCEPT (node w2)',
      '✓ DELIVERED',
      '  delivered there and back',
      '  was: dropped by the policy of filter FORWARD (w2) [50 % of the connections]',
      '',
    ]);
  });

  test('says so where it makes none', () => {
    const report = whatIfReport();
    const { verdict, summary, ends, trip } = report;
    const same = { ...report, whatIf: { ...report.whatIf!, before: { verdict, summary, ends, trip } } };
    expect(textOf(same)).toContain('  it makes no difference: it was the same before');
  });
});

describe('rules that were passed over', () => {
  const passed = (count: number) =>
    Array.from({ length: count }, (_, i) =>
      ruleStep('forward', 'filter', '-A FORWARD -d 10.9.9.9/32 -j DROP', {
        line: i + 10,
        matched: 'no',
        values: { ruleNumber: i + 1, failed: '-d 10.9.9.9/32' },
      }),
    );
  const reportOf = (count: number) =>
    traceReport(leafTrace('delivered', { before: [hop(CLIENT_PLACE), hop(W1, passed(count), { input: 'cni0' })] }));

  test('say the test that failed, and the line', () => {
    expect(textOf(reportOf(2))).toContain(
      '   forward     - filter FORWARD#1: fails at -d 10.9.9.9/32 | line 10: -A FORWARD -d 10.9.9.9/32 -j\n',
    );
  });

  test('are cut where they are many, but for -v', () => {
    const text = textOf(reportOf(40));
    expect(text.match(/- filter FORWARD#/g)).toHaveLength(15);
    expect(text).toContain('- … 25 more of FORWARD passed over (-v shows all)');
    expect(text).toContain('FORWARD#40');
    expect(textOf(reportOf(40), { verbose: true }).match(/- filter FORWARD#/g)).toHaveLength(40);
  });
});

describe('an end that is told to the sender', () => {
  const errorPacket = packet({
    source: '10.244.1.1',
    destination: '10.244.1.5',
    l4: { protocol: 'icmp', type: 3, code: 4 },
  });
  const dying = leafTrace('packet-too-big', {
    because: '1450 bytes do not fit',
    senderSees: 'icmp 3/4',
    steps: [step({ kind: 'mtu', text: '1450 bytes do not fit the MTU 1400 of eth0', values: { mtu: 1400 } })],
  });
  const withError = (errorTrace: ReturnType<typeof leafTrace>) => {
    const [only] = dying.segments;
    // biome-ignore lint/suspicious/noThenProperty: a segment is never awaited; the trace's contract names it so.
    const segment = { ...only!, then: { ...leafEnd('packet-too-big'), ...only!.then, errorPacket, errorTrace } };
    return traceReport({ ...dying, segments: [segment] });
  };
  const arriving = leafTrace('delivered', { place: CLIENT_PLACE, packet: errorPacket });
  const lost = leafTrace('dropped-by-rule', { packet: errorPacket, because: 'a rule' });

  test('says what it sees, and whether the error arrives', () => {
    expect(textOf(withError(arriving))).toContain(
      '   the sender sees icmp 3/4: send smaller packets\n   it is told by icmp 3/4 10.244.1.1 → 10.244.1.5, which arrives\n',
    );
    expect(textOf(withError(lost))).toContain('which does not arrive: dropped: a rule');
  });

  test('with -v the error’s own walk is drawn', () => {
    expect(textOf(withError(arriving), { verbose: true })).toContain(
      'THE ERROR’S WAY BACK: icmp 3/4 10.244.1.1 → 10.244.1.5',
    );
  });
});

test('a way that joins another is drawn once', () => {
  const trace = undecidedTrace();
  const [first, , passing] = trace.segments;
  const joins = {
    hops: [],
    // biome-ignore lint/suspicious/noThenProperty: a segment is never awaited; the trace's contract names it so.
    then: { fork: 'undecided', at: { segment: 1, hop: 0, step: 0 }, to: [{ segment: 2, chance: { min: 1, max: 1 } }] },
  } as const;
  const text = textOf(traceReport({ ...trace, segments: [first!, joins, passing!] }), { allBranches: true });
  expect(text).toContain('┄ WAY 2 of 2 (0–100 %)\n   goes on as WAY 1 does above');
});

test('what the budget left out is said, and nothing is sure', () => {
  const report = traceReport({ ...serviceTrace(2), unwalked: 3 });
  expect(report.verdict).toBe('unknown');
  expect(textOf(report)).toContain(' ? 3 more ways were not walked');
});

test('with -v: owners’ purposes, bytes, the packet’s surroundings, the datapath', () => {
  const text = textOf(traceReport(serviceTrace(1)), { verbose: true });
  expect(text.replaceAll(/\s+/g, ' ')).toContain(
    '[kube-proxy: finds the Service of a packet · 205 packets · 12300 bytes]',
  );
  expect(text).toContain('   mark 0x0, conntrack new');
  expect(text).toContain('DATAPATH\n  · pod network by flannel');
});

describe('on a terminal', () => {
  test.each([60, 80, 100, 200])('%d columns are kept, but for words that are longer', (columns) => {
    const width = Math.min(100, columns);
    for (const line of textOf(traceReport(serviceTrace(3, 1)), { columns, verbose: true }).split('\n'))
      expect(line.length <= width || !/\S\s+\S/.test(line.trim()), line).toBe(true);
  });

  test('colours are used only where wanted', () => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character is what is looked for
    const escapes = /\u001b\[/;
    expect(textOf(deliveredReport())).not.toMatch(escapes);
    expect(textOf(deliveredReport(), { color: true })).toMatch(escapes);
  });

  test('nothing of the cluster can move the cursor', () => {
    const evil = step({ kind: 'socket', text: 'listens \u001b[2J\u202e on *:80\nroot# ' });
    const text = textOf(traceReport(leafTrace('delivered', { steps: [evil] })));
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these must not be there
    expect(text).not.toMatch(/[\u001b\u202e]/);
    expect(text).toContain('listens \\u001b[2J\\u202e on *:80\\nroot#');
  });
});
