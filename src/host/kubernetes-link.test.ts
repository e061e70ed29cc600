import { deflateSync } from 'node:zlib';
import { describe, expect, it, vi } from 'vitest';
import { createFrameDecoder, decodeMessage, encodeMessage, type Message, PROTOCOL_VERSION } from '../agent/protocol.ts';
import { hostOf } from '../net/place.ts';
import type { Reply, Request } from './host.ts';
import { type NodeLink, openLink } from './kubernetes-link.ts';

const LIMITS = { deadlineMs: 1_000, maxBytes: 1 << 20 };
const HELLO: Message = { type: 'hello', hello: { protocol: PROTOCOL_VERSION, version: '0.1.0' } };
const HEAD = { startedAtMs: 1, tookMs: 2, got: 'raw', exitCode: 0, truncated: false, tool: 't' } as const;
const request = (action: string): Request => ({ action, place: hostOf('w1'), args: {}, round: 0 });

/** A node side in memory: what it hears, and what it says. */
function nodeSide() {
  const heard: Message[] = [];
  const decoder = createFrameDecoder();
  const ended = Promise.withResolvers<{ detail: string; exitCode?: number }>();
  const closed = vi.fn();
  let onBytes: (bytes: Uint8Array) => void = () => undefined;
  const carrier = {
    send: (bytes: Uint8Array): void => {
      heard.push(...decoder.push(bytes).map(decodeMessage));
    },
    ended: ended.promise,
    close: closed,
  };
  return {
    heard,
    ended,
    closed,
    say(...messages: Message[]): void {
      for (const message of messages) onBytes(encodeMessage(message));
    },
    sayText: (text: string): void => onBytes(new TextEncoder().encode(text)),
    /** Opens as exec does; `act` is what the node side does first. */
    open: (act: () => void) => async (listener: (bytes: Uint8Array) => void) => {
      onBytes = listener;
      queueMicrotask(act);
      return carrier;
    },
  };
}

async function linked(): Promise<{ link: NodeLink; node: ReturnType<typeof nodeSide> }> {
  const node = nodeSide();
  const link = await openLink(
    node.open(() => node.say(HELLO)),
    { version: '0.1.0', helloMs: 500 },
  );
  return { link, node };
}

describe('a link', () => {
  it('puts replies together from interleaved pieces, packed or not', async () => {
    const { link, node } = await linked();
    const replies: Reply[] = [];
    link.perform([request('a'), request('b')], LIMITS, new AbortController().signal, (reply) => replies.push(reply));
    const perform = node.heard.find((message) => message.type === 'perform')!;
    const [a, b] = perform.perform.requests.map(({ id }) => id);
    const packed = deflateSync(Buffer.from('second'));
    node.say(
      { type: 'reply-head', id: a!, head: { ...HEAD, encoding: 'identity' } },
      { type: 'reply-head', id: b!, head: { ...HEAD, encoding: 'deflate' } },
      { type: 'reply-bytes', id: b!, bytes: packed.subarray(0, 3) },
      { type: 'reply-bytes', id: a!, bytes: Buffer.from('fi') },
      { type: 'reply-bytes', id: b!, bytes: packed.subarray(3) },
      { type: 'reply-bytes', id: a!, bytes: Buffer.from('rst') },
      { type: 'reply-end', id: b! },
      { type: 'reply-end', id: a! },
    );
    await vi.waitFor(() => expect(replies).toHaveLength(2));
    const text = new Map(
      replies.map((one) => [one.request.action, one.got === 'raw' ? Buffer.from(one.raw).toString() : '']),
    );
    expect(text).toEqual(
      new Map([
        ['a', 'first'],
        ['b', 'second'],
      ]),
    );
  });

  it('answers unreachable, once, for all that is open when it breaks, and for all that comes after', async () => {
    const { link, node } = await linked();
    const replies: Reply[] = [];
    const signal = new AbortController().signal;
    link.perform([request('a'), request('b')], LIMITS, signal, (reply) => replies.push(reply));
    node.ended.resolve({ detail: 'the connection closed (1006)' });
    await vi.waitFor(() => expect(replies).toHaveLength(2));
    link.perform([request('c')], LIMITS, signal, (reply) => replies.push(reply));
    expect(replies).toHaveLength(3);
    for (const reply of replies)
      expect(reply).toMatchObject({ gap: 'unreachable', detail: 'the connection closed (1006)' });
    expect(link.broken()).toBe('the connection closed (1006)');
    expect(await link.close()).toBe(false);
  });

  it('breaks on what is no frame', async () => {
    const { link, node } = await linked();
    node.sayText('panic: runtime error\n');
    expect(link.broken()).toContain('panic: runtime error');
    expect(node.closed).toHaveBeenCalled();
  });

  it('gives credit for what it received, and cancels what is no longer wanted', async () => {
    const { link, node } = await linked();
    const stop = new AbortController();
    link.perform([request('a')], LIMITS, stop.signal, () => undefined);
    const chunk = new Uint8Array(1 << 19);
    node.say({ type: 'reply-bytes', id: 1, bytes: chunk }, { type: 'reply-bytes', id: 1, bytes: chunk });
    expect(node.heard).toContainEqual({ type: 'credit', bytes: 1 << 20 });
    stop.abort();
    expect(node.heard).toContainEqual({ type: 'cancel', id: 1 });
  });

  it('beats, and gives up on a node side that falls silent', async () => {
    vi.useFakeTimers();
    try {
      const { link, node } = await linked();
      await vi.advanceTimersByTimeAsync(5_000);
      expect(node.heard.filter(({ type }) => type === 'heartbeat').length).toBeGreaterThanOrEqual(2);
      expect(link.broken()).toBeUndefined();
      await vi.advanceTimersByTimeAsync(8_000);
      expect(link.broken()).toMatch(/said nothing for 1\d s/);
    } finally {
      vi.useRealTimers();
    }
  });

  it('tells at its close whether the node side said good-bye', async () => {
    const polite = await linked();
    const closing = polite.link.close();
    expect(polite.node.heard).toContainEqual({ type: 'bye', because: 'done' });
    polite.node.say({ type: 'bye', because: 'asked' });
    expect(await closing).toBe(true);
    const deaf = await linked();
    expect(await deaf.link.close()).toBe(false);
  });
});

describe('opening', () => {
  const opening = (act: (node: ReturnType<typeof nodeSide>) => void): Promise<NodeLink> => {
    const node = nodeSide();
    return openLink(
      node.open(() => act(node)),
      { version: '0.1.0', helloMs: 50 },
    );
  };

  it('refuses another protocol, silence, and a command that ends', async () => {
    const other: Message = { type: 'hello', hello: { protocol: PROTOCOL_VERSION + 1, version: '9.0.0' } };
    await expect(opening((node) => node.say(other))).rejects.toThrow(
      /version 9\.0\.0.*use the image of the same version/,
    );
    await expect(opening(() => undefined)).rejects.toThrow(/said nothing for 50 ms/);
    await expect(opening((node) => node.ended.resolve({ detail: 'not found', exitCode: 127 }))).rejects.toMatchObject({
      exitCode: 127,
    });
  });
});
