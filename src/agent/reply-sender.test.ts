import { inflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { Reply } from '../host/host.ts';
import { hostOf } from '../net/place.ts';
import { CHUNK_BYTES, INITIAL_CREDIT_BYTES, type Message } from './protocol.ts';
import { createReplySender } from './reply-sender.ts';

const request = { action: 'links', place: hostOf('w1'), args: {}, round: 0 };

/** Bytes that do not shrink (xorshift32). */
function noise(length: number): Uint8Array {
  let state = 1;
  return Uint8Array.from({ length }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state;
  });
}

function reply(raw: Uint8Array): Reply {
  return { request, startedAtMs: 1, tookMs: 2, got: 'raw', raw, exitCode: 0, truncated: false, tool: 't' };
}

function bytesSent(messages: readonly Message[], id?: number): number {
  return messages.reduce(
    (sum, one) => sum + (one.type === 'reply-bytes' && (id === undefined || one.id === id) ? one.bytes.length : 0),
    0,
  );
}

describe('createReplySender', () => {
  it('sends a small reply whole and unpacked', async () => {
    const sent: Message[] = [];
    const sender = createReplySender((message) => sent.push(message) > 0);
    await sender.send(7, reply(Uint8Array.of(1, 2, 3)));
    expect(sent.map(({ type }) => type)).toEqual(['reply-head', 'reply-bytes', 'reply-end']);
    expect(sent[0]).toMatchObject({ id: 7, head: { got: 'raw', encoding: 'identity', tool: 't' } });
  });

  it('packs a large one', async () => {
    const sent: Message[] = [];
    const raw = new TextEncoder().encode('-A KUBE-SERVICES -j ACCEPT\n'.repeat(10_000));
    await createReplySender((message) => sent.push(message) > 0).send(7, reply(raw));
    expect(sent[0]).toMatchObject({ head: { encoding: 'deflate' } });
    expect(bytesSent(sent)).toBeLessThan(raw.length / 10);
    const packed = sent.flatMap((one) => (one.type === 'reply-bytes' ? [...one.bytes] : []));
    expect(inflateSync(Uint8Array.from(packed))).toEqual(Buffer.from(raw));
  });

  it('sends a gap without bytes', async () => {
    const sent: Message[] = [];
    const gap: Reply = { request, startedAtMs: 1, tookMs: 2, got: 'nothing', gap: 'timed-out', detail: 'late' };
    await createReplySender((message) => sent.push(message) > 0).send(7, gap);
    expect(sent.map(({ type }) => type)).toEqual(['reply-head', 'reply-end']);
  });

  it('stops where credit ends and goes on with more', async () => {
    const sent: Message[] = [];
    const sender = createReplySender((message) => sent.push(message) > 0);
    await sender.send(1, reply(noise(INITIAL_CREDIT_BYTES + 3 * CHUNK_BYTES)));
    const before = bytesSent(sent);
    expect(before).toBeLessThanOrEqual(INITIAL_CREDIT_BYTES);
    expect(before).toBeGreaterThan(INITIAL_CREDIT_BYTES - CHUNK_BYTES);
    expect(sent.at(-1)?.type).toBe('reply-bytes');
    sender.addCredit(CHUNK_BYTES);
    expect(bytesSent(sent)).toBe(before + CHUNK_BYTES);
    sender.addCredit(5 * CHUNK_BYTES);
    expect(sent.at(-1)).toEqual({ type: 'reply-end', id: 1 });
  });

  it('lets a small reply pass a large one', async () => {
    const sent: Message[] = [];
    let full = false;
    const sender = createReplySender((message) => {
      sent.push(message);
      return !full;
    });
    full = true;
    await sender.send(1, reply(noise(20 * CHUNK_BYTES)));
    await sender.send(2, reply(Uint8Array.of(9)));
    full = false;
    sender.resume();
    const ends = sent.flatMap((one) => (one.type === 'reply-end' ? [one.id] : []));
    expect(ends).toEqual([2, 1]);
  });

  it('waits while the stream is full', async () => {
    const sent: Message[] = [];
    const sender = createReplySender((message) => {
      sent.push(message);
      return false;
    });
    await sender.send(1, reply(noise(3 * CHUNK_BYTES)));
    expect(sent.map(({ type }) => type)).toEqual(['reply-head']);
    sender.resume();
    expect(bytesSent(sent)).toBe(CHUNK_BYTES);
  });
});
