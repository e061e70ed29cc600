import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { Reply, Request } from '../host/host.ts';
import type { NodeSide } from '../host/node-side.ts';
import { hostOf } from '../net/place.ts';
import { createFrameDecoder, decodeMessage, encodeMessage, type Message, PROTOCOL_VERSION } from './protocol.ts';
import { serve } from './serve.ts';

const links: Request = { action: 'links', place: hostOf('w1'), args: {}, round: 0 };
const hello: Message = { type: 'hello', hello: { protocol: PROTOCOL_VERSION, version: '1' } };
const limits = { deadlineMs: 1_000, maxBytes: 1_000 };

/** A node side that answers each request once `release` is called, and knows whether it was aborted and closed. */
function fakeNodeSide() {
  const seen = { requests: [] as Request[], aborted: false, closed: false };
  const gate = Promise.withResolvers<void>();
  const nodeSide: NodeSide = {
    async *perform(requests, _limits, signal) {
      seen.requests.push(...requests);
      signal.addEventListener('abort', () => {
        seen.aborted = true;
        gate.resolve();
      });
      await gate.promise;
      for (const request of requests) yield replyTo(request);
    },
    close() {
      seen.closed = true;
    },
  };
  return { nodeSide, seen, release: gate.resolve };
}

function replyTo(request: Request): Reply {
  const raw = new TextEncoder().encode(request.action);
  return { request, startedAtMs: 1, tookMs: 1, got: 'raw', raw, exitCode: 0, truncated: false, tool: '' };
}

function start(silenceMaxMs?: number) {
  const input = new PassThrough();
  const output = new PassThrough();
  const received: Message[] = [];
  const decoder = createFrameDecoder();
  output.on('data', (bytes: Uint8Array) => received.push(...decoder.push(bytes).map(decodeMessage)));
  const fake = fakeNodeSide();
  const stop = new AbortController();
  const over = serve({
    ...{ input, output, nodeSide: fake.nodeSide, signal: stop.signal },
    hello: { version: '1', host: 'w1', pid: 5 },
    monotonicMs: () => performance.now(),
    ...(silenceMaxMs === undefined ? {} : { silenceMaxMs }),
  });
  const send = (...messages: readonly Message[]): void => {
    for (const message of messages) input.write(encodeMessage(message));
  };
  return { ...fake, input, output, received, over, stop, send };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

describe('serve', () => {
  it('greets with its protocol, answers, and says good-bye', async () => {
    const agent = start();
    agent.send(hello, { type: 'perform', perform: { requests: [{ id: 4, request: links }], limits } });
    agent.release();
    await turn();
    agent.send({ type: 'bye', because: 'done' });
    expect(await agent.over).toBe('the client is done');
    await turn();
    expect(agent.received.map(({ type }) => type)).toEqual(['hello', 'reply-head', 'reply-bytes', 'reply-end', 'bye']);
    expect(agent.received[0]).toEqual({ type: 'hello', hello: { protocol: 1, version: '1', host: 'w1', pid: 5 } });
    expect(agent.received[2]).toMatchObject({ id: 4, bytes: new TextEncoder().encode('links') });
    expect(agent.seen.closed).toBe(true);
  });

  it('refuses another protocol, and anything before hello', async () => {
    const other = start();
    other.send({ type: 'hello', hello: { protocol: 99, version: '9' } });
    expect(await other.over).toMatch(/protocol 99/);
    const rude = start();
    rude.send({ type: 'perform', perform: { requests: [{ id: 1, request: links }], limits } });
    expect(await rude.over).toMatch(/before hello/);
    expect(rude.seen.requests).toEqual([]);
  });

  it('ends on bytes that are no frame, on the end of input, and when it is told', async () => {
    const broken = start();
    broken.input.write('GET / HTTP/1.1\r\n');
    expect(await broken.over).toMatch(/expected a podtriage frame/);
    const hungUp = start();
    hungUp.input.end();
    expect(await hungUp.over).toBe('the input ended');
    const killed = start();
    killed.stop.abort('got SIGTERM');
    expect(await killed.over).toBe('got SIGTERM');
    for (const { seen } of [broken, hungUp, killed]) expect(seen.closed).toBe(true);
  });

  it('ends after a silence, with what it was doing, and not while there are heartbeats', async () => {
    const agent = start(120);
    agent.send(hello, { type: 'perform', perform: { requests: [{ id: 1, request: links }], limits } });
    const beating = setInterval(() => agent.send({ type: 'heartbeat' }), 30);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(agent.seen.closed).toBe(false);
    clearInterval(beating);
    expect(await agent.over).toMatch(/nothing was heard/);
    expect(agent.seen).toMatchObject({ closed: true, aborted: true });
    expect(agent.received.some(({ type }) => type === 'heartbeat')).toBe(true);
  });

  it('answers what is cancelled with a gap at once, and aborts when nothing else is wanted', async () => {
    const agent = start();
    const requests = [
      { id: 1, request: links },
      { id: 2, request: { ...links, action: 'routes' } },
    ];
    agent.send(hello, { type: 'perform', perform: { requests, limits } }, { type: 'cancel', id: 1 });
    await turn();
    expect(agent.received.find(({ type }) => type === 'reply-head')).toMatchObject({
      id: 1,
      head: { gap: 'timed-out' },
    });
    expect(agent.seen.aborted).toBe(false);
    agent.send({ type: 'cancel', id: 2 });
    await turn();
    expect(agent.seen.aborted).toBe(true);
    expect(agent.received.filter(({ type }) => type === 'reply-end')).toHaveLength(2);
    agent.send({ type: 'bye', because: 'done' });
    await agent.over;
  });
});
