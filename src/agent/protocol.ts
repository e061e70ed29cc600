import type { Gap, Limits, Request } from '../host/host.ts';

/**
 * What podtriage and its node side say to each other over one stream of bytes in each direction (stdin and stdout of
 * an exec). A frame is a header of 12 bytes, numbers big-endian, and its payload:
 *
 *      0      2      3      4          8          12
 *     | 'PT' | type | 0    | id (u32) | len (u32)| payload …
 *
 * `id` numbers a request; it is 0 where a frame speaks of the connection. JSON payloads are UTF-8.
 *
 *     podtriage                            node side
 *              ←  hello {protocol, …}
 *     hello {protocol, heartbeat}  →
 *     perform {requests: [{id, request}]} →
 *              ←  reply-head id {…}, reply-bytes id …, reply-end id      (chunks of several replies interleave)
 *     credit {bytes}  →                                                  (more reply-bytes may be sent)
 *     cancel id  →
 *     heartbeat  →  ←  heartbeat                                         (silence of SILENCE_MAX_MS ends either side)
 *     bye {because}  →  ←  bye {because}
 */
export const PROTOCOL_VERSION = 1;

export const HEADER_BYTES = 12;
/** A longer payload is a broken stream, not a large answer. */
export const PAYLOAD_MAX_BYTES = 1 << 20;
/** Raw bytes of a reply travel in pieces of this size, so that a large one does not hold up the others. */
export const CHUNK_BYTES = 64 << 10;
/** What the node side may send of reply-bytes before the first credit. */
export const INITIAL_CREDIT_BYTES = 4 << 20;
export const HEARTBEAT_EVERY_MS = 2_000;
export const SILENCE_MAX_MS = 10_000;

const TYPES = [
  'hello',
  'perform',
  'reply-head',
  'reply-bytes',
  'reply-end',
  'credit',
  'cancel',
  'heartbeat',
  'bye',
] as const;

export type FrameType = (typeof TYPES)[number];

export interface Frame {
  readonly type: FrameType;
  readonly id: number;
  readonly payload: Uint8Array;
}

/** The first frame of either side. */
export interface Hello {
  readonly protocol: number;
  /** podtriage's own version. */
  readonly version: string;
  /** What the node side is: its host name and pid, for messages. */
  readonly host?: string;
  readonly pid?: number;
}

export interface Perform {
  readonly requests: readonly { readonly id: number; readonly request: Request }[];
  readonly limits: Limits;
}

/** A Reply without its request, which the asker has, and without its bytes, which follow as reply-bytes. */
export type ReplyHead = {
  /** Times are the node's clock: `startedAtMs` since its epoch. */
  readonly startedAtMs: number;
  readonly tookMs: number;
} & (
  | {
      readonly got: 'raw';
      readonly exitCode: number;
      readonly truncated: boolean;
      readonly tool: string;
      /** Of the bytes that follow. */
      readonly encoding: 'identity' | 'deflate';
    }
  | { readonly got: 'nothing'; readonly gap: Gap; readonly detail: string }
);

export type Message =
  | { readonly type: 'hello'; readonly hello: Hello }
  | { readonly type: 'perform'; readonly perform: Perform }
  | { readonly type: 'reply-head'; readonly id: number; readonly head: ReplyHead }
  | { readonly type: 'reply-bytes'; readonly id: number; readonly bytes: Uint8Array }
  | { readonly type: 'reply-end'; readonly id: number }
  | { readonly type: 'credit'; readonly bytes: number }
  | { readonly type: 'cancel'; readonly id: number }
  | { readonly type: 'heartbeat' }
  | { readonly type: 'bye'; readonly because: string };

/** What the peer sent is not this protocol; the connection cannot be used any more. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

export function encodeFrame(frame: Frame): Uint8Array {
  if (frame.payload.length > PAYLOAD_MAX_BYTES) {
    throw new ProtocolError(
      `a ${frame.type} frame of ${frame.payload.length} bytes is longer than ${PAYLOAD_MAX_BYTES}`,
    );
  }
  const bytes = new Uint8Array(HEADER_BYTES + frame.payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, 0x50);
  view.setUint8(1, 0x54);
  view.setUint8(2, TYPES.indexOf(frame.type) + 1);
  view.setUint32(4, frame.id);
  view.setUint32(8, frame.payload.length);
  bytes.set(frame.payload, HEADER_BYTES);
  return bytes;
}

export interface FrameDecoder {
  /** The frames that are complete with these bytes. Throws ProtocolError; the decoder is useless afterwards. */
  push(bytes: Uint8Array): readonly Frame[];
  /** Bytes of a frame that has not ended yet. */
  pendingBytes(): number;
}

export function createFrameDecoder(): FrameDecoder {
  let pending: Uint8Array = new Uint8Array(0);
  return {
    push(bytes) {
      pending = pending.length === 0 ? bytes : concatenate([pending, bytes]);
      const frames: Frame[] = [];
      for (;;) {
        const frame = readFrame(pending);
        if (!frame) break;
        frames.push(frame);
        pending = pending.subarray(HEADER_BYTES + frame.payload.length);
      }
      pending = new Uint8Array(pending);
      return frames;
    },
    pendingBytes: () => pending.length,
  };
}

