import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { L4 } from '../net/packet.ts';
import { hostOf } from '../net/place.ts';
import { parseIptablesSave } from '../parse/iptables-save.ts';
import { parseByLines } from '../parse/testing/iptables-save-by-lines.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { HookOutcome } from './hook.ts';
import { iptablesHookEntries } from './iptables.ts';
import { INDEXED_ABOVE, indexChain } from './iptables-rule-index.ts';
import { buildHookInput, ECHO, type PacketInput } from './testing/build-hook-input.ts';
import { snapshotOfTexts } from './testing/build-snapshot.ts';

const ADDRESSES = ['10.0.0.1', '10.0.0.2', '10.0.0.3', '192.0.2.77'];
const PORTS = [53, 80, 443];
const UNDECIDED = ['-m string --string "x" --algo bm --to 65535', '-m limit --limit 1/sec'];

const destination = fc.constantFrom(
  '',
  '! -d 10.0.0.1/32',
  '-d 10.0.0.0/30',
  '-d 10.0.0.1/255.0.0.255',
  ...ADDRESSES.map((address) => `-d ${address}/32`),
);
const port = fc.constantFrom(
  '',
  '-p tcp',
  '! -p tcp',
  '-p icmp',
  '-p tcp -m tcp --dport 50:100',
  '-p tcp -m tcp ! --dport 80',
  '-p udp -m udp --dport 53 --sport 7',
  '-p tcp -m multiport --dports 80,443',
  ...PORTS.flatMap((one) => [`-p tcp -m tcp --dport ${one}`, `-p udp -m udp --dport ${one}`]),
);
const extra = fc.oneof(
  { weight: 6, arbitrary: fc.constant('') },
  fc.constantFrom('-m statistic --mode random --probability 0.25000000000', '-m mark --mark 0x1/0x1', ...UNDECIDED),
);
const target = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom('-j MARK --set-xmark 0x1/0x1', '-j MARK --set-xmark 0x2/0x2', '') },
  fc.constantFrom(
    '-j ACCEPT',
    '-j DROP',
    '-j RETURN',
    '-j CHAIN',
    '-g CHAIN',
    '-j UNHEARD',
    '-j REJECT --reject-with tcp-reset',
  ),
);
const rule = fc.tuple(destination, port, extra, target).map((parts) => parts.filter((part) => part !== '').join(' '));
const rules = fc.array(rule, { minLength: INDEXED_ABOVE + 1, maxLength: 60 });
const lastRules = fc.array(rule, { maxLength: 30 });

const l4: fc.Arbitrary<L4> = fc.oneof(
  fc
    .constantFrom(...PORTS, 8080, 'ephemeral' as const)
    .chain((destinationPort) =>
      fc.constantFrom<L4>(
        { protocol: 'tcp', sourcePort: 'ephemeral', destinationPort, flags: ['syn'] },
        { protocol: 'udp', sourcePort: 7, destinationPort },
      ),
    ),
  fc.constantFrom<L4>(ECHO, { protocol: 47 }),
);
const packet: fc.Arbitrary<PacketInput> = fc.record({ destination: fc.constantFrom(...ADDRESSES, '10.9.9.9'), l4 });

function saved(input: readonly string[], chain: readonly string[]): string {
  const lines = [...input.map((one) => `-A FORWARD ${one}`), ...chain.map((one) => `-A CHAIN ${one}`)];
  return ['*filter', ':FORWARD ACCEPT [0:0]', ':CHAIN - [0:0]', ...lines.map((line) => line.trim()), 'COMMIT', ''].join(
    '\n',
  );
}

function forward(snapshot: Snapshot, input: PacketInput, record?: 'all'): readonly HookOutcome[] {
  const { entries } = iptablesHookEntries(snapshot, hostOf('w1'), 4);
  const entry = entries.find((one) => one.hook === 'forward')!;
  return entry.evaluate(buildHookInput(snapshot, { packet: input, ...(record ? { record } : {}) }));
}

