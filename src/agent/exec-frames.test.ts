import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createExecFrameDecoder, EXEC_SIGNALS, type ExecFrame, encodeExecFrames } from './exec-frames.ts';

const anyFrame: fc.Arbitrary<ExecFrame> = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map((bytes) => ({ kind: 'input' as const, bytes: Buffer.from(bytes) })),
  fc.constant({ kind: 'end-of-input' as const }),
  fc.constantFrom(...EXEC_SIGNALS).map((name) => ({ kind: 'signal' as const, name })),
);

describe('frames of exec', () => {
  it('come whole again, wherever the stream is cut', () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 6 }), fc.integer({ min: 1, max: 9 }), (frames, piece) => {
        const stream = Buffer.concat(frames.map(encodeExecFrames));
        const decode = createExecFrameDecoder();
        const heard: ExecFrame[] = [];
        for (let at = 0; at < stream.length; at += piece) heard.push(...decode(stream.subarray(at, at + piece)));
        expect(heard).toEqual(frames);
      }),
    );
  });

  it('split an input that is longer than a frame may be', () => {
    const bytes = Buffer.alloc((1 << 20) + 7, 'x');
    const heard = createExecFrameDecoder()(encodeExecFrames({ kind: 'input', bytes }));
    expect(heard.map((frame) => (frame.kind === 'input' ? frame.bytes.length : 0))).toEqual([1 << 20, 7]);
  });

  it('refuse what is no frame, an unknown signal and a length that nobody sends', () => {
    expect(() => createExecFrameDecoder()(Buffer.from([9, 0, 0, 0, 0]))).toThrow('kind 9');
    expect(() => createExecFrameDecoder()(Buffer.from([2, 0, 0, 0, 2, 0x48, 0x49]))).toThrow(
      'no signal is called "HI"',
    );
    expect(() => createExecFrameDecoder()(Buffer.from([0, 0xff, 0, 0, 0]))).toThrow('longer than');
  });
});
