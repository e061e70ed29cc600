/**
 * What `podtriage exec` says to the command that it started in a helper, over the exec's stdin: the command's own input,
 * its end (which channel.k8s.io protocols before v5 cannot tell), and signals. A frame is 5 bytes, the length
 * big-endian, and its payload:
 *
 *      0      1          5
 *     | kind | len (u32)| payload …
 */
export type ExecFrame =
  | { readonly kind: 'input'; readonly bytes: Uint8Array }
  | { readonly kind: 'end-of-input' }
  | { readonly kind: 'signal'; readonly name: ExecSignal };

export const EXEC_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGKILL'] as const;
export type ExecSignal = (typeof EXEC_SIGNALS)[number];

const KINDS = ['input', 'end-of-input', 'signal'] as const;
const HEADER_BYTES = 5;
/** A longer payload is a broken stream. */
const PAYLOAD_MAX_BYTES = 1 << 20;

export function encodeExecFrames(frame: ExecFrame): Uint8Array {
  if (frame.kind === 'input' && frame.bytes.length > PAYLOAD_MAX_BYTES) {
    const rest = { kind: 'input', bytes: frame.bytes.subarray(PAYLOAD_MAX_BYTES) } as const;
    const first = { kind: 'input', bytes: frame.bytes.subarray(0, PAYLOAD_MAX_BYTES) } as const;
    return Buffer.concat([encodeExecFrames(first), encodeExecFrames(rest)]);
  }
  const payload =
    frame.kind === 'input' ? frame.bytes : Buffer.from(frame.kind === 'signal' ? frame.name : '', 'latin1');
  const header = Buffer.alloc(HEADER_BYTES);
  header[0] = KINDS.indexOf(frame.kind);
  header.writeUInt32BE(payload.length, 1);
  return Buffer.concat([header, payload]);
}

/** Returns a function that is fed with bytes as they come and answers the frames that are whole. Throws on anything else. */
export function createExecFrameDecoder(): (bytes: Uint8Array) => readonly ExecFrame[] {
  let pending: Buffer = Buffer.alloc(0);
  return (bytes) => {
    pending = Buffer.concat([pending, bytes]);
    const frames: ExecFrame[] = [];
    while (pending.length >= HEADER_BYTES) {
      const length = pending.readUInt32BE(1);
      if (length > PAYLOAD_MAX_BYTES) throw new Error(`a frame of ${length} bytes is longer than ${PAYLOAD_MAX_BYTES}`);
      if (pending.length < HEADER_BYTES + length) break;
      frames.push(frameOf(pending[0]!, Buffer.from(pending.subarray(HEADER_BYTES, HEADER_BYTES + length))));
      pending = pending.subarray(HEADER_BYTES + length);
    }
    return frames;
  };
}

function frameOf(kind: number, payload: Buffer): ExecFrame {
  switch (KINDS[kind]) {
    case 'input':
      return { kind: 'input', bytes: payload };
    case 'end-of-input':
      return { kind: 'end-of-input' };
    case 'signal': {
      const name = EXEC_SIGNALS.find((one) => one === payload.toString('latin1'));
      if (name) return { kind: 'signal', name };
      throw new Error(`no signal is called ${JSON.stringify(payload.toString('latin1').slice(0, 20))}`);
    }
    default:
      throw new Error(`no frame is of kind ${kind}`);
  }
}
