import { describe, expect, it } from 'vitest';
import { readPcapng } from './read-pcapng.ts';

type Order = 'little' | 'big';
type Part = { readonly bits: 16 | 32 | 64; readonly value: number | bigint } | Uint8Array;

/* Blocks by hand, from the draft's figures and not from our writer, in both byte orders. */
const u16 = (value: number): Part => ({ bits: 16, value });
const u32 = (value: number): Part => ({ bits: 32, value });
const u64 = (value: bigint): Part => ({ bits: 64, value });

function bytesOf(parts: readonly Part[], order: Order): Uint8Array {
  return Uint8Array.from(
    parts.flatMap((part) => {
      if (part instanceof Uint8Array) return [...part];
      const big = Array.from({ length: part.bits / 8 }, (_, index) =>
        Number((BigInt.asUintN(64, BigInt(part.value)) >> BigInt(part.bits - 8 - 8 * index)) & 0xffn),
      );
      return order === 'big' ? big : big.reverse();
    }),
  );
}

function block(order: Order, type: number, ...parts: Part[]): Uint8Array {
  const body = bytesOf(parts, order);
  const length = u32(12 + body.length);
  return bytesOf([u32(type), length, body, length], order);
}

function option(code: number, ...value: number[]): Part[] {
  const padding = new Array<number>((4 - (value.length % 4)) % 4).fill(0);
  return [u16(code), u16(value.length), Uint8Array.from([...value, ...padding])];
}

const letters = (text: string) => [...Buffer.from(text)];
const file = (...blocks: Uint8Array[]) => Uint8Array.from(Buffer.concat(blocks));

const section = (order: Order, ...options: Part[]) =>
  block(order, 0x0a0d0d0a, u32(0x1a2b3c4d), u16(1), u16(0), u64(-1n), ...options);
const device = (order: Order, snapLength: number, ...options: Part[]) =>
  block(order, 1, u16(1), u16(0), u32(snapLength), ...options);
const packet = (order: Order, ticks: bigint, owner = 0, ...options: Part[]) =>
  block(
    order,
    6,
    u32(owner),
    u32(Number(ticks >> 32n)),
    u32(Number(ticks & 0xffffffffn)),
    u32(3),
    u32(70),
    Uint8Array.of(7, 8, 9, 0),
    ...options,
  );

const FRAME = { bytes: Uint8Array.of(7, 8, 9), originalLength: 70 };

