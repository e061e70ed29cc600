import { describe, expect, it } from 'vitest';
import { createAsyncQueue, createGate } from './node-side-queue.ts';

describe('createAsyncQueue', () => {
  it('hands over what came before, between and after the reader waits', async () => {
    const queue = createAsyncQueue<number>();
    queue.push(1);
    queue.push(2);
    setTimeout(() => {
      queue.push(3);
      queue.end();
    }, 5);
    const seen: number[] = [];
    for await (const value of queue) seen.push(value);
    expect(seen).toEqual([1, 2, 3]);
  });

  it('ends when it was ended empty', async () => {
    const queue = createAsyncQueue<number>();
    queue.end();
    for await (const value of queue) expect.unreachable(String(value));
  });
});

describe('createGate', () => {
  it('lets so many in at a time, in order, and the next in after a failure', async () => {
    const gate = createGate(2);
    let inside = 0;
    let most = 0;
    const order: number[] = [];
    const task = (n: number) => () =>
      new Promise<void>((resolve, reject) => {
        order.push(n);
        most = Math.max(most, ++inside);
        setTimeout(() => {
          inside--;
          if (n === 0) reject(new Error('broken'));
          else resolve();
        }, 2);
      });
    const results = await Promise.allSettled([0, 1, 2, 3, 4].map((n) => gate.pass(task(n))));
    expect(results.map(({ status }) => status)).toEqual(['rejected', ...new Array(4).fill('fulfilled')]);
    expect(most).toBe(2);
    expect(order).toEqual([0, 1, 2, 3, 4]);
  });
});
