import type { Readable, Writable } from 'node:stream';
import type { Reply, Request } from '../host/host.ts';
import type { NodeSide } from '../host/node-side.ts';
import {
  createFrameDecoder,
  decodeMessage,
  encodeMessage,
  HEARTBEAT_EVERY_MS,
  type Hello,
  type Message,
  type Perform,
  PROTOCOL_VERSION,
  SILENCE_MAX_MS,
} from './protocol.ts';
import { createReplySender } from './reply-sender.ts';

export interface ServeOptions {
  readonly input: Readable;
  readonly output: Writable;
  readonly nodeSide: NodeSide;
  readonly hello: Omit<Hello, 'protocol'>;
  /** Milliseconds that never go back. */
  readonly monotonicMs: () => number;
  readonly silenceMaxMs?: number;
  /** Ends it from outside (SIGTERM); the reason is told to the other side. */
  readonly signal: AbortSignal;
}

/** Requests of one perform frame that are not answered yet. */
interface Batch {
  readonly open: Map<number, Request>;
  readonly abort: AbortController;
}

/**
 * Serves one client until it says good-bye, falls silent, hangs up or breaks the protocol; resolves with the reason.
 * Every process that was started for it is then ended. The end of the input is one sign among others and never relied
 * upon: a connection through an API server can die without one.
 */
export function serve(options: ServeOptions): Promise<string> {
  const { input, output, nodeSide, monotonicMs } = options;
  const silenceMaxMs = options.silenceMaxMs ?? SILENCE_MAX_MS;
  const decoder = createFrameDecoder();
  const batches = new Set<Batch>();
  const over = Promise.withResolvers<string>();
  let heardAtMs = monotonicMs();
  let greeted = false;
  let ended = false;

  const write = (message: Message): boolean => (output.writable ? output.write(encodeMessage(message)) : false);
  const sender = createReplySender(write);

  const end = (because: string): void => {
    if (ended) return;
    ended = true;
    clearInterval(watch);
    for (const { abort } of batches) abort.abort();
    nodeSide.close();
    write({ type: 'bye', because });
    over.resolve(because);
  };

  const watch = setInterval(
    () => {
      if (monotonicMs() - heardAtMs > silenceMaxMs) end(`nothing was heard for ${silenceMaxMs} ms`);
      else write({ type: 'heartbeat' });
    },
    Math.min(HEARTBEAT_EVERY_MS, silenceMaxMs / 2),
  );

  const take = (message: Message): void => {
    if (message.type === 'hello') greet(message.hello);
    else if (message.type === 'bye') end('the client is done');
    else if (!greeted) end(`a ${message.type} frame came before hello`);
    else if (message.type === 'perform') void perform(message.perform);
    else if (message.type === 'cancel') cancel(message.id);
    else if (message.type === 'credit') sender.addCredit(message.bytes);
  };

  const greet = ({ protocol, version }: Hello): void => {
    greeted = protocol === PROTOCOL_VERSION;
    if (!greeted) end(`podtriage ${version} speaks protocol ${protocol}, this node side ${PROTOCOL_VERSION}`);
  };

  const perform = async ({ requests, limits }: Perform): Promise<void> => {
    const batch: Batch = { open: new Map(), abort: new AbortController() };
    const ids = new Map<Request, number>();
    for (const { id, request } of requests) {
      batch.open.set(id, request);
      ids.set(request, id);
    }
    batches.add(batch);
    const answers = nodeSide.perform([...ids.keys()], limits, batch.abort.signal);
    for await (const reply of answers) await answer(batch, ids.get(reply.request)!, reply);
    batches.delete(batch);
  };

  const answer = async (batch: Batch, id: number, reply: Reply): Promise<void> => {
    if (batch.open.delete(id) && !ended) await sender.send(id, reply);
  };

  const cancel = (id: number): void => {
    for (const batch of batches) {
      const request = batch.open.get(id);
      if (!request) continue;
      const detail = 'the run no longer wants it';
      void answer(batch, id, { request, startedAtMs: Date.now(), tookMs: 0, got: 'nothing', gap: 'timed-out', detail });
      if (batch.open.size === 0) batch.abort.abort();
    }
  };

  input.on('data', (bytes: Uint8Array) => {
    heardAtMs = monotonicMs();
    try {
      for (const frame of decoder.push(bytes)) if (!ended) take(decodeMessage(frame));
    } catch (error) {
      end(error instanceof Error ? error.message : String(error));
    }
  });
  input.once('end', () => end('the input ended'));
  input.once('error', (error) => end(`reading: ${error.message}`));
  output.once('error', (error) => end(`writing: ${error.message}`));
  output.on('drain', () => sender.resume());
  options.signal.addEventListener('abort', () => end(String(options.signal.reason)), { once: true });
  if (options.signal.aborted) end(String(options.signal.reason));

  write({ type: 'hello', hello: { protocol: PROTOCOL_VERSION, ...options.hello } });
  return over.promise;
}
