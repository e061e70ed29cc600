import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bitsToAddress } from '../net/address.ts';
import type { CapturedFrame, CaptureFile, CaptureInterface } from './capture-file.ts';
import { readCaptureFile } from './read-capture-file.ts';
import { writePcapng } from './write-pcapng.ts';

/** A text as a file can hold it: no lone surrogates, no zero. */
const text = fc.string({ unit: 'binary', maxLength: 40 }).map((value) => value.replaceAll('\0', '.'));
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const count = fc.nat();

/** Without the fields that are undefined, as the reader gives it. */
function bare<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as T;
}

const interfaces = fc.array(
  fc
    .record({
      name: optional(text),
      description: optional(text),
      comment: optional(text),
      filter: optional(text),
      linkType: fc.nat(65_535),
      snapLength: fc.nat(),
      received: optional(count),
      dropped: optional(count),
    })
    .map(bare) as fc.Arbitrary<CaptureInterface>,
  { minLength: 1, maxLength: 4 },
);

const frame = (interfaceCount: number): fc.Arbitrary<CapturedFrame> =>
  fc
    .record({
      interface: fc.nat(interfaceCount - 1),
      timestampNs: fc.bigInt(0n, 2n ** 64n - 1n),
      bytes: fc.uint8Array({ maxLength: 60 }),
      more: fc.nat(2000),
      comment: optional(text),
      direction: optional(fc.constantFrom('in' as const, 'out' as const)),
    })
    .map(({ more, ...rest }) => bare({ ...rest, originalLength: rest.bytes.length + more }) as CapturedFrame);

const named = fc.record({
  address: fc.oneof(
    fc.bigInt(0n, 2n ** 32n - 1n).map((bits) => bitsToAddress(bits, 4)),
    fc.bigInt(0n, 2n ** 128n - 1n).map((bits) => bitsToAddress(bits, 6)),
  ),
  names: fc.array(
    text.filter((name) => name !== ''),
    { minLength: 1, maxLength: 3 },
  ),
});

const files: fc.Arbitrary<CaptureFile> = interfaces.chain(
  (list) =>
    fc
      .record({
        interfaces: fc.constant(list),
        frames: fc.array(frame(list.length), { maxLength: 6 }),
        names: optional(fc.array(named, { minLength: 1, maxLength: 3 })),
        comment: optional(text),
      })
      .map(bare) as fc.Arbitrary<CaptureFile>,
);

describe('writePcapng and readCaptureFile', () => {
  it('reads back what was written', () => {
    fc.assert(
      fc.property(files, (file) => {
        expect(readCaptureFile(writePcapng(file))).toEqual(file);
      }),
    );
  });

  it('keeps what was whole of a file that is cut', () => {
    fc.assert(
      fc.property(files, fc.double({ min: 0, max: 1, noNaN: true }), (file, share) => {
        const whole = writePcapng(file);
        const cut = readCaptureFile(whole.subarray(0, Math.floor(whole.length * share)));
        if ('problem' in cut) {
          expect(cut.problem).not.toBe('');
          return;
        }
        expect(file.frames.slice(0, cut.frames.length)).toEqual(cut.frames);
      }),
    );
  });

  it('says at every length that is within a block that the file was cut', () => {
    const file = { interfaces: [{ linkType: 1, snapLength: 96 }], frames: [oneFrame, oneFrame] };
    const whole = writePcapng(file);
    const lengthOfBlock = 12 + 20 + 4;
    for (let length = whole.length - 2 * lengthOfBlock; length <= whole.length; length++) {
      const read = readCaptureFile(whole.subarray(0, length));
      const left = whole.length - length;
      expect(read).toMatchObject({ frames: file.frames.slice(0, 2 - Math.ceil(left / lengthOfBlock)) });
      expect('damage' in read && read.damage !== undefined, `${length}`).toBe(left % lengthOfBlock !== 0);
    }
  });

  it('never throws and holds no more frames than bytes, whatever the bytes', () => {
    const magics = ['0a0d0d0a', 'a1b2c3d4', 'd4c3b2a1', 'a1b23c4d', '4d3cb2a1', '0a0d0d0a1c0000004d3c2b1a01000000', ''];
    const noise = fc
      .tuple(fc.constantFrom(...magics), fc.uint8Array({ maxLength: 400 }))
      .map(([magic, rest]) => Uint8Array.of(...Buffer.from(magic, 'hex'), ...rest));
    fc.assert(
      fc.property(noise, (bytes) => {
        const read = readCaptureFile(bytes);
        if (!('problem' in read)) expect(read.frames.length).toBeLessThanOrEqual(bytes.length / 16);
      }),
    );
  });

  it('never throws where bytes of a good file were changed', () => {
    const change = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(files, change, (file, changes) => {
        const bytes = writePcapng(file);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        const read = readCaptureFile(bytes);
        if ('problem' in read) return;
        for (const one of read.frames) expect(read.interfaces[one.interface]).toBeDefined();
      }),
    );
  });

  it('refuses to write a frame of an interface that is not there', () => {
    const file = { interfaces: [], frames: [oneFrame] };
    expect(() => writePcapng(file)).toThrow(new RangeError('a frame of interface 0, but there are 0'));
  });
});

const oneFrame: CapturedFrame = {
  interface: 0,
  timestampNs: 1_700_000_000_123_456_789n,
  bytes: Uint8Array.of(1, 2, 3),
  originalLength: 3,
};

describe('readCaptureFile', () => {
  it.each([
    ['', 'the file is empty: nothing was written to it'],
    ['1f8b0800', 'the file is compressed: gunzip it first'],
    ['7f454c46', 'neither pcap nor pcapng: it begins with 7f 45 4c 46'],
    ['d4c3b2a1', 'a pcap file that ends within its header, after 4 bytes'],
    ['a1b2c3d40003000400000000000000000000ffff00000001', 'a pcap file of version 3; 2 is understood'],
    ['0a0d0d0a00000000', 'a pcapng file of which nothing can be read: cut in the header of a block at byte 0'],
  ])('of %s says what is wrong', (hex, problem) => {
    expect(readCaptureFile(Buffer.from(hex, 'hex'))).toEqual({ problem });
  });
});
