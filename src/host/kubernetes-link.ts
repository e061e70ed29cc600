import { unzip } from 'node:zlib';
import {
  createFrameDecoder,
  decodeMessage,
  encodeMessage,
  HEARTBEAT_EVERY_MS,
  type Hello,
  INITIAL_CREDIT_BYTES,
  type Message,
  PROTOCOL_VERSION,
  type ReplyHead,
  SILENCE_MAX_MS,
} from '../agent/protocol.ts';
import type { Limits, Reply, Request } from './host.ts';

/** One node side, asked over a stream of bytes. */
export interface NodeLink {
  readonly hello: Hello;
  /** Calls `onReply` once for each request, in any order; with `unreachable` for all that is open when the link breaks. */
  perform(requests: readonly Request[], limits: Limits, signal: AbortSignal, onReply: (reply: Reply) => void): void;
  /** Why the link is of no use any more; undefined while it is. */
  broken(): string | undefined;
  /** Says good-bye, waits shortly for the node side to say the same, and hangs up. Tells whether it did. */
  close(): Promise<boolean>;
}

/** What carries the bytes; `openExec` gives one. */
export interface Carrier {
  send(bytes: Uint8Array): void;
  readonly ended: Promise<{ readonly detail: string; readonly exitCode?: number }>;
  close(): void;
}

interface Pending {
  readonly request: Request;
  readonly maxBytes: number;
  readonly askedAtMs: number;
  readonly onReply: (reply: Reply) => void;
  readonly parts: Uint8Array[];
  head?: ReplyHead;
}

/** The link was refused: the peer is no node side, or one of another protocol. */
export class LinkRefused extends Error {
  override readonly name = 'LinkRefused';
  /** The command's exit code, where it ran and ended; 126 and 127 mean that the image has no node side. */
  readonly exitCode: number | undefined;