function snapshotOf(text: string): Snapshot {
  return snapshotOfTexts([
    ['iptables.nft', hostOf('w1'), { family: 4, table: '' }, text],
    ['iptables.legacy', hostOf('w1'), { family: 4 }, ''],
  ]);
}

/** A walk that tells of every rule visits every rule; what matched is left when the others' steps are taken out. */
function linear(snapshot: Snapshot, input: PacketInput): readonly HookOutcome[] {
  return forward(snapshot, input, 'all').map((outcome) => ({
    ...outcome,
    steps: outcome.steps.filter((step) => step.matched !== 'no'),
  }));
}

describe('rules found by address and port', () => {
  it('give the outcomes, chances and steps of the walk through all rules', () => {
    let decisive = 0;
    fc.assert(
      fc.property(rules, lastRules, packet, (input, chain, one) => {
        const snapshot = snapshotOf(saved(input, chain));
        const found = forward(snapshot, one);
        expect(found).toEqual(linear(snapshot, one));
        if (found.some((outcome) => outcome.steps.some((step) => step.kind === 'rule'))) decisive++;
      }),
      { seed: 6, numRuns: 400 },
    );
    expect(decisive).toBeGreaterThan(200);
  });

  it('are the same whether the rules were scanned or made', () => {
    fc.assert(
      fc.property(rules, packet, (input, { destination, l4 }) => {
        const text = saved(input, []);
        const [scanned, made] = [parseIptablesSave(text), parseByLines(text)].map(
          ({ value }) => indexChain(value.tables[0]!.chains[0]!)!,
        );
        const { packet } = buildHookInput(snapshotOf(''), { packet: { destination: destination!, l4: l4! } });
        expect(scanned!.candidates(packet)).toEqual(made!.candidates(packet));
      }),
      { seed: 7, numRuns: 300 },
    );
  });

  it('leave out the rules about others', () => {
    const about = Array.from({ length: 100 }, (_, index) => `-d 10.1.0.${index}/32 -p tcp -m tcp --dport 80 -j CHAIN`);
    const { value } = parseIptablesSave(saved([...about, '-j ACCEPT'], []));
    const index = indexChain(value.tables[0]!.chains[0]!)!;
    const { packet } = buildHookInput(snapshotOf(''), {
      packet: { destination: '10.1.0.7', l4: { protocol: 'tcp', sourcePort: 1, destinationPort: 80 } },
    });
    expect(index.candidates(packet)).toEqual([7, 100]);
    expect(index.candidates({ ...packet, ip: { ...packet.ip, destination: '10.2.0.7' } })).toEqual([100]);
  });

  it('are found by an IPv6 address as well, however it is written', () => {
    const written = ['fd00::7/128', 'fd00:0:0::8/128', '::ffff:10.0.0.9/128', 'fd00::/64'];
    const about = Array.from({ length: 20 }, (_, index) => `-d fd00:1::${(index + 1).toString(16)}/128`);
    const { value } = parseIptablesSave(saved([...about, ...written.map((address) => `-d ${address}`)], []));
    const index = indexChain(value.tables[0]!.chains[0]!)!;
    const { packet } = buildHookInput(snapshotOf(''), { packet: { l4: ECHO } });
    const candidates = (destination: string) => index.candidates({ ...packet, ip: { ...packet.ip, destination } });
    expect(candidates('fd00:1::14')).toEqual([19, 23]);
    expect(candidates('fd00::7')).toEqual([20, 23]);
    expect(candidates('fd00::8')).toEqual([21, 23]);
    expect(candidates('::ffff:10.0.0.9')).toEqual([22, 23]);
    expect(candidates('fd00::9')).toEqual([23]);
  });

  it('cannot be told for a port that the kernel will choose', () => {
    const { value } = parseIptablesSave(
      saved(
        Array.from({ length: 20 }, () => '-p tcp -m tcp --dport 40000'),
        [],
      ),
    );
    const { packet } = buildHookInput(snapshotOf(''), {
      packet: { l4: { protocol: 'tcp', sourcePort: 1, destinationPort: 'ephemeral' } },
    });
    expect(indexChain(value.tables[0]!.chains[0]!)!.candidates(packet)).toBeUndefined();
  });
});