describe('readPcapng', () => {
  it.each(['little', 'big'] as const)('reads a %s-endian section with all options', (order) => {
    const bytes = file(
      section(order, ...option(1, ...letters('of it all'))),
      device(
        order,
        96,
        ...option(2, ...letters('eth0')),
        ...option(3, ...letters('pod a/b')),
        ...option(11, 0, ...letters('tcp port 80')),
        ...option(1, ...letters('one')),
        ...option(1, ...letters('two')),
        ...option(9, 9),
        ...option(0),
      ),
      packet(
        order,
        1_700_000_000_123_456_789n,
        0,
        ...option(2, ...(order === 'big' ? [0, 0, 0, 2] : [2, 0, 0, 0])),
        ...option(1, ...letters('seen')),
      ),
      block(
        order,
        5,
        u32(0),
        u32(0),
        u32(0),
        ...option(4, ...bytesOf([u64(12n)], order)),
        ...option(5, ...bytesOf([u64(3n)], order)),
      ),
    );
    expect(readPcapng(bytes)).toEqual({
      comment: 'of it all',
      interfaces: [
        {
          linkType: 1,
          snapLength: 96,
          name: 'eth0',
          description: 'pod a/b',
          filter: 'tcp port 80',
          comment: 'one\ntwo',
          received: 12,
          dropped: 3,
        },
      ],
      frames: [{ ...FRAME, interface: 0, timestampNs: 1_700_000_000_123_456_789n, direction: 'out', comment: 'seen' }],
    });
  });

  it('counts interfaces through, over sections of different byte order', () => {
    const bytes = file(
      section('big'),
      device('big', 96),
      packet('big', 5n),
      section('little'),
      device('little', 64),
      packet('little', 6n),
    );
    expect(readPcapng(bytes)).toEqual({
      interfaces: [
        { linkType: 1, snapLength: 96 },
        { linkType: 1, snapLength: 64 },
      ],
      frames: [
        { ...FRAME, interface: 0, timestampNs: 5000n },
        { ...FRAME, interface: 1, timestampNs: 6000n },
      ],
    });
  });

  it.each([
    ['microseconds where nothing is said', [], 1_500_000n, 1_500_000_000n],
    ['milliseconds', option(9, 3), 1500n, 1_500_000_000n],
    ['powers of two', option(9, 0x80 + 10), 1536n, 1_500_000_000n],
    ['finer than nanoseconds', option(9, 12), 1_500_000_000_000n, 1_500_000_000n],
    ['10^-127', option(9, 127), 2n ** 64n - 1n, 0n],
    ['an offset in seconds', [...option(9, 3), ...option(14, 0, 0, 0, 0, 0, 0, 1, 0)], 1500n, 257_500_000_000n],
    ['an offset back', [...option(9, 3), ...option(14, ...new Array<number>(8).fill(255))], 1500n, 500_000_000n],
  ])('counts time in %s', (_, options, ticks, timestampNs) => {
    const read = readPcapng(file(section('big'), device('big', 0, ...options), packet('big', ticks)));
    expect(read).toMatchObject({ frames: [{ timestampNs }] });
  });

  it('passes over blocks that it does not know', () => {
    const bytes = file(
      section('big'),
      block('big', 0xbad, u32(1)),
      device('big', 96),
      block('big', 10, u64(1n)),
      packet('big', 1n),
    );
    expect(readPcapng(bytes)).toMatchObject({ frames: [FRAME] });
    expect(readPcapng(bytes)).not.toHaveProperty('damage');
  });

  it('reads simple and obsolete packet blocks', () => {
    const bytes = file(
      section('big'),
      device('big', 3),
      block('big', 3, u32(70), Uint8Array.of(7, 8, 9, 0)),
      block('big', 2, u16(0), u16(9), u32(0), u32(5), u32(3), u32(70), Uint8Array.of(7, 8, 9, 0)),
    );
    expect(readPcapng(bytes)).toMatchObject({
      frames: [
        { ...FRAME, timestampNs: 0n },
        { ...FRAME, timestampNs: 5000n },
      ],
    });
  });

  it('reads names of addresses', () => {
    const names = (type: number, ...value: number[]) => option(type, ...value);
    const bytes = file(
      section('little'),
      block(
        'little',
        4,
        ...names(1, 10, 244, 1, 5, ...letters('a.default\0a\0')),
        ...names(7, 1, 2),
        ...names(2, 0xfd, ...new Array<number>(14).fill(0), 9, ...letters('b\0')),
        ...names(0),
      ),
    );
    expect(readPcapng(bytes)).toMatchObject({
      names: [
        { address: '10.244.1.5', names: ['a.default', 'a'] },
        { address: 'fd00::9', names: ['b'] },
      ],
    });
  });

  it.each([
    [
      'a frame of an interface without description',
      packet('big', 1n, 4),
      'a frame of interface 4, which has no description, at byte 48',
    ],
    [
      'a frame larger than its block',
      block('big', 6, u32(0), u64(1n), u32(0xffffffff), u32(0xffffffff), u32(0)),
      'a frame larger than its block at byte 48',
    ],
    ['a simple one, too', block('big', 3, u32(200)), 'a frame larger than its block at byte 48'],
    ['a block too small for its kind', block('big', 6, u32(0)), 'a block too small for its kind at byte 48'],
  ])('goes on after %s', (_, wrong, damage) => {
    const bytes = file(section('big'), device('big', 96), wrong, packet('big', 1n));
    expect(readPcapng(bytes)).toMatchObject({ frames: [FRAME], damage });
  });

  it.each([
    [
      'a length that cannot be',
      bytesOf([u32(6), u32(0), u32(0)], 'big'),
      'a block of 0 bytes at byte 84: that cannot be',
    ],
    [
      'two lengths',
      bytesOf([u32(6), u32(16), u32(0), u32(20)], 'big'),
      'the two lengths of the block at byte 84 differ',
    ],
    ['a huge length', bytesOf([u32(6), u32(0xfffffffc), u32(0)], 'big'), 'cut in the middle of a block at byte 84'],
    ['no byte order', bytesOf([u32(0x0a0d0d0a), u32(28), u32(0)], 'big'), 'a section without a byte order at byte 84'],
    [
      'another version',
      block('big', 0x0a0d0d0a, u32(0x1a2b3c4d), u16(2), u16(0), u64(-1n)),
      'a section of version 2 at byte 84; 1 is understood',
    ],
  ])('stops at a block with %s and keeps what was read', (_, wrong, damage) => {
    const bytes = file(section('big'), device('big', 96), packet('big', 1n), wrong, packet('big', 2n));
    expect(readPcapng(bytes)).toMatchObject({ frames: [{ ...FRAME, timestampNs: 1000n }], damage });
  });
});