  constructor(message: string, exitCode?: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** So much is received before new credit is given; the node side never waits for it while we keep up. */
const CREDIT_BYTES = INITIAL_CREDIT_BYTES / 4;
/** A frame of requests stays well below the protocol's limit. */
const REQUESTS_A_FRAME = 200;
const GOODBYE_MS = 500;

/**
 * Opens a carrier and waits for the node side's hello. Rejects with LinkRefused, or when `helloMs` have passed.
 */
export async function openLink(
  open: (onBytes: (bytes: Uint8Array) => void) => Promise<Carrier>,
  options: { readonly version: string; readonly helloMs: number },
): Promise<NodeLink> {
  const state = createLinkState();
  const carrier = await open((bytes) => state.receive(bytes));
  state.attach(carrier);
  const hello = await Promise.race([state.hello, lateHello(options.helloMs)]).catch((error: Error) => {
    carrier.close();
    throw error;
  });
  if (hello.protocol !== PROTOCOL_VERSION) {
    carrier.close();
    throw new LinkRefused(
      `the node side (version ${hello.version || 'unknown'}) speaks protocol ${hello.protocol}, this podtriage ${PROTOCOL_VERSION}: use the image of the same version`,
    );
  }
  state.greet(options.version);
  return { hello, perform: state.perform, broken: state.broken, close: state.close };
}

function lateHello(milliseconds: number): Promise<never> {
  return new Promise((_, reject) => {
    setTimeout(
      () => reject(new LinkRefused(`the node side said nothing for ${milliseconds} ms`)),
      milliseconds,
    ).unref();
  });
}

interface LinkState {
  readonly hello: Promise<Hello>;
  receive(bytes: Uint8Array): void;
  attach(carrier: Carrier): void;
  greet(version: string): void;
  readonly perform: NodeLink['perform'];
  readonly broken: NodeLink['broken'];
  readonly close: NodeLink['close'];
}

function createLinkState(): LinkState {
  const decoder = createFrameDecoder();
  const pending = new Map<number, Pending>();
  const hello = Promise.withResolvers<Hello>();
  const goodbye = Promise.withResolvers<boolean>();
  hello.promise.catch(() => undefined);
  const stopped = new AbortController();
  let carrier: Carrier | undefined;
  let heartbeat: NodeJS.Timeout | undefined;
  let reason: string | undefined;
  let nextId = 1;
  let uncredited = 0;
  let heardAtMs = Date.now();

  const send = (message: Message): void => carrier?.send(encodeMessage(message));

  const fail = (why: string, exitCode?: number): void => {
    if (reason !== undefined) return;
    reason = why;
    clearInterval(heartbeat);
    stopped.abort();
    hello.reject(new LinkRefused(why, exitCode));
    goodbye.resolve(false);
    for (const one of pending.values()) one.onReply(nothing(one, 'unreachable', why));
    pending.clear();
    carrier?.close();
  };

  const beat = (): void => {
    const silentMs = Date.now() - heardAtMs;
    if (silentMs > SILENCE_MAX_MS) fail(`the node side said nothing for ${Math.round(silentMs / 1000)} s`);
    else send({ type: 'heartbeat' });
  };

  const credit = (bytes: number): void => {
    uncredited += bytes;
    if (uncredited < CREDIT_BYTES) return;
    send({ type: 'credit', bytes: uncredited });
    uncredited = 0;
  };

  const take = (message: Message): void => {
    if (message.type === 'hello') hello.resolve(message.hello);
    else if (message.type === 'reply-head') setHead(pending.get(message.id), message.head);
    else if (message.type === 'reply-bytes') {
      pending.get(message.id)?.parts.push(message.bytes);
      credit(message.bytes.length);
    } else if (message.type === 'reply-end') {
      const one = pending.get(message.id);
      pending.delete(message.id);
      if (one) void finish(one).then(one.onReply);
    } else if (message.type === 'bye') {
      goodbye.resolve(true);
      fail(`the node side ended: ${message.because}`);
    }
  };

  return {
    hello: hello.promise,
    receive(bytes) {
      heardAtMs = Date.now();
      if (reason !== undefined) return;
      try {
        for (const frame of decoder.push(bytes)) take(decodeMessage(frame));
      } catch (error) {
        fail((error as Error).message);
      }
    },
    attach(opened) {
      carrier = opened;
      void opened.ended.then(({ detail, exitCode }) => fail(detail, exitCode));
    },
    greet(version) {
      send({ type: 'hello', hello: { protocol: PROTOCOL_VERSION, version } });
      heartbeat = setInterval(beat, HEARTBEAT_EVERY_MS);
    },
    perform(requests, limits, signal, onReply) {
      const items = requests.map((request) => {
        const id = nextId++;
        pending.set(id, { request, maxBytes: limits.maxBytes, askedAtMs: Date.now(), onReply, parts: [] });
        return { id, request };
      });
      if (reason !== undefined) {
        for (const { id } of items) {
          onReply(nothing(pending.get(id)!, 'unreachable', reason));
          pending.delete(id);
        }
        return;
      }
      for (let at = 0; at < items.length; at += REQUESTS_A_FRAME) {
        send({ type: 'perform', perform: { requests: items.slice(at, at + REQUESTS_A_FRAME), limits } });
      }
      const cancel = (): void => {
        for (const { id } of items) if (pending.has(id)) send({ type: 'cancel', id });
      };
      if (signal.aborted) cancel();
      else signal.addEventListener('abort', cancel, { once: true, signal: stopped.signal });
    },
    broken: () => reason,
    async close() {
      if (reason !== undefined) return false;
      send({ type: 'bye', because: 'done' });
      const timer = setTimeout(() => goodbye.resolve(false), GOODBYE_MS);
      const said = await goodbye.promise;
      clearTimeout(timer);
      fail('the link was closed');
      return said;
    },
  };
}

function setHead(one: Pending | undefined, head: ReplyHead): void {
  if (one) one.head = head;
}

async function finish(one: Pending): Promise<Reply> {
  const { head, parts, request, maxBytes } = one;
  if (!head) return nothing(one, 'failed', 'the node side ended a reply that it had not begun');
  if (head.got === 'nothing') return { request, ...head };
  const { encoding, ...rest } = head;
  const whole = Buffer.concat(parts);
  if (encoding === 'identity') return { request, ...rest, raw: whole };
  return inflate(whole, maxBytes).then(
    (raw) => ({ request, ...rest, raw }),
    (error: Error) => nothing(one, 'failed', `the node side's reply cannot be unpacked: ${error.message}`),
  );
}

function inflate(bytes: Buffer, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    unzip(bytes, { maxOutputLength: maxBytes + 1 }, (error, raw) => (error ? reject(error) : resolve(raw)));
  });
}

function nothing(one: Pending, gap: 'unreachable' | 'failed', detail: string): Reply {
  const { request, askedAtMs } = one;
  return { request, startedAtMs: askedAtMs, tookMs: Date.now() - askedAtMs, got: 'nothing', gap, detail };
}