function readFrame(bytes: Uint8Array): Frame | undefined {
  refuseForeign(bytes);
  if (bytes.length < HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  const type = TYPES[view.getUint8(2) - 1];
  if (!type) throw new ProtocolError(`frame type ${view.getUint8(2)} is not known`);
  const length = view.getUint32(8);
  if (length > PAYLOAD_MAX_BYTES) throw new ProtocolError(`a ${type} frame announces ${length} bytes`);
  if (bytes.length < HEADER_BYTES + length) return undefined;
  // A copy: a view (which slice() of a Buffer is, too) would keep the whole chunk alive, and change with it.
  const payload = new Uint8Array(bytes.subarray(HEADER_BYTES, HEADER_BYTES + length));
  return { type, id: view.getUint32(4), payload };
}

/** Says so at the first wrong byte: an error message of a shell or a runtime is shorter than a header, and would be waited on. */
function refuseForeign(bytes: Uint8Array): void {
  const wrong = (bytes.length > 0 && bytes[0] !== 0x50) || (bytes.length > 1 && bytes[1] !== 0x54);
  if (!wrong) return;
  const text = new TextDecoder().decode(bytes.subarray(0, 200)).split('\n')[0];
  throw new ProtocolError(`expected a podtriage frame, got: ${JSON.stringify(text)}`);
}

export function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

const NO_PAYLOAD = new Uint8Array(0);

export function encodeMessage(message: Message): Uint8Array {
  switch (message.type) {
    case 'hello':
      return encodeFrame({ type: 'hello', id: 0, payload: jsonBytes(message.hello) });
    case 'perform':
      return encodeFrame({ type: 'perform', id: 0, payload: jsonBytes(message.perform) });
    case 'reply-head':
      return encodeFrame({ type: 'reply-head', id: message.id, payload: jsonBytes(message.head) });
    case 'reply-bytes':
      return encodeFrame({ type: 'reply-bytes', id: message.id, payload: message.bytes });
    case 'credit':
      return encodeFrame({ type: 'credit', id: 0, payload: jsonBytes({ bytes: message.bytes }) });
    case 'bye':
      return encodeFrame({ type: 'bye', id: 0, payload: jsonBytes({ because: message.because }) });
    case 'reply-end':
    case 'cancel':
      return encodeFrame({ type: message.type, id: message.id, payload: NO_PAYLOAD });
    case 'heartbeat':
      return encodeFrame({ type: 'heartbeat', id: 0, payload: NO_PAYLOAD });
  }
}

/** Throws ProtocolError on a payload that is not the type's. */
export function decodeMessage(frame: Frame): Message {
  const { type, id, payload } = frame;
  switch (type) {
    case 'hello':
      return { type, hello: readHello(payload) };
    case 'perform':
      return { type, perform: readPerform(payload) };
    case 'reply-head':
      return { type, id, head: readHead(payload) };
    case 'reply-bytes':
      return { type, id, bytes: payload };
    case 'credit':
      return { type, bytes: numberIn(readJson(type, payload), 'bytes', type) };
    case 'bye':
      return { type, because: String(readJson(type, payload).because ?? '') };
    case 'reply-end':
    case 'cancel':
      return { type, id };
    case 'heartbeat':
      return { type };
  }
}

function readHello(payload: Uint8Array): Hello {
  const json = readJson('hello', payload);
  return {
    protocol: numberIn(json, 'protocol', 'hello'),
    version: String(json.version ?? ''),
    ...(typeof json.host === 'string' ? { host: json.host } : {}),
    ...(typeof json.pid === 'number' ? { pid: json.pid } : {}),
  };
}

function readPerform(payload: Uint8Array): Perform {
  const { requests, limits } = readJson('perform', payload);
  if (!Array.isArray(requests) || !isObject(limits))
    throw new ProtocolError('a perform frame lacks requests or limits');
  for (const item of requests) {
    if (!isObject(item) || typeof item.id !== 'number' || !isRequest(item.request)) {
      throw new ProtocolError(`a perform frame holds what is no request: ${JSON.stringify(item).slice(0, 200)}`);
    }
  }
  return {
    requests,
    limits: {
      deadlineMs: numberIn(limits, 'deadlineMs', 'perform'),
      maxBytes: numberIn(limits, 'maxBytes', 'perform'),
    },
  };
}

function isRequest(value: unknown): value is Request {
  if (!isObject(value) || typeof value.action !== 'string') return false;
  const { place, args } = value;
  return isObject(place) && typeof place.node === 'string' && typeof place.namespace === 'string' && isObject(args);
}

function readHead(payload: Uint8Array): ReplyHead {
  const json = readJson('reply-head', payload);
  numberIn(json, 'startedAtMs', 'reply-head');
  numberIn(json, 'tookMs', 'reply-head');
  if (json.got !== 'raw' && json.got !== 'nothing')
    throw new ProtocolError('a reply-head says neither raw nor nothing');
  return json as unknown as ReplyHead;
}

function readJson(type: FrameType, payload: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(payload));
    if (isObject(value)) return value;
  } catch {
    // Said below, as for JSON of another shape.
  }
  throw new ProtocolError(`the payload of a ${type} frame is not a JSON object`);
}

function numberIn(json: Readonly<Record<string, unknown>>, key: string, type: FrameType): number {
  const value = json[key];
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw new ProtocolError(`a ${type} frame has no number '${key}'`);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function jsonBytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
