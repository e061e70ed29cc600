import { expect, it } from 'vitest';
import { toolMemoryFactor } from './tool-memory.ts';

it('gives tools the more that a helper has, and never less than usual', () => {
  expect(toolMemoryFactor('512')).toBe(2);
  for (const text of [undefined, '', '256', '128', 'much', '-1', 'Infinity']) expect(toolMemoryFactor(text)).toBe(1);
});
