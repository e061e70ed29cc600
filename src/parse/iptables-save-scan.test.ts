import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { namesUsed } from './iptables-names-used.ts';
import { type IptablesRuleset, parseIptablesSave, parseIptablesSaveBytes } from './iptables-save.ts';
import { ScannedChain, ScannedTable } from './iptables-save-chains.ts';
import { addressKey, portKey } from './iptables-save-keys.ts';
import type { Parsed } from './parsed.ts';
import { parseByLines } from './testing/iptables-save-by-lines.ts';

const fixture = (name: string): string => readFileSync(new URL(`fixtures/${name}`, import.meta.url), 'utf8');
const FIXTURES = ['iptables-nft-save-1.8.9.txt', 'iptables-legacy-save-1.8.9.txt', 'ip6tables-nft-save-1.8.9.txt'].map(
  fixture,
);

/** Everything that a lazy value would tell. */
function told({ value, unparsed }: Parsed<IptablesRuleset>): unknown {
  return {
    unparsed,
    tables: value.tables.map((table) => ({
      name: table.name,
      chains: table.chains.map(({ name, policy, packets, bytes, rules }) => ({ name, policy, packets, bytes, rules })),
    })),
  };
}

const LINES = [
  '*nat',
  '*filter',
  'COMMIT',
  '# Generated',
  "# Table `filter' is incompatible, use 'nft' tool.",
  '',
  ':INPUT ACCEPT [1:2]',
  ':INPUT DROP',
  ':KUBE-SERVICES - [0:0]',
  ':A - [0:0]',
  ':A - [7:1]',
  ':B -',
  ': - [0:0]',
  ':C ACCEPT [x]',
  ':B\t- [0:0]',
  '-A INPUT',
  '-A INPUT ',
  '[0:0] -A A -j B',
  '[3:4] -A INPUT -j DROP',
  '-A\tA -j B',
  '-A A\t-j B',
  '[0:0]-A A -j B',
  '[:0] -A A',
  '-A NOWHERE -j DROP',
  '-A A -d 10.0.0.1/32 -p tcp -m tcp --dport 80 -j B',
  '-A A ! -d 10.0.0.1/32 -j B',
  '-A A -d 10.0.0.0/8 -j B',
  '-A A -m comment --comment "say \\"hi\\" -j X" -j B',
  '-A A -m comment --comment "open',
  '-A A -m comment --comment "open\\',
  '-A A -m comment --comment -x -j B',
  '-A A ! -j B',
  '-A A ! ! -s 1.1.1.1',
  '-A A -m',
  '-A A -m "tcp" --dport 80',
  '-A A -j',
  '-A A -g B',
  '-A A !',
  '-A A ! x',
  '-A A\u00a0 -j B',
  '-A A -m comment --comment "\u2028 \r" -j B',
  '-A A -i ! -j B',
  '-A A "quoted"-j B',
  '-A A -- -1 --x',
  '-A A -p udp -m udp --dport 53 -j DNAT --to-destination 10.0.0.1:53',
  'nonsense',
  ' -A A -j B',
] as const;

describe('the scan of an iptables-save', () => {
  it('comes to what reading line by line comes to, on recorded texts', () => {
    for (const text of FIXTURES) expect(told(parseIptablesSave(text))).toEqual(told(parseByLines(text)));
  });

  it('also on whatever lines', () => {
    const line = fc.oneof(
      { weight: 8, arbitrary: fc.constantFrom(...LINES) },
      fc.string({ maxLength: 30 }).map((text) => text.replaceAll(/\n|\p{Cs}/gu, '')),
    );
    const texts = fc.tuple(fc.array(line, { maxLength: 40 }), fc.constantFrom('\n', '\r\n'), fc.boolean());
    fc.assert(
      fc.property(texts, ([lines, newline, started]) => {
        const text = [...(started ? ['*nat', ':A - [0:0]', ':B - [0:0]'] : []), ...lines].join(newline);
        expect(told(parseIptablesSave(text))).toEqual(told(parseByLines(text)));
      }),
      { seed: 4, numRuns: 2000 },
    );
  });

  it('also on recorded texts that were broken somewhere', () => {
    const broken = fc.tuple(
      fc.constantFrom(...FIXTURES),
      fc.nat(),
      fc.nat(12),
      fc.constantFrom('', ' ', '"', '!', '-', '\n', '\\', ' -m ', '[', ':'),
    );
    fc.assert(
      fc.property(broken, ([text, at, length, noise]) => {
        const from = at % text.length;
        const changed = text.slice(0, from) + noise + text.slice(from + length);
        expect(told(parseIptablesSave(changed))).toEqual(told(parseByLines(changed)));
      }),
      { seed: 5, numRuns: 400 },
    );
  });

  it('keeps rules of one chain together that stand apart, and grows beyond its first estimate', () => {
    const rules = Array.from({ length: 3000 }, (_, index) => `-A ${index % 2 ? 'A' : 'B'} -j X${index}`);
    const text = ['*nat', ':A -', ':B -', ...rules, 'COMMIT'].join('\n');
    expect(told(parseIptablesSave(text))).toEqual(told(parseByLines(text)));
  });

  it('reads as many chains as there are', () => {
    const names = Array.from({ length: 5000 }, (_, index) => `CHAIN-${index}`);
    const text = [
      '*nat',
      ...names.map((name) => `:${name} - [0:0]`),
      ...names.map((name) => `-A ${name} -j ${name}`),
      'COMMIT',
    ].join('\n');
    const parsed = parseIptablesSave(text);
    expect(told(parsed)).toEqual(told(parseByLines(text)));
    const table = parsed.value.tables[0]!;
    if (!(table instanceof ScannedTable)) throw new Error('not scanned');
    for (const name of names) expect(table.chainNamed(name)?.name).toBe(name);
    expect(table.chainNamed('CHAIN-5000')).toBeUndefined();
    expect(table.chainNamed(names[7]!)).toBe(table.chains[7]);
  });

  it('finds the chains of each table by their names', () => {
    const text = [
      '*nat',
      ':A - [0:0]',
      ':é - [0:0]',
      'COMMIT',
      '*filter',
      ':B - [0:0]',
      ':A - [1:2]',
      '-A A -j B',
      'COMMIT',
      '*raw',
      'COMMIT',
    ];
    const [nat, filter, raw] = parseIptablesSave(text.join('\n')).value.tables as readonly ScannedTable[];
    expect([nat!.chainNamed('A')?.packets, filter!.chainNamed('A')?.packets]).toEqual([0, 1]);
    expect(nat!.chainNamed('é')?.name).toBe('é');
    expect([nat!.chainNamed('B'), raw!.chainNamed('A')]).toEqual([undefined, undefined]);
    expect([nat!.shapes.length, filter!.shapes.length, raw!.shapes.length]).toEqual([0, 1, 0]);
  });
});

