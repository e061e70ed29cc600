import { describe, expect, test } from 'vitest';
import { hostOf } from '../net/place.ts';
import { dropProgram } from './drop-program.ts';
import { dropJobOf, dropRequests } from './drop-request.ts';
import { dropFilter, dropFilterText, readDropFilter } from './drop-term.ts';
import { reversedTuple, type Tuple } from './visit.ts';

const SYN: Tuple = { protocol: 'tcp', source: '10.244.0.4', destination: '10.96.7.242', destinationPort: 80 };
const BEHIND: Tuple = { ...SYN, destination: '10.244.1.4', destinationPort: 8080 };
const OUTER = { tunnel: 'vxlan', source: '10.80.0.11', destination: '10.80.0.12', port: 8472 } as const;
const point = (node: string, device: string, ...tuples: Tuple[]) => ({ place: hostOf(node), device, tuples });
const PLAN = {
  points: [
    point('w1', 'veth1', SYN, reversedTuple(SYN)),
    point('w1', 'eth0', { ...BEHIND, outer: OUTER }),
    point('w2', 'cni0', BEHIND, reversedTuple(BEHIND)),
  ],
};
const LITTLE = { isLittleEndian: true, hasReceiver: true };

describe('the filter of dropped packets', () => {
  test('each addressing of the flow once, whichever way round, and the tunnels’ ports', () => {
    const { left, ...filter } = dropFilter(PLAN);
    expect(left).toBe(0);
    expect(dropFilterText(filter)).toBe('6 10.244.0.4 10.96.7.242 0 80; 6 10.244.0.4 10.244.1.4 0 8080 | 8472');
    expect(readDropFilter(dropFilterText(filter))).toEqual(filter);
  });

  test('what is no filter is refused', () => {
    for (const text of [
      '',
      '6 10.0.0.1 fd00::1 0 80 |',
      '6 10.0.0.1 10.0.0.2 0 |',
      '6 a b 0 80 |',
      '999 10.0.0.1 10.0.0.2 0 80 |',
      '6 10.0.0.1 10.0.0.2 0 80 | x',
    ])
      expect(readDropFilter(text), text).toBeUndefined();
    expect(() => dropJobOf({ filter: '6 10.0.0.1 10.0.0.2 0 80 |', seconds: 3600, events: 5 })).toThrow(RangeError);
    expect(() => dropJobOf({ filter: '"); system("id', seconds: 5, events: 5 })).toThrow(RangeError);
  });

  test('each node is asked once, within bounds', () => {
    const { starts, stops } = dropRequests(PLAN, 320);
    expect(starts.map(({ place }) => place.node)).toEqual(['w1', 'w2']);
    expect(starts[0]!.args).toMatchObject({ seconds: 30, events: 2_000 });
    expect(stops.map(({ action }) => action)).toEqual(['drops.stop', 'drops.stop']);
    expect(dropJobOf(starts[0]!.args).filter).toEqual(readDropFilter(String(starts[0]!.args['filter'])));
  });
});

describe('the program', () => {
  const filter = readDropFilter('6 10.244.0.4 10.96.7.242 0 80; 17 fd00::1 fd00::2 0 53 | 8472')!;

  test('compares fields as the kernel loads them', () => {
    const program = dropProgram(filter, { seconds: 10, events: 50 }, LITTLE);
    // 10.244.0.4, port 80 and 8472 (0x2118), each byte-swapped.
    expect(program).toContain('*(uint32 *)($p + 12) == 0x400f40a');
    expect(program).toContain('$b == 20480');
    expect(program).toContain('== 6177');
    const big = dropProgram(filter, { seconds: 10, events: 50 }, { ...LITTLE, isLittleEndian: false });
    expect(big).toContain('*(uint32 *)($p + 12) == 0xaf40004');
    expect(big).toContain('$b == 80');
  });

  test('is bounded in time, events and rate', () => {
    const program = dropProgram(filter, { seconds: 10, events: 50 }, LITTLE);
    expect(program).toContain('interval:s:10 { printf("X time\\n"); exit(); }');
    expect(program).toContain('if (@n >= 50)');
    expect(program).toContain('if (@all > 50000)');
  });

  test('asks a kernel that does not tell the receiver for none', () => {
    expect(dropProgram(filter, { seconds: 1, events: 1 }, { ...LITTLE, hasReceiver: false })).not.toContain('rx_sk');
  });
});
