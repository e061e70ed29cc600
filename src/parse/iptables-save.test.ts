import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type IptablesRule, parseIptablesRule, parseIptablesSave } from './iptables-save.ts';

const fixture = (name: string): string => readFileSync(new URL(`fixtures/${name}`, import.meta.url), 'utf8');
const ALL = ['iptables-nft-save-1.8.9.txt', 'iptables-legacy-save-1.8.9.txt', 'ip6tables-nft-save-1.8.9.txt'];

function rulesOf(text: string, table: string, chain: string): readonly IptablesRule[] {
  return parseIptablesSave(text)
    .value.tables.find((t) => t.name === table)!
    .chains.find((c) => c.name === chain)!.rules;
}

describe('parseIptablesSave', () => {
  it.each(ALL)('reads all of %s, and every rule is its own line again', (name) => {
    const text = fixture(name);
    const { value, unparsed } = parseIptablesSave(text);
    expect(unparsed).toEqual([]);
    const lines = text.split('\n');
    const rules = value.tables.flatMap((table) => table.chains.flatMap((chain) => chain.rules));
    expect(rules).toHaveLength(lines.filter((line) => line.includes('-A ')).length);
    for (const rule of rules) expect(lines[rule.line - 1]).toBe(`[${rule.packets}:${rule.bytes}] ${rule.text}`);
  });

  it('reads policies, counters and user chains', () => {
    const { value } = parseIptablesSave(
      [
        '*filter',
        ':FORWARD DROP [12:3456]',
        ':KUBE-FORWARD - [0:0]',
        '[7:420] -A FORWARD -j KUBE-FORWARD',
        'COMMIT',
      ].join('\n'),
    );
    expect(value.tables[0]!.chains[0]).toMatchObject({ name: 'FORWARD', policy: 'DROP', packets: 12, bytes: 3456 });
    expect(value.tables[0]!.chains[0]!.rules[0]).toMatchObject({ number: 1, line: 4, packets: 7, bytes: 420 });
    expect(value.tables[0]!.chains[1]!.policy).toBeUndefined();
  });

  it('splits the built-in selectors, negation and modules', () => {
    const [rule] = rulesOf(fixture(ALL[0]!), 'nat', 'KUBE-SVC');
    expect(rule!.matches).toEqual([
      {
        module: 'ip',
        options: [
          { name: 's', negated: true, values: ['10.244.0.0/16'] },
          { name: 'd', negated: false, values: ['10.96.0.10/32'] },
          { name: 'p', negated: false, values: ['udp'] },
        ],
      },
      { module: 'udp', options: [{ name: 'dport', negated: false, values: ['53'] }] },
    ]);
    expect(rule!.target).toEqual({ name: 'KUBE-MARK-MASQ', goto: false, options: [] });
  });

  it('unquotes comments and keeps values that look like options', () => {
    const text = fixture(ALL[0]!);
    expect(rulesOf(text, 'nat', 'POSTROUTING')[0]!.comment).toBe(`say "hi" it's \\ ok`);
    const input = rulesOf(text, 'filter', 'INPUT');
    expect(input.find((rule) => rule.target?.name === 'NFQUEUE')!.comment).toBe('-dport');
    const string = input.find((rule) => rule.matches.some((match) => match.module === 'string'))!;
    expect(string.matches[0]!.options[0]).toEqual({ name: 'string', negated: false, values: ['-x y'] });
  });

  it('keeps options with two values, negated module options, goto and targets of several options', () => {
    const text = fixture(ALL[0]!);
    expect(rulesOf(text, 'mangle', 'FORWARD')[0]!.matches[1]!.options).toEqual([
      { name: 'tcp-flags', negated: false, values: ['SYN,RST', 'SYN'] },
    ]);
    expect(rulesOf(text, 'filter', 'OUTPUT')[0]!.matches[0]!.options[1]).toEqual({
      name: 'gid-owner',
      negated: true,
      values: ['5'],
    });
    expect(rulesOf(text, 'filter', 'OUTPUT')[1]!.target).toMatchObject({ name: 'INPUTX', goto: true });
    expect(rulesOf(text, 'mangle', 'PREROUTING')[1]!.target!.options.map((option) => option.name)).toEqual([
      'restore-mark',
      'nfmask',
      'ctmask',
    ]);
  });

  it('reads a rule without counters, as iptables-save without -c prints it', () => {
    const [rule] = rulesOf('*filter\n:INPUT ACCEPT\n-A INPUT -i lo -j ACCEPT\nCOMMIT\n', 'filter', 'INPUT');
    expect(rule).toMatchObject({ text: '-A INPUT -i lo -j ACCEPT' });
    expect(rule!.packets).toBeUndefined();
  });

  it('says that an incompatible table was not seen', () => {
    const { unparsed } = parseIptablesSave("# Table `filter' is incompatible, use 'nft' tool.\n");
    expect(unparsed).toEqual([{ line: 1, text: "# Table `filter' is incompatible, use 'nft' tool." }]);
  });

  it('says that base chains of a table were not seen, and reads the rest of it', () => {
    const remark = "# Table `nat' contains incompatible base-chains, use 'nft' tool to list them.";
    const { value, unparsed } = parseIptablesSave(`${remark}\n*nat\n:INPUT ACCEPT [0:0]\nCOMMIT\n`);
    expect(unparsed).toEqual([{ line: 1, text: remark }]);
    expect(value.tables[0]!.chains[0]!.name).toBe('INPUT');
  });

  it('keeps lines that it does not understand', () => {
    const text = [
      '*filter',
      ':INPUT ACCEPT [0:0]',
      '-A NOWHERE -j DROP',
      '-A INPUT -m comment --comment "open',
      'x',
      'COMMIT',
      'y',
    ];
    expect(parseIptablesSave(text.join('\n')).unparsed.map((line) => line.line)).toEqual([3, 4, 5, 7]);
  });

  it('keeps a value that no option takes, for the simulator to be undecided about', () => {
    const rule = parseIptablesRule('-A INPUT -m foo [unsupported revision] -j DROP', 3)!;
    expect(rule.matches[0]!.options).toEqual([{ name: '', negated: false, values: ['[unsupported', 'revision]'] }]);
  });

  it.each([
    ['-A', undefined],
    ['-A INPUT !', undefined],
    ['-A INPUT ! ! -s 10.0.0.1', undefined],
    ['-A INPUT -m', undefined],
    ['-I INPUT -j DROP', undefined],
  ])('takes %j for no rule', (text, expected) => {
    expect(parseIptablesRule(text, 1)).toBe(expected);
  });

  it('never claims completeness for a text cut within a table', () => {
    const text = fixture(ALL[2]!);
    const ends = new Set<number>();
    for (let at = text.indexOf('COMMIT'); at >= 0; at = text.indexOf('COMMIT', at + 1)) ends.add(at + 'COMMIT'.length);
    let inTable = false;
    for (let length = 0; length <= text.length; length++) {
      const cut = text.slice(0, length);
      const lines = cut.split('\n');
      const opened = lines.filter((line) => /^\*\w+$/.test(line)).length;
      inTable = opened > lines.filter((line) => line === 'COMMIT').length;
      if (inTable) expect(parseIptablesSave(cut).unparsed.length, `cut at ${length}`).toBeGreaterThan(0);
    }
    expect(inTable).toBe(false);
  });

  it('never throws on broken text', () => {
    const text = fixture(ALL[0]!);
    let state = 42;
    const random = (below: number): number => {
      state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
      return state % below;
    };
    for (let round = 0; round < 300; round++) {
      const at = random(text.length);
      const broken = text.slice(0, at) + String.fromCharCode(random(128)) + text.slice(at + random(40));
      const { value, unparsed } = parseIptablesSave(broken);
      expect(Array.isArray(value.tables) && Array.isArray(unparsed)).toBe(true);
    }
  });
});
