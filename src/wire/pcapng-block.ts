/*
 *  Block                                    Option
 *   0 type                                   0 code
 *   4 length of all, a multiple of four      2 length of the value
 *   8 body                                   4 value, padded to a multiple of four
 *  -4 length again
 *
 * A section header block sets the byte order of its section: its type reads the same either way, and byte 8 has a magic.
 * Source: draft-ietf-opsawg-pcapng, 3.1, 3.5, 4.1.
 */
export const BLOCK = {
  sectionHeader: 0x0a0d0d0a,
  interfaceDescription: 1,
  packet: 2,
  simplePacket: 3,
  nameResolution: 4,
  interfaceStatistics: 5,
  enhancedPacket: 6,
} as const;

export const BYTE_ORDER_MAGIC = 0x1a2b3c4d;

/** Codes of options; those above 1 are of their block's kind. */
export const OPTION = {
  end: 0,
  comment: 1,
  interfaceName: 2,
  interfaceDescription: 3,
  timestampResolution: 9,
  filter: 11,
  timestampOffset: 14,
  frameFlags: 2,
  packetFlags: 2,
  received: 4,
  dropped: 5,
} as const;

const FRAME_OF_BLOCK_BYTES = 12;

export interface PcapngBlock {
  readonly type: number;
  /** Without type and lengths. */
  readonly body: Uint8Array;
  readonly little: boolean;
  /** Where it begins in the file. */
  readonly at: number;
}

/** The blocks of a file that are whole, in their order. Returns what was wrong after the last, if anything. */
export function* blocksIn(bytes: Uint8Array): Generator<PcapngBlock, string | undefined> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let little = true;
  let at = 0;
  while (at < bytes.length) {
    const rest = bytes.length - at;
    if (rest < FRAME_OF_BLOCK_BYTES) return `cut in the header of a block at byte ${at}`;
    const type = view.getUint32(at, little);
    if (type === BLOCK.sectionHeader) {
      const order = byteOrderAt(view, at + 8);
      if (order === undefined) return `a section without a byte order at byte ${at}`;
      little = order === 'little';
    }
    const length = view.getUint32(at + 4, little);
    if (length < FRAME_OF_BLOCK_BYTES || length % 4 !== 0)
      return `a block of ${length} bytes at byte ${at}: that cannot be`;
    if (length > rest) return `cut in the middle of a block at byte ${at}`;
    if (view.getUint32(at + length - 4, little) !== length) return `the two lengths of the block at byte ${at} differ`;
    yield { type, body: bytes.subarray(at + 8, at + length - 4), little, at };
    at += length;
  }
  return undefined;
}

function byteOrderAt(view: DataView, at: number): 'little' | 'big' | undefined {
  if (view.getUint32(at, true) === BYTE_ORDER_MAGIC) return 'little';
  return view.getUint32(at, false) === BYTE_ORDER_MAGIC ? 'big' : undefined;
}

export interface PcapngOption {
  readonly code: number;
  readonly value: Uint8Array;
}

/** Options from `from` to the end of a body; those after a length that cannot be are not there. */
export function optionsIn({ body, little }: PcapngBlock, from: number): readonly PcapngOption[] {
  const view = viewOf(body);
  const options: PcapngOption[] = [];
  let at = from;
  while (at + 4 <= body.length) {
    const code = view.getUint16(at, little);
    const length = view.getUint16(at + 2, little);
    if (code === OPTION.end || at + 4 + length > body.length) break;
    options.push({ code, value: body.subarray(at + 4, at + 4 + length) });
    at += 4 + padded(length);
  }
  return options;
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** The next multiple of four. */
export function padded(length: number): number {
  return Math.ceil(length / 4) * 4;
}
