import { describe, expect, test } from 'vitest';
import { step } from '../diagnose/testing/build-case.ts';
import type { Step } from '../simulate/trace.ts';
import { stageOf, stepLines } from './step-lines.ts';
import { routed, ruleStep } from './testing/sample-traces.ts';

const options = { verbose: false, depth: 0, isIdle: false };
const linesOf = (one: Step, more: Partial<typeof options> = {}) =>
  stepLines(one, { ...options, ...more }).map(({ kind, stage, text }) => [kind, stage, text]);

const source = (action: string, text?: string, line?: number): Step['source'] => ({
  request: { action, place: { node: 'w1', namespace: 'host' }, args: {}, round: 0 },
  ...(text !== undefined && { text }),
  ...(line !== undefined && { line }),
});

describe('rules', () => {
  const drop = ruleStep('forward', 'filter', '-A FORWARD -d 10.244.1.0/24 -j DROP', {
    line: 31,
    values: { packets: 1 },
  });

  test('of iptables have their line of the save file', () => {
    expect(linesOf(drop)).toEqual([
      ['step', 'forward', 'filter FORWARD#1: drop [1 packet]'],
      ['quote', 'forward', 'line 31: -A FORWARD -d 10.244.1.0/24 -j DROP'],
    ]);
  });

  test('of the legacy backend say so; one that a what-if put in has no line', () => {
    const own = {
      ...drop,
      source: source('iptables.legacy', '', 0),
      values: { ...drop.values, backend: 'iptables-legacy' },
    };
    expect(linesOf(own)).toEqual([
      ['step', 'forward', 'legacy filter FORWARD#1: drop [1 packet]'],
      ['quote', 'forward', '-A FORWARD -d 10.244.1.0/24 -j DROP'],
    ]);
  });

  test('of nftables have their handle', () => {
    const values = {
      backend: 'nft',
      family: 'inet',
      hook: 'input',
      table: 'fw',
      chain: 'in',
      ruleNumber: 2,
      handle: 12,
    };
    const nft = step({
      kind: 'rule',
      at: 'input nft inet fw in#2',
      text: 'drop',
      values: { ...values, ruleText: 'tcp dport 80 drop' },
    });
    expect(linesOf(nft)).toEqual([
      ['step', 'input', 'nft inet fw in#2: drop'],
      ['quote', 'input', 'handle 12: tcp dport 80 drop'],
    ]);
  });

  test('that change a mark or the packet show both values', () => {
    const changes = [
      { field: 'mark', from: 0, to: 0x4000 },
      { field: 'mss', from: 1460, to: 1360 },
      { field: 'ttl', from: 64, to: 63 },
      { field: 'note', from: null, to: 'x' },
    ];
    expect(linesOf({ ...drop, changes }).slice(2)).toEqual([
      ['change', 'forward', 'mark 0x0 → 0x4000'],
      ['change', 'forward', 'mss 1460 → 1360'],
      ['change', 'forward', 'ttl 64 → 63'],
      ['change', 'forward', 'note none → x'],
    ]);
  });

  test('that call a chain in which nothing matches say so', () => {
    const call = ruleStep('forward', 'filter', '-A FORWARD -j KUBE-FORWARD', { line: 32 });
    expect(linesOf(call, { isIdle: true })[0]![2]).toBe('filter FORWARD#1: calls KUBE-FORWARD, where nothing matches');
  });

  test('that do not match take one line', () => {
    const passed: Step = { ...drop, matched: 'no', values: { ...drop.values, failed: '-d 10.244.1.0/24' } };
    expect(linesOf(passed)).toEqual([
      [
        'passed',
        'forward',
        'filter FORWARD#1: fails at -d 10.244.1.0/24 | line 31: -A FORWARD -d 10.244.1.0/24 -j DROP',
      ],
    ]);
  });
});

describe('translations show what became of the addresses, and by what', () => {
  const nat = (by: string): Step =>
    step({
      kind: 'nat',
      at: 'postrouting nat',
      text: 'source becomes another',
      values: { by },
      changes: [{ field: 'source', from: '10.244.0.4:*', to: '10.81.216.11:*' }],
    });
  test.each([
    ['rule', 'source 10.244.0.4:* → 10.81.216.11:*'],
    ['reversal', 'source 10.244.0.4:* → 10.81.216.11:* (the connection’s translation, turned)'],
    ['connection', 'source 10.244.0.4:* → 10.81.216.11:* (as the connection began)'],
  ])('%s', (by, text) => expect(linesOf(nat(by))).toEqual([['change', 'postrouting', text]]));
});

