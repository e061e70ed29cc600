import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeFrame } from './decode-frame.ts';

const LINK_TYPES = [0, 1, 12, 101, 108, 113, 228, 229, 276];

describe('decodeFrame', () => {
  it('never throws, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.constantFrom(...LINK_TYPES, 9), fc.uint8Array({ maxLength: 200 }), (linkType, bytes) => {
        expect(decodeFrame({ bytes, originalLength: bytes.length }, linkType)).toBeTypeOf('object');
      }),
    );
  });

  it('names a link type that it does not understand', () => {
    const frame = { bytes: Uint8Array.of(1), originalLength: 1 };
    expect(decodeFrame(frame, 253)).toEqual({ malformed: 'link type 253 is not understood' });
  });
});
