import { describe, expect, it } from 'vitest';
import { parseIptablesSave } from '../parse/iptables-save.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { ArpMessage } from './hook.ts';
import { sentByStack, takenByStack, throughHurdles } from './message-rules.ts';
import { answerMessage, type NeighbourMessage, questionMessage } from './neighbour-message.ts';
import { type FixtureFact, HERE, nftFacts, snapshotOf } from './testing/nftables-fixture.ts';
import type { Truth } from './trace.ts';

const LINK = {
  index: 2,
  name: 'eth0',
  flags: ['UP'],
  mtu: 1500,
  operstate: 'UP',
  type: 'ether',
  mac: '02:00:00:00:00:01',
  addresses: [],
} as const;
const ETH0 = { place: HERE, link: LINK };

const field = (protocol: string, name: string): object => ({ payload: { protocol, field: name } });
const arp = (name: string): object => field('arp', name);
const is = (left: unknown, right: unknown, op = '=='): object => ({ match: { op, left, right } });
const DROP = { drop: null };

type Rules = readonly (readonly unknown[])[];

function snapshotWith(hook: string, rules: Rules, policy = 'accept', family = 'arp'): Snapshot {
  const items = [
    { table: { family, name: 't', handle: 1 } },
    { chain: { family, table: 't', name: 'c', handle: 1, type: 'filter', hook, prio: 0, policy } },
    ...rules.map((expr, index) => ({ rule: { family, table: 't', chain: 'c', handle: index + 2, expr } })),
  ];
  return snapshotOf([...nftFacts(JSON.stringify({ nftables: items })), ...ip6tables('')]);
}

function ip6tables(save: string): readonly FixtureFact[] {
  const none = parseIptablesSave('').value;
  return [
    { name: 'iptables.legacy', args: { family: 6 }, value: none },
    { name: 'iptables.nft', args: { family: 6, table: '' }, value: parseIptablesSave(save).value },
  ];
}

const REQUEST: ArpMessage = {
  operation: 'request',
  senderMac: '02:00:00:00:00:01',
  senderIp: '10.0.0.1',
  targetIp: '10.0.0.2',
};

function arpPasses(snapshot: Snapshot, message: ArpMessage = REQUEST): Truth {
  const whole: NeighbourMessage = { ...questionMessage(ETH0, { address: '10.0.0.2' }), arp: message };
  return throughHurdles(snapshot, HERE, whole, [{ hook: 'input', input: 'eth0' }]).passes;
}

describe('chains of family arp', () => {
  it.each([
    [[is(arp('operation'), 'request'), DROP], 'no'],
    [[is(arp('operation'), 'reply'), DROP], 'yes'],
    [[is(arp('saddr ip'), '10.0.0.1'), DROP], 'no'],
    [[is(arp('daddr ip'), { prefix: { addr: '10.0.0.0', len: 24 } }), DROP], 'no'],
    [[is(arp('daddr ip'), '10.0.0.9'), DROP], 'yes'],
    [[is(arp('saddr ether'), '02:00:00:00:00:01'), DROP], 'no'],
    [[is(arp('htype'), 1), is(arp('ptype'), 'ip'), is(arp('hlen'), 6), is(arp('plen'), 4), DROP], 'no'],
    [[is({ meta: { key: 'iifname' } }, 'eth1'), DROP], 'yes'],
    [[is({ meta: { key: 'iifname' } }, 'eth0'), DROP], 'no'],
    [[is({ meta: { key: 'protocol' } }, 'arp'), DROP], 'no'],
    [[is({ meta: { key: 'l4proto' } }, 'tcp', '!='), DROP], 'yes'],
    [[{ limit: { rate: 1, per: 'second' } }, DROP], 'unknown'],
  ] as const)('%j', (rule, expected) => {
    expect(arpPasses(snapshotWith('input', [rule]))).toBe(expected);
  });

  it('count at their hook alone, and with their policy', () => {
    expect(arpPasses(snapshotWith('output', [[DROP]]))).toBe('yes');
    expect(arpPasses(snapshotWith('input', [], 'drop'))).toBe('no');
  });

  it('of which nothing was seen are left to the hooks that the packet meets next', () => {
    expect(arpPasses(snapshotOf([]))).toBe('yes');
  });

  it('cannot decide about a MAC that is not known', () => {
    const { senderMac: _, ...unknown } = REQUEST;
    const snapshot = snapshotWith('input', [[is(arp('saddr ether'), '02:00:00:00:00:01'), DROP]]);
    expect(arpPasses(snapshot, unknown)).toBe('unknown');
  });
});

describe('chains that IPv6’s neighbours meet', () => {
  const question = { address: 'fd00::2', asker: 'fe80::1' };
  const asked = questionMessage(ETH0, question);
  const answered = answerMessage(question, '02:00:00:00:00:02', LINK.mac);
  const filter = (...rules: readonly string[]): Snapshot => {
    const save = `*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n${rules.join('\n')}\nCOMMIT\n`;
    return snapshotOf([...nftFacts('{"nftables":[]}'), ...ip6tables(save)]);
  };

  it('a solicitation goes out by output, an advertisement comes in by input', () => {
    const noQuestions = filter('-A OUTPUT -p ipv6-icmp -m icmp6 --icmpv6-type 135 -j DROP');
    expect(sentByStack(noQuestions, ETH0, asked)).toMatchObject({ passes: 'no' });
    expect(sentByStack(noQuestions, ETH0, answered).passes).toBe('yes');
    const noAnswers = filter('-A INPUT -p ipv6-icmp -m icmp6 --icmpv6-type 136 -j DROP');
    expect(takenByStack(noAnswers, ETH0, asked).passes).toBe('yes');
    const passage = takenByStack(noAnswers, ETH0, answered);
    expect(passage).toMatchObject({ passes: 'no' });
    expect(passage.passes === 'no' && passage.steps.at(-1)).toMatchObject({
      values: { chain: 'INPUT', ruleNumber: 1, question: true },
    });
  });

  it('such messages are never tracked: neither new nor invalid', () => {
    const strict = filter(
      '-A INPUT -m conntrack --ctstate INVALID -j DROP',
      '-A INPUT -m conntrack --ctstate NEW -j DROP',
    );
    expect(takenByStack(strict, ETH0, asked).passes).toBe('yes');
    expect(takenByStack(filter('-A INPUT -m conntrack --ctstate UNTRACKED -j DROP'), ETH0, asked).passes).toBe('no');
  });

  it('by the group that a question is sent to', () => {
    const group = is(field('ip6', 'daddr'), 'ff02::1:ff00:2');
    expect(takenByStack(snapshotWith('input', [[group, DROP]], 'accept', 'ip6'), ETH0, asked).passes).toBe('no');
    const other = is(field('ip6', 'daddr'), 'ff02::1:ff00:3');
    expect(takenByStack(snapshotWith('input', [[other, DROP]], 'accept', 'ip6'), ETH0, asked).passes).toBe('yes');
  });

  it('a changed hop limit makes the message void', () => {
    const lower = { mangle: { key: field('ip6', 'hoplimit'), value: 64 } };
    const taken = takenByStack(snapshotWith('prerouting', [[lower]], 'accept', 'ip6'), ETH0, asked);
    expect(taken).toMatchObject({ passes: 'no', steps: [] });
  });

  it('chance is no certainty', () => {
    const some = filter('-A INPUT -p ipv6-icmp -m limit --limit 1/sec -j DROP');
    expect(takenByStack(some, ETH0, asked).passes).toBe('unknown');
  });
});