describe('what is not as usual', () => {
  test('a translation by ipvs, by a clash, and one that finds no server', () => {
    const nat = (values: Step['values'], text = 'x', more: Partial<Step> = {}): Step =>
      step({
        kind: 'nat',
        at: 'input ipvs',
        text,
        values,
        changes: [{ field: 'destination', from: 'a', to: 'b' }],
        ...more,
      });
    expect(linesOf(nat({ by: 'ipvs', scheduler: 'rr' }))).toEqual([
      ['change', 'input', 'destination a → b (ipvs, rr)'],
    ]);
    expect(linesOf(nat({ by: 'clash' }))[0]![2]).toBe('destination a → b (another connection has the source port)');
    const none = nat({ by: 'ipvs', reason: 'no-server' }, 'the ipvs service has no server', {
      matched: 'no',
      changes: [],
    });
    expect(linesOf(none)).toEqual([['step', 'input', 'the ipvs service has no server']]);
  });

  test('what only one of several ways that come to the same has met is a perhaps', () => {
    const rule = ruleStep('forward', 'filter', '-A FORWARD -j ACCEPT', { line: 3, matched: 'unknown' });
    expect(linesOf(rule)[0]).toEqual(['undecided', 'forward', 'filter FORWARD#1: perhaps accept']);
    const policy = step({
      kind: 'policy',
      at: 'forward filter FORWARD',
      matched: 'unknown',
      values: { ...rule.values, ruleNumber: null, policy: 'DROP' },
    });
    expect(linesOf(policy)[0]![2]).toMatch(/: perhaps policy DROP$/);
  });
});

describe('what is between the hooks', () => {
  test('a route as ip prints it, and the rule of the policy routing where it is not a usual one', () => {
    expect(linesOf(routed('10.244.1.4', '10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink'))).toEqual([
      ['step', 'routing', '10.244.1.4: 10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink'],
    ]);
    const marked = { purpose: 'reverse', rulePriority: 100, ruleText: '100: from all fwmark 0x1 lookup 7' };
    expect(linesOf(routed('10.0.0.1', 'default dev wg0 table 7', marked))[0]![2]).toBe(
      'back to 10.0.0.1: default dev wg0 table 7, by the rule 100: from all fwmark 0x1 lookup 7',
    );
  });

  test('a setting with its line; what is in the text already is not said again', () => {
    const sysctl = step({
      kind: 'sysctl',
      at: 'forward net.ipv4.ip_forward',
      text: 'net.ipv4.ip_forward is 0: not forwarded',
      source: source('sysctls', 'net.ipv4.ip_forward = 0', 212),
    });
    expect(linesOf(sysctl)).toEqual([
      ['step', 'forward', 'net.ipv4.ip_forward is 0: not forwarded'],
      ['quote', 'forward', '212: net.ipv4.ip_forward = 0'],
    ]);
    expect(linesOf({ ...sysctl, text: 'for net.ipv4.ip_forward = 0' })).toHaveLength(1);
  });

  test('the tables of the link layer are quoted with -v alone', () => {
    const neighbour = step({
      kind: 'neighbour',
      at: 'neighbour eth0',
      text: '10.0.0.1 is at 02:00:00:00:00:01',
      source: source('neighbours', '10.0.0.1 dev eth0 lladdr 02:00:00:00:00:01 STALE'),
    });
    expect(linesOf(neighbour)).toHaveLength(1);
    expect(linesOf(neighbour, { verbose: true })[1]![2]).toBe('10.0.0.1 dev eth0 lladdr 02:00:00:00:00:01 STALE');
  });

  test('a kind that nobody has heard of is shown by its own text', () => {
    const future = { ...step({ at: 'ipvs', text: 'virtual server 10.96.0.1:80 rr' }), kind: 'ipvs' } as unknown as Step;
    expect(linesOf(future)).toEqual([['step', 'ipvs', 'virtual server 10.96.0.1:80 rr']]);
  });
});

test.each([
  [{ kind: 'policy', at: 'forward filter FORWARD', values: { hook: 'forward' } }, 'forward'],
  [{ kind: 'conntrack', at: 'prerouting conntrack' }, 'prerouting'],
  [{ kind: 'bridge', at: 'bridge cni0' }, 'bridge'],
  [{ kind: 'socket', at: 'socket' }, 'delivery'],
  [{ kind: 'mtu', at: 'mtu eth0' }, 'size'],
] as const)('the stage of %o', (given, stage) => expect(stageOf(step(given))).toBe(stage));
