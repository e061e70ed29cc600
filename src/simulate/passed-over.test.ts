import { describe, expect, test } from 'vitest';
import { hostOf } from '../net/place.ts';
import type { HookOutcome } from './hook.ts';
import { iptablesHookEntries } from './iptables.ts';
import { nftHookEntries } from './nftables.ts';
import { buildHookInput } from './testing/build-hook-input.ts';
import { snapshotOfTexts } from './testing/build-snapshot.ts';
import { inputOf, nftFacts, snapshotOf, syn } from './testing/nftables-fixture.ts';

const W1 = hostOf('w1');

function iptablesForward(lines: readonly string[], record?: 'all'): readonly HookOutcome[] {
  const text = ['*filter', ':FORWARD ACCEPT [0:0]', ...lines, 'COMMIT', ''].join('\n');
  const snapshot = snapshotOfTexts([
    ['iptables.nft', W1, { family: 4, table: '' }, text],
    ['iptables.legacy', W1, { family: 4 }, ''],
  ]);
  const forward = iptablesHookEntries(snapshot, W1, 4).entries.find((one) => one.hook === 'forward')!;
  return forward.evaluate(buildHookInput(snapshot, { hook: 'forward', ...(record ? { record } : {}) }));
}

const told = (outcomes: readonly HookOutcome[]) =>
  outcomes.map((outcome) =>
    outcome.steps.map((step) => [step.at.replace('forward ', ''), step.matched, step.values['failed'] ?? '']),
  );

describe('iptables', () => {
  // From 10.244.0.5 to 10.244.1.7, tcp/8080, in by cni0.
  const LINES = [
    ':A - [0:0]',
    '-A FORWARD -s 10.99.0.0/16 -d 10.244.1.7/32 -j DROP',
    '[7:420] -A FORWARD ! -i cni0 -j DROP',
    '-A FORWARD -p tcp -m tcp --dport 1024:65535 --tcp-flags FIN FIN -j DROP',
    '-A FORWARD -p tcp -m multiport --dports 80,443 -j DROP',
    '-A FORWARD -j A',
    '-A A -p udp -j DROP',
    '-A A -m conntrack --ctstate ESTABLISHED -j DROP',
    '-A FORWARD -j ACCEPT',
    '-A FORWARD -j DROP',
  ];

  test('each rule that was passed over says which of its tests failed first', () => {
    expect(told(iptablesForward(LINES, 'all'))).toEqual([
      [
        ['filter FORWARD#1', 'no', '-s 10.99.0.0/16'],
        ['filter FORWARD#2', 'no', '! -i cni0'],
        ['filter FORWARD#3', 'no', '-m tcp --tcp-flags FIN FIN'],
        ['filter FORWARD#4', 'no', '-m multiport --dports 80,443'],
        ['filter FORWARD#5', 'yes', ''],
        ['filter A#1', 'no', '-p udp'],
        ['filter A#2', 'no', '-m conntrack --ctstate ESTABLISHED'],
        ['filter FORWARD#6', 'yes', ''],
      ],
    ]);
  });

  test('a rule behind the one that decided is not passed over, and counters are told', () => {
    const [outcome] = iptablesForward(LINES, 'all');
    expect(outcome!.steps.some((step) => step.at.endsWith('FORWARD#7'))).toBe(false);
    expect(outcome!.steps[1]!.values).toMatchObject({ packets: 7, bytes: 420 });
  });

  test('a lot that was drawn otherwise is told on the way past the rule', () => {
    const lines = ['-A FORWARD -m statistic --mode random --probability 0.25 -j DROP', '-A FORWARD -j ACCEPT'];
    expect(told(iptablesForward(lines, 'all')).toSorted()).toEqual([
      [
        ['filter FORWARD#1', 'no', '-m statistic --mode random --probability 0.25'],
        ['filter FORWARD#2', 'yes', ''],
      ],
      [['filter FORWARD#1', 'yes', '']],
    ]);
  });

  test('nothing else changes by it', () => {
    const lines = [':A - [0:0]', '-A FORWARD -m recent --rcheck -j DROP', ...LINES.slice(1)];
    const quiet = iptablesForward(lines);
    const full = iptablesForward(lines, 'all');
    const without = full.map((one) => ({ ...one, steps: one.steps.filter((step) => step.matched !== 'no') }));
    expect(without).toEqual(quiet);
  });
});

describe('nftables', () => {
  const is = (left: object, right: unknown) => ({ match: { op: '==', left, right } });
  const daddr = { payload: { protocol: 'ip', field: 'daddr' } };
  const dport = { payload: { protocol: 'tcp', field: 'dport' } };
  const rules = [
    [{ counter: { packets: 3, bytes: 180 } }, is(daddr, '10.9.9.9'), { drop: null }],
    [is(daddr, '10.0.0.2'), is(dport, 443), { drop: null }],
    [{ vmap: { key: dport, data: { set: [[53, { drop: null }]] } } }],
    [is(dport, 80), { accept: null }],
    [{ drop: null }],
  ];
  const listing = JSON.stringify({
    nftables: [
      { table: { family: 'ip', name: 't', handle: 1 } },
      {
        chain: {
          family: 'ip',
          table: 't',
          name: 'base',
          handle: 1,
          type: 'filter',
          hook: 'forward',
          prio: 0,
          policy: 'drop',
        },
      },
      ...rules.map((expr, at) => ({ rule: { family: 'ip', table: 't', chain: 'base', handle: at + 10, expr } })),
    ],
  });
  const packet = { from: '10.0.0.1', to: '10.0.0.2', l4: syn(80), input: 'eth0', output: 'cni0' } as const;

  test('each rule that was passed over says which of its statements left it', () => {
    const snapshot = snapshotOf(nftFacts(listing));
    const [entry] = nftHookEntries(snapshot, W1).entries;
    const input = inputOf('forward', snapshot, packet);
    expect(told(entry!.evaluate(input))).toEqual([[['nft ip t base#4', 'yes', '']]]);
    expect(told(entry!.evaluate({ ...input, record: 'all' }))).toEqual([
      [
        ['nft ip t base#1', 'no', 'ip daddr 10.9.9.9'],
        ['nft ip t base#2', 'no', 'tcp dport 443'],
        ['nft ip t base#3', 'no', 'tcp dport vmap { 53 : drop }'],
        ['nft ip t base#4', 'yes', ''],
      ],
    ]);
  });
});
