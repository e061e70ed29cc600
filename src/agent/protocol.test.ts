import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hostOf } from '../net/place.ts';
import {
  concatenate,
  createFrameDecoder,
  decodeMessage,
  encodeFrame,
  encodeMessage,
  type Message,
  PAYLOAD_MAX_BYTES,
  ProtocolError,
} from './protocol.ts';

const messages: readonly Message[] = [
  { type: 'hello', hello: { protocol: 1, version: '0.1.0', host: 'w1', pid: 77 } },
  {
    type: 'perform',
    perform: {
      requests: [{ id: 1, request: { action: 'links', place: hostOf('w1'), args: {}, round: 0 } }],
      limits: { deadlineMs: 10_000, maxBytes: 1 << 25 },
    },
  },
  {
    type: 'reply-head',
    id: 1,
    head: {
      startedAtMs: 5,
      tookMs: 7,
      got: 'raw',
      exitCode: 0,
      truncated: false,
      tool: 'iproute2-6.1.0',
      encoding: 'identity',
    },
  },
  { type: 'reply-bytes', id: 1, bytes: new TextEncoder().encode('[{"ifindex":1}]') },
  { type: 'reply-end', id: 1 },
  {
    type: 'reply-head',
    id: 4_294_967_295,
    head: { startedAtMs: 5, tookMs: 7, got: 'nothing', gap: 'not-installed', detail: 'no ip' },
  },
  { type: 'credit', bytes: 65_536 },
  { type: 'cancel', id: 1 },
  { type: 'heartbeat' },
  { type: 'bye', because: 'done' },
];

function decodeAll(chunks: readonly Uint8Array[]): readonly Message[] {
  const decoder = createFrameDecoder();
  return chunks.flatMap((chunk) => decoder.push(chunk).map(decodeMessage));
}

describe('the stream of frames', () => {
  const stream = concatenate(messages.map(encodeMessage));

  it('is read the same wherever the stream is cut in two', () => {
    for (let at = 0; at <= stream.length; at++) {
      expect(decodeAll([stream.slice(0, at), stream.slice(at)])).toEqual(messages);
    }
  });

  it('is read the same byte by byte', () => {
    expect(decodeAll([...stream].map((byte) => Uint8Array.of(byte)))).toEqual(messages);
  });

  it('gives of a stream that ends early exactly the frames that are whole', () => {
    const ends = messages.map((_, n) => concatenate(messages.slice(0, n + 1).map(encodeMessage)).length);
    for (let at = 0; at <= stream.length; at++) {
      expect(decodeAll([stream.slice(0, at)])).toHaveLength(ends.filter((end) => end <= at).length);
    }
  });

  it('keeps no view on a chunk whose buffer is used again', () => {
    const bytes = encodeMessage({ type: 'reply-bytes', id: 1, bytes: new Uint8Array(30).fill(7) });
    for (const at of [20, bytes.length]) {
      const decoder = createFrameDecoder();
      const chunks = [Buffer.from(bytes.subarray(0, at)), Buffer.from(bytes.subarray(at))];
      const frames = chunks.flatMap((chunk) => {
        const decoded = decoder.push(chunk);
        chunk.fill(0);
        return decoded;
      });
      expect(frames[0]?.payload).toEqual(new Uint8Array(30).fill(7));
    }
  });

  it('carries any payload', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(0xffff_ffff), fc.nat(400), (payload, id, at) => {
        const bytes = encodeFrame({ type: 'reply-bytes', id, payload });
        const decoder = createFrameDecoder();
        const frames = [...decoder.push(bytes.slice(0, at)), ...decoder.push(bytes.slice(at))];
        expect(frames).toEqual([{ type: 'reply-bytes', id, payload }]);
        expect(decoder.pendingBytes()).toBe(0);
      }),
      { seed: 11 },
    );
  });
});

describe('what is not this protocol', () => {
  it('is told at the first wrong byte, with its text', () => {
    const text = new TextEncoder().encode('sh: node: not found\n');
    expect(() => createFrameDecoder().push(text)).toThrow(/got: "sh: node: not found"/);
    expect(() => createFrameDecoder().push(text.slice(0, 1))).toThrow(ProtocolError);
  });

  it('is an unknown type, or a length beyond the limit', () => {
    const unknown = encodeFrame({ type: 'heartbeat', id: 0, payload: new Uint8Array(0) });
    unknown[2] = 99;
    expect(() => createFrameDecoder().push(unknown)).toThrow(/type 99/);
    const long = encodeFrame({ type: 'heartbeat', id: 0, payload: new Uint8Array(0) });
    new DataView(long.buffer).setUint32(8, PAYLOAD_MAX_BYTES + 1);
    expect(() => createFrameDecoder().push(long)).toThrow(/announces/);
    expect(() => encodeFrame({ type: 'bye', id: 0, payload: new Uint8Array(PAYLOAD_MAX_BYTES + 1) })).toThrow(
      ProtocolError,
    );
  });

  it('is a payload of another shape', () => {
    const bad = (type: 'hello' | 'perform' | 'reply-head' | 'credit', json: string) => () =>
      decodeMessage({ type, id: 1, payload: new TextEncoder().encode(json) });
    expect(bad('hello', '{}')).toThrow(/no number 'protocol'/);
    expect(bad('hello', 'nonsense')).toThrow(/not a JSON object/);
    expect(bad('perform', '{"requests":[{"id":1,"request":{"argv":["sh"]}}],"limits":{}}')).toThrow(/no request/);
    expect(bad('reply-head', '{"startedAtMs":1,"tookMs":1}')).toThrow(/neither raw nor nothing/);
    expect(bad('credit', '{"bytes":"many"}')).toThrow(/no number 'bytes'/);
  });

  it('never throws anything but ProtocolError on arbitrary bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, headed) => {
        const stream = headed
          ? concatenate([Uint8Array.of(0x50, 0x54, 1 + ((bytes[0] ?? 0) % 9), 0, 0, 0, 0, 1, 0, 0, 0, 9), bytes])
          : bytes;
        try {
          createFrameDecoder().push(stream).map(decodeMessage);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
      { seed: 12 },
    );
  });
});
