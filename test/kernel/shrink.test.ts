import { expect, it } from 'vitest';
import type { CaseItem, KernelCase } from './case.ts';
import { shrinkCase } from './shrink.ts';

const line = (ns: string, text: string): CaseItem => ({ kind: 'ip', ns, line: text, feature: '' });
const CASE: KernelCase = {
  story: '',
  settleMs: 0,
  namespaces: ['a', 'a1', 'b'].map((name) => ({ name, node: name[0]!, pod: name.length > 1, addresses: [] })),
  items: Array.from({ length: 20 }, (_, index) => line(index % 2 ? 'a' : 'b', `line ${index}`)),
  packets: [1, 2, 3].map((sourcePort) => ({
    ns: 'a',
    family: 4,
    protocol: 'udp',
    sourcePort,
    destination: '10.0.0.1',
    destinationPort: 53,
    payloadBytes: 1,
    df: true,
  })),
};

const lines = (one: KernelCase): string[] => one.items.map((item) => ('line' in item ? item.line : ''));

it('keeps just what the disagreement needs', async () => {
  const needs = ['line 3', 'line 11'];
  const small = await shrinkCase(CASE, async (one) => {
    return needs.every((need) => lines(one).includes(need)) && one.packets.some(({ sourcePort }) => sourcePort === 2);
  });
  expect(lines(small)).toEqual(needs);
  expect(small.packets.map(({ sourcePort }) => sourcePort)).toEqual([2]);
  expect(small.namespaces.map(({ name }) => name)).toEqual(['a']);
});

it('leaves a case alone that shows nothing without its whole', async () => {
  const small = await shrinkCase(
    CASE,
    async (one) => one.items.length === 20 && one.packets.length === 3 && one.namespaces.length === 3,
  );
  expect(small).toEqual(CASE);
});

it('stops when its budget is used up', async () => {
  let tries = 0;
  const count = async (): Promise<boolean> => ++tries > 0;
  await shrinkCase(CASE, count, 5);
  expect(tries).toBe(5);
});
