import { describe, expect, test } from 'vitest';
import type { Report } from './report.ts';
import { faultReport, forkedReport, healthyReport, inconclusiveReport } from './testing/sample-reports.ts';
import { renderText } from './text.ts';

const plain = { color: false, columns: 100, verbose: false };
const reports = {
  fault: faultReport(),
  forked: forkedReport(),
  healthy: healthyReport(),
  inconclusive: inconclusiveReport(),
};
const all = Object.entries(reports);

/** ESC, and the 8-bit CSI that some terminals take for it. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones to find
const ESCAPES = /[\u001b\u009b]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones to find
const CONTROLS = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\u2028\u2029]/;

describe('golden files', () => {
  test.each(all)('%s', async (name, report) => {
    await expect(renderText(report, plain)).toMatchFileSnapshot(`fixtures/${name}.txt`);
  });
});

describe('order', () => {
  test('what was asked, the verdict, the cause, where, the proof, the fix, the path, the rest', () => {
    const text = renderText(reports.fault, plain);
    const wanted = [
      'deploy/demo/client → svc/demo/web:80',
      '✗ FAULT  network-unreachable',
      'IP forwarding is switched off (w1)',
      'ROOT CAUSE  ip-forward-disabled  (proven)',
      'where  node w1: net.ipv4.ip_forward',
      'net.ipv4.ip_forward = 0',
      'sysctls of w1, line 212',
      'the packet is delivered there and back',
      'sysctl -w net.ipv4.ip_forward=1',
      'PATH  tcp',
      '✗ forwarding-disabled',
      'STEPS TAKEN',
      'RULED OUT (5)',
      'COULD NOT CHECK (3)',
      'took 2.3 s',
    ];
    const places = wanted.map((part) => text.indexOf(part));
    expect(places.map((at, i) => (at < 0 ? wanted[i] : undefined)).filter(Boolean)).toEqual([]);
    expect([...places].sort((a, b) => a - b)).toEqual(places);
    expect(text.startsWith('deploy/demo/client → svc/demo/web:80\n')).toBe(true);
  });

  test('where it could not be told, what was not seen comes before the path', () => {
    const text = renderText(reports.inconclusive, plain);
    expect(text.indexOf('COULD NOT CHECK')).toBeGreaterThan(0);
    expect(text.indexOf('COULD NOT CHECK')).toBeLessThan(text.indexOf('PATH  '));
  });

  test('a healthy way is drawn only on request, and then both ways of it', () => {
    expect(renderText(reports.healthy, plain)).not.toContain('\nPATH');
    const verbose = renderText(reports.healthy, { ...plain, verbose: true });
    expect(verbose).toContain('PATH  tcp 10.244.1.5 → 10.244.2.7:8080\n');
    expect(verbose).toContain('PATH  tcp 10.244.1.5 → 10.244.2.7:8080, the way back\n');
  });

  test('the branch that dies is drawn first, with the very rule', () => {
    const text = renderText(reports.forked, plain);
    expect(text.indexOf('✗ dropped-by-rule')).toBeLessThan(text.indexOf('● delivered'));
    expect(text).toContain('\n     -A INPUT -p tcp -m tcp --dport 8080 -j DROP\n');
    expect(text).toContain('backend 1 of 3 (33 %)');
  });

  test('a way back that dies is the one that is drawn', () => {
    const [path] = reports.fault.paths;
    const alive = reports.healthy.paths[0]!;
    const report: Report = {
      ...reports.fault,
      paths: [{ ...alive, trip: { forward: alive.trip.forward, replies: [{ leaf: 0, trace: path!.trip.forward }] } }],
    };
    expect(renderText(report, plain)).toContain('the way back\n');
  });
});

describe('words', () => {
  const [root] = reports.fault.causes;
  const withCause = (change: Partial<Report['causes'][number]>, verdict: Report['verdict'] = 'fault'): string =>
    renderText({ ...reports.fault, verdict, causes: [{ ...root!, ...change }] }, plain);

  test.each([
    [{}, 'fault', 'ROOT CAUSE'],
    [{ confidence: 'suspected' }, 'inconclusive', 'SUSPECTED'],
    [{ gravity: 'risk' }, 'healthy', 'RISK'],
    [{ gravity: 'by-design' }, 'inconclusive', 'BY DESIGN'],
  ] as const)('%j in a report that says %s is called %s', (change, verdict, word) => {
    expect(withCause(change, verdict)).toContain(`\n${word}  ip-forward-disabled`);
  });

  test('further faults are told apart by whether they lie behind the first', () => {
    const second = { ...root!, id: 'no-listener', title: 'Nobody listens' };
    const text = (more: Partial<Report['causes'][number]>): string =>
      renderText({ ...reports.fault, causes: [root!, { ...second, ...more }] }, plain);
    expect(text({})).toContain('\nALSO  no-listener  (proven)\n  Nobody listens\n');
    expect(text({ behind: true })).toContain('\nBEHIND IT  no-listener');
  });

  test('a consequence is shown under its root, without a fix of its own unless -v', () => {
    const text = renderText(reports.fault, plain);
    expect(text).toContain('\n    and so  dns-service-unreachable  (observed)\n');
    expect(text).not.toContain('mend what it is a consequence of');
    expect(renderText(reports.fault, { ...plain, verbose: true })).toContain('mend what it is a consequence of');
  });

  test('the title is said where the verdict’s sentence is about something else', () => {
    expect(withCause({})).not.toContain('\n  IP forwarding is switched off\n');
    expect(renderText({ ...reports.fault, summary: 'Another sentence' }, plain)).toContain(
      '\n  IP forwarding is switched off\n',
    );
  });

  test('a counterfactual that does not deliver says where it ends', () => {
    const counterfactual = { change: 'net.ipv4.ip_forward = 1 (w1)', disposition: 'no-listener' };
    expect(withCause({ counterfactual })).toContain('with net.ipv4.ip_forward = 1 (w1) the walk ends in no-listener');
  });

  test('an unexplained end says its share, and when it is only an undecided rule’s', () => {
    const [dead] = reports.forked.unexplained;
    const text = (chance: { min: number; max: number }): string =>
      renderText({ ...reports.forked, unexplained: [{ ...dead!, chance }] }, plain);
    expect(text({ min: 1 / 3, max: 1 / 3 })).toContain('dropped-by-rule (33 %) at node w2');
    expect(text({ min: 0.25, max: 0.5 })).toContain('dropped-by-rule (25–50 %)');
    expect(text({ min: 0, max: 1 })).toContain('dropped-by-rule (if an undecided rule leads there)');
    expect(text({ min: 1, max: 1 })).toContain('dropped-by-rule at node w2');
  });

  test('a contradiction of walk and probe stands before the path', () => {
    const text = renderText({ ...reports.inconclusive, disagreements: ['main: by the walk it is delivered'] }, plain);
    expect(text).toContain(
      '\nCONTRADICTION: one of walk, probe and capture is wrong\n  · main: by the walk it is delivered\n',
    );
    expect(text.indexOf('CONTRADICTION')).toBeLessThan(text.indexOf('\nPATH'));
  });

  test('many reasons are cut, and it is said how many', () => {
    const notChecked = Array.from({ length: 20 }, (_, i) => ({
      id: `cause-${i}`,
      because: `links of w${i}: timed-out`,
    }));
    const report = { ...reports.fault, notChecked };
    expect(renderText(report, plain)).toContain('COULD NOT CHECK (20)');
    expect(renderText(report, plain)).toContain('and 12 more reasons (-v shows all)');
    expect(renderText(report, { ...plain, verbose: true })).toContain('cause-19: links of w19: timed-out');
  });

  test('why a cause was ruled out is told on request', () => {
    expect(renderText(reports.fault, plain)).not.toContain('w1 has a route to 10.244.2.0/24');
    expect(renderText(reports.fault, { ...plain, verbose: true })).toContain(
      'pod-cidr-route-missing: w1 has a route to 10.244.2.0/24',
    );
  });

  test('a probe that no step told of is listed', () => {
    const workflow = reports.healthy.workflow.slice(0, 1);
    expect(renderText(reports.healthy, plain)).not.toContain('OTHER PROBES');
    expect(renderText({ ...reports.healthy, workflow }, plain)).toContain(
      'OTHER PROBES\n  · connect to 10.244.2.7:8080: connected in 0.8 ms\n',
    );
  });
});

describe('width', () => {
  const tooWide = (text: string, width: number, commands: readonly string[]): string[] =>
    text
      .split('\n')
      .filter((line) => line.length > width)
      .filter((line) => !commands.includes(line.trim()))
      .filter((line) => line.trim().split(' ').length > 1);

  const long: Report = {
    ...reports.fault,
    target: {
      ...reports.fault.target,
      source: `pod/${'a-namespace-with-a-long-name'.repeat(2)}/a-deployment-with-a-long-name-7f5c9d8b6c-x2x8k`,
      flow: `udp fd00:10:244:0001:0002:0003:0004:0005 → fd00:10:96:0001:0002:0003:0004:000a:53 ${'and more '.repeat(9)}`,
    },
    causes: reports.fault.causes.map((cause) => ({
      ...cause,
      evidence: cause.evidence.map((one) => ({
        ...one,
        text: `-A KUBE-FORWARD ${'-m comment --comment "a rule with many words" '.repeat(6)}-j DROP`,
      })),
    })),
    paths: reports.fault.paths.map((path) => ({
      ...path,
      description: `${path.description} ${'more words '.repeat(12)}`,
    })),
  };

  test.each([
    [100, 100],
    [80, 80],
    [240, 100],
    [20, 60],
  ])('a terminal of %i columns gets lines of at most %i', (columns, width) => {
    for (const [, report] of [...all, ['long', long] as const])
      for (const verbose of [false, true]) {
        const text = renderText(report, { ...plain, columns, verbose });
        const commands = report.causes.flatMap((cause) => cause.fix.commands);
        expect(tooWide(text, width, commands)).toEqual([]);
      }
  });

  test('commands are not broken: they are there to be copied', () => {
    const command = `iptables -t filter -I FORWARD 1 ${'-m comment --comment "very long" '.repeat(8)}-j ACCEPT`;
    const causes = reports.fault.causes.map((cause) => ({ ...cause, fix: { summary: 'x', commands: [command] } }));
    expect(renderText({ ...reports.fault, causes }, plain)).toContain(`\n      ${command}\n`);
  });
});

describe('colour', () => {
  test.each(all)('%s: none unless asked for, and nothing else changes by it', (_, report) => {
    const colored = renderText(report, { ...plain, color: true });
    expect(renderText(report, plain)).not.toMatch(ESCAPES);
    expect(colored).toMatch(ESCAPES);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape codes themselves (ECMA-48, SGR)
    expect(colored.replace(/\u001b\[[0-9;]*m/g, '')).toBe(renderText(report, plain));
  });
});

describe('hostile text', () => {
  const HOSTILE = 'web\u001b[2J\u001b[1;32m✓ HEALTHY\u009b31m\r\u202egnirts\u2028x\u0007\u0000';

  /** The report with this put into every string of it, also into the keys of records. */
  function poisoned<T>(value: T): T {
    if (typeof value === 'string') return `${value}${HOSTILE}` as T;
    if (Array.isArray(value)) return value.map(poisoned) as T;
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, poisoned(one)])) as T;
  }

  test.each(all)('%s: no string of a report reaches the terminal as a control', (_, report) => {
    const { schema, verdict } = report;
    const hostile = { ...poisoned(report), schema, verdict, timings: { [`walking${HOSTILE}`]: 12 } };
    for (const verbose of [false, true]) {
      const text = renderText(hostile, { ...plain, verbose });
      expect(text).not.toMatch(CONTROLS);
      expect(text).toContain('\\u001b[2J');
    }
  });

  test('a line break in a name adds no line to a command', () => {
    const fix = { summary: 'x', commands: ['ip link set veth\nrm -rf / up'] };
    const causes = reports.fault.causes.map((cause) => ({ ...cause, fix }));
    expect(renderText({ ...reports.fault, causes }, plain)).toContain('\n      ip link set veth\\nrm -rf / up\n');
  });
});
