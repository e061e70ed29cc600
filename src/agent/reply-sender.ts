import { deflate } from 'node:zlib';
import type { Reply } from '../host/host.ts';
import { CHUNK_BYTES, INITIAL_CREDIT_BYTES, type Message, type ReplyHead } from './protocol.ts';

/** Sends replies in pieces, each in its turn, and no more than the other side has given credit for. */
export interface ReplySender {
  send(id: number, reply: Reply): Promise<void>;
  addCredit(bytes: number): void;
  /** The stream takes bytes again. */
  resume(): void;
}

interface Outgoing {
  readonly id: number;
  readonly bytes: Uint8Array;
  sent: number;
}

/** What is smaller is not worth the time to pack it. */
const PACK_FROM_BYTES = 16 << 10;

/** `write` returns false when the stream is full; then nothing more is sent before `resume`. */
export function createReplySender(write: (message: Message) => boolean): ReplySender {
  const outgoing: Outgoing[] = [];
  let credit = INITIAL_CREDIT_BYTES;
  let flowing = true;

  const put = (message: Message): void => {
    flowing = write(message) && flowing;
  };

  const pump = (): void => {
    while (flowing && outgoing.length > 0) {
      const next = outgoing[0]!;
      const piece = next.bytes.subarray(next.sent, next.sent + CHUNK_BYTES);
      if (piece.length > credit) return;
      credit -= piece.length;
      next.sent += piece.length;
      outgoing.shift();
      if (piece.length > 0) put({ type: 'reply-bytes', id: next.id, bytes: piece });
      if (next.sent === next.bytes.length) put({ type: 'reply-end', id: next.id });
      else outgoing.push(next);
    }
  };

  return {
    async send(id, reply) {
      const { head, bytes } = await packReply(reply);
      put({ type: 'reply-head', id, head });
      outgoing.push({ id, bytes, sent: 0 });
      pump();
    },
    addCredit(bytes) {
      credit += Math.max(0, bytes);
      pump();
    },
    resume() {
      flowing = true;
      pump();
    },
  };
}

async function packReply(reply: Reply): Promise<{ readonly head: ReplyHead; readonly bytes: Uint8Array }> {
  const { startedAtMs, tookMs } = reply;
  if (reply.got === 'nothing') {
    const { got, gap, detail } = reply;
    return { head: { startedAtMs, tookMs, got, gap, detail }, bytes: new Uint8Array(0) };
  }
  const { got, raw, exitCode, truncated, tool } = reply;
  const packed = raw.length >= PACK_FROM_BYTES ? await pack(raw) : undefined;
  const encoding = packed ? 'deflate' : 'identity';
  return { head: { startedAtMs, tookMs, got, exitCode, truncated, tool, encoding }, bytes: packed ?? raw };
}

/** Rule sets and JSON shrink to a tenth even at the fastest level, and the way goes through the API server. */
function pack(raw: Uint8Array): Promise<Uint8Array | undefined> {
  return new Promise((resolve) => {
    deflate(raw, { level: 1 }, (error, bytes) => resolve(error ? undefined : bytes));
  });
}