describe('what a rule is found by', () => {
  const keysOf = (rule: string): readonly (number | undefined)[] => {
    const { value } = parseIptablesSave(`*nat\n:A - [0:0]\n[0:0] -A A ${rule}\nCOMMIT\n`);
    const chain = value.tables[0]!.chains[0]!;
    if (!(chain instanceof ScannedChain)) throw new Error('not scanned');
    return [chain.destinationKey(0), chain.portKey(0)];
  };
  const TEN = addressKey('10.0.0.1');

  it.each([
    ['-d 10.0.0.1/32 -p tcp -m tcp --dport 80 -j B', [TEN, portKey(6, 80)]],
    ['-s 10.0.0.9/32 -d 10.0.0.1 -p udp -m comment --comment "x" -m udp --dport 53 -j B', [TEN, portKey(17, 53)]],
    ['-d fd00::1/128 -j B', [addressKey('fd00::1'), undefined]],
    ['-d FD00:0::1 -j B', [addressKey('fd00::1'), undefined]],
    ['-p sctp -m sctp --dport 9 -j B', [undefined, portKey(132, 9)]],
  ])('%s', (rule, keys) => {
    expect(keysOf(rule)).toEqual(keys);
  });

  it.each([
    '! -d 10.0.0.1/32 -j B',
    '-d 10.0.0.0/24 -j B',
    '-d 10.0.0.1/255.0.0.255 -j B',
    '-d fd00::/64 -j B',
    '-d 300.0.0.1/32 -j B',
    '-d 010.0.0.1/32 -j B',
    '-d 10.0.0.1.2/32 -j B',
    '-s 10.0.0.1/32 -j B',
    '! -p tcp -m tcp --dport 80 -j B',
    '-p tcp -m tcp ! --dport 80 -j B',
    '-p tcp -m tcp --dport 80:90 -j B',
    '-p tcp -m multiport --dports 80 -j B',
    '-p tcp -m udp --dport 80 -j B',
    '-p tcp -m tcp --sport 80 -j B',
    '-m comment --comment "-d 10.0.0.1/32" -j B',
    '-j DNAT -d 10.0.0.1/32',
  ])('not: %s', (rule) => {
    expect(keysOf(rule)).toEqual([undefined, undefined]);
  });
});

describe('laziness', () => {
  it('holds no string of the text: what is read is decoded from the bytes when it is looked at', () => {
    const bytes = new TextEncoder().encode('*nat\n:A - [0:0]\n-A A -m comment --comment "before" -j B\nCOMMIT\n');
    const { value } = parseIptablesSaveBytes(bytes);
    bytes.set(new TextEncoder().encode('behind'), new TextDecoder().decode(bytes).indexOf('before'));
    expect(value.tables[0]!.chains[0]!.rules[0]!.comment).toBe('behind');
  });

  it('tells the names of all modules and targets without reading every rule', () => {
    const text = [
      '*nat',
      ':A - [0:0]',
      ':B - [0:0]',
      '-A A -m conntrack --ctstate NEW -j B',
      '-A A -d 10.0.0.1/32 -j DNAT --to-destination 10.0.0.2',
      '-A B -m set --match-set x src -j MASQUERADE',
      'COMMIT',
    ].join('\n');
    const used = namesUsed(parseIptablesSave(text).value.tables[0]!);
    expect([...used.modules].toSorted()).toEqual(['conntrack', 'ip', 'set']);
    expect([...used.targets].toSorted()).toEqual(['B', 'DNAT', 'MASQUERADE']);
    expect(namesUsed(parseByLines(text).value.tables[0]!)).toEqual(used);
  });
});
