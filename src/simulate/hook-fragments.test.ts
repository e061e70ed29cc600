import { describe, expect, it } from 'vitest';
import type { Packet } from '../net/packet.ts';
import { hostOf } from '../net/place.ts';
import type { AtHook } from './cursor.ts';
import type { HookEntry, HookVerdict } from './hook.ts';
import { runRulesOnFragments } from './hook-fragments.ts';
import { makeStep, sourceAt } from './steps.ts';
import { buildPacket, udpTo } from './testing/build-hook-input.ts';
import { snapshotOfTexts } from './testing/build-snapshot.ts';
import type { Step } from './trace.ts';
import { NO_CONNECTIONS, untouched } from './tracking.ts';
import { CERTAIN, UNDECIDED } from './truth.ts';

const WORLD = { snapshot: snapshotOfTexts([]), gate: { parts: [], podAddressesRoutable: 'yes' as const } };
const CUT: Packet = { ...buildPacket({ l4: udpTo(53), lengthBytes: 3000 }), fragmentBytes: 1500 };

/** Lets pass what shows its port, as `-p udp --dport 53 -j ACCEPT` before a policy of DROP. */
const BY_PORT: HookEntry = {
  name: 'filter',
  priority: 0,
  nat: false,
  evaluate: ({ packet, meta }) => {
    const verdict: HookVerdict = packet.ip.fragmentOffset ? { kind: 'drop' } : { kind: 'accept' };
    return [{ chance: CERTAIN, verdict, packet, meta, steps: [] }];
  },
};

function at(hook: 'forward' | 'input', packet: Packet): AtHook {
  return {
    place: hostOf('w1'),
    stage: { name: 'hook', hook, next: 0, after: { name: 'finish' } },
    packet,
    meta: untouched(),
    tracking: NO_CONNECTIONS,
    path: { local: false, input: 'eth0' },
    visited: [],
  };
}

function ends(cursor: AtHook, isDefragmented: boolean): string[] {
  const { ways } = runRulesOnFragments({ world: WORLD }, cursor, [BY_PORT], isDefragmented);
  return ways.map(({ to }) => ('end' in to ? to.end : 'goes on'));
}

describe('fragments at a rule set', () => {
  it('meet it each for itself where nobody puts them together', () => {
    expect(ends(at('forward', CUT), false)).toEqual(['dropped-by-rule']);
  });

  it('are one packet where connections are tracked, on the way to a socket, and while it is whole', () => {
    expect(ends(at('forward', CUT), true)).toEqual(['goes on']);
    expect(ends(at('input', CUT), false)).toEqual(['goes on']);
    const { fragmentBytes: _cut, ...whole } = CUT;
    expect(ends(at('forward', whole), false)).toEqual(['goes on']);
  });

  it('end as the datagram that they belong to', () => {
    const [way] = runRulesOnFragments({ world: WORLD }, at('forward', CUT), [BY_PORT], false).ways;
    expect('end' in way!.to && way!.to.cursor.packet).toEqual(CUT);
  });
});

describe('what fragments count at', () => {
  const told = (at: string): Step =>
    makeStep({
      kind: 'rule',
      at,
      source: sourceAt(hostOf('w1'), 'iptables.nft'),
      values: { backend: 'nft' },
      text: at,
    });
  const COUNTS: HookEntry = {
    ...BY_PORT,
    evaluate: ({ packet, meta }) => {
      const steps = packet.ip.fragmentOffset
        ? [told('FORWARD#1'), told('FORWARD#3')]
        : [told('FORWARD#1'), told('FORWARD#2')];
      return [{ chance: CERTAIN, verdict: { kind: 'accept' }, packet, meta, steps }];
    },
  };
  const counted = (cursor: AtHook): string[] =>
    runRulesOnFragments({ world: WORLD }, cursor, [COUNTS], false).ways[0]!.steps.map(
      ({ at: name, values }) => `${name} ${values.fragments ?? 1}`,
    );

  it('is each rule that each of them meets', () => {
    expect(counted(at('forward', CUT))).toEqual(['FORWARD#1 3', 'FORWARD#3 2', 'FORWARD#2 1']);
  });

  it('is one packet where it is put together', () => {
    expect(counted(at('input', CUT))).toEqual(['FORWARD#1 1', 'FORWARD#2 1']);
  });

  it('is perhaps a rule that the later ones may meet', () => {
    const OPEN: HookEntry = {
      ...BY_PORT,
      evaluate: ({ packet, meta }) => {
        const ways = packet.ip.fragmentOffset
          ? [[told('FORWARD#1')], [told('FORWARD#1'), told('FORWARD#2')]]
          : [[told('FORWARD#2')]];
        const chance = ways.length === 1 ? CERTAIN : UNDECIDED;
        return ways.map((steps, index) => ({
          chance,
          verdict: { kind: 'accept' },
          packet,
          meta: { ...meta, mark: index },
          steps,
        }));
      },
    };
    const [way] = runRulesOnFragments({ world: WORLD }, at('forward', CUT), [OPEN], false).ways;
    expect(way!.steps.map(({ at: name, values }) => [name, values.fragments, values.unsure])).toEqual([
      ['FORWARD#1', 2, undefined],
      ['FORWARD#2', 3, 2],
    ]);
  });

  it('is a drop that each meets, and of IPv6 also on the way to a socket', () => {
    const DROP: HookEntry = {
      ...BY_PORT,
      evaluate: ({ packet, meta }) => [
        { chance: CERTAIN, verdict: { kind: 'drop' }, packet, meta, steps: [told('A#1')] },
      ],
    };
    const six: Packet = {
      ...buildPacket({ source: 'fd00::1', destination: 'fd00::2', l4: udpTo(53), lengthBytes: 3000 }),
      fragmentBytes: 1496,
    };
    const [way] = runRulesOnFragments({ world: WORLD }, at('input', six), [DROP], false).ways;
    expect(way!.steps[0]!.values.fragments).toBe(3);
    expect('end' in way!.to && way!.to.cursor.packet).toEqual(six);
  });

  it('shows each of them with its own length', () => {
    const seen: (readonly [number | undefined, number])[] = [];
    const LOOKS: HookEntry = {
      ...BY_PORT,
      evaluate: ({ packet, meta }) => {
        seen.push([packet.ip.fragmentOffset, packet.lengthBytes]);
        return [{ chance: CERTAIN, verdict: { kind: 'accept' }, packet, meta, steps: [] }];
      },
    };
    const { to } = runRulesOnFragments({ world: WORLD }, at('forward', CUT), [LOOKS], false).ways[0]!;
    expect(seen).toEqual([
      [0, 1500],
      [1, 1500],
      [1, 40],
    ]);
    expect(!('end' in to) && to.packet).toEqual(CUT);
  });

  it('is each packet that one stands for, whole wherever it comes', () => {
    const { fragmentBytes: _cut, ...whole } = CUT;
    const series: Packet = { ...whole, series: { count: 3, lastBytes: 214 } };
    expect(counted(at('forward', series))).toEqual(['FORWARD#1 3', 'FORWARD#2 3']);
    expect(counted(at('input', series))).toEqual(['FORWARD#1 3', 'FORWARD#2 3']);
  });
});
