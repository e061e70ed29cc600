import { describe, expect, it } from 'vitest';
import { readPcap } from './read-pcap.ts';

const bytesOf = (hex: string) => Uint8Array.from(Buffer.from(hex.replace(/\s/g, ''), 'hex'));

/** pcap-savefile(5), by hand: snap length 96, Ethernet; one frame, 3 of 4 bytes kept. */
const FILES = {
  'microseconds, big-endian': `a1b2c3d4 0002 0004 00000000 00000000 00000060 00000001
    65a00000 0001e240 00000003 00000004 aabbcc`,
  'microseconds, little-endian': `d4c3b2a1 0200 0400 00000000 00000000 60000000 01000000
    0000a065 40e20100 03000000 04000000 aabbcc`,
  'nanoseconds, big-endian': `a1b23c4d 0002 0004 00000000 00000000 00000060 00000001
    65a00000 075bca00 00000003 00000004 aabbcc`,
  'nanoseconds, little-endian': `4d3cb2a1 0200 0400 00000000 00000000 60000000 01000000
    0000a065 00ca5b07 03000000 04000000 aabbcc`,
};

const FRAME = {
  interface: 0,
  timestampNs: 0x65a00000n * 1_000_000_000n + 123_456_000n,
  bytes: Uint8Array.of(0xaa, 0xbb, 0xcc),
  originalLength: 4,
};

describe('readPcap', () => {
  it.each(Object.entries(FILES))('reads %s', (_, hex) => {
    expect(readPcap(bytesOf(hex))).toEqual({ interfaces: [{ linkType: 1, snapLength: 96 }], frames: [FRAME] });
  });

  it('says at each length what was cut', () => {
    const whole = bytesOf(FILES['nanoseconds, little-endian']);
    for (let length = 24; length < whole.length; length++) {
      const damage =
        length === 24
          ? undefined
          : length < 40
            ? 'cut in the header of a frame at byte 24'
            : 'cut in the middle of a frame at byte 24';
      expect(readPcap(whole.subarray(0, length))).toEqual({
        interfaces: [{ linkType: 1, snapLength: 96 }],
        frames: [],
        ...(damage && { damage }),
      });
    }
  });

  it('reads the frames before one whose size cannot be', () => {
    const hex = FILES['microseconds, big-endian'];
    const bad = `${hex} 65a00000 00000000 7fffffff 7fffffff 00`;
    expect(readPcap(bytesOf(bad))).toMatchObject({
      frames: [FRAME],
      damage: 'a frame of 2147483647 bytes at byte 43: that cannot be',
    });
  });

  it('takes the link type without the bits of the frame check sequence', () => {
    const hex = 'a1b2c3d4 0002 0004 00000000 00000000 00000060 24000001';
    expect(readPcap(bytesOf(hex))).toEqual({ interfaces: [{ linkType: 1, snapLength: 96 }], frames: [] });
  });
});
