import type { CapturedFrame, CaptureFile } from './capture-file.ts';

/*
 *  File header, 24 bytes              Record header, 16 bytes
 *   0 magic                            0 seconds since 1970
 *   4 version, major and minor         4 and micro- or nanoseconds
 *   8 reserved (once a time zone)      8 bytes that were kept
 *  16 snap length                     12 bytes that the frame had
 *  20 link type, in the low 16 bits
 *
 * All in the byte order of the machine that wrote it, which the magic shows. Source: pcap-savefile(5),
 * draft-ietf-opsawg-pcap.
 */
const FILE_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
const MICROSECONDS = 0xa1b2c3d4;
const NANOSECONDS = 0xa1b23c4d;

/** Larger ones libpcap does not write either (MAXIMUM_SNAPLEN): whoever says more is broken. */
const FRAME_MAX_BYTES = 262_144;

interface Layout {
  readonly view: DataView;
  readonly little: boolean;
  readonly nsPerTick: bigint;
}

/** Undefined where it is no pcap file by its magic. Never throws. */
export function readPcap(bytes: Uint8Array): CaptureFile | { readonly problem: string } | undefined {
  const layout = layoutOf(bytes);
  if (!layout) return undefined;
  if (bytes.length < FILE_HEADER_BYTES)
    return { problem: `a pcap file that ends within its header, after ${bytes.length} bytes` };
  const { view, little } = layout;
  const major = view.getUint16(4, little);
  if (major !== 2) return { problem: `a pcap file of version ${major}; 2 is understood` };
  const snapLength = view.getUint32(16, little);
  const linkType = view.getUint32(20, little) & 0xffff;
  return {
    interfaces: [{ linkType, snapLength }],
    ...readRecords(bytes, layout, Math.max(snapLength, FRAME_MAX_BYTES)),
  };
}

function layoutOf(bytes: Uint8Array): Layout | undefined {
  if (bytes.length < 4) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (const little of [true, false]) {
    const magic = view.getUint32(0, little);
    if (magic === MICROSECONDS) return { view, little, nsPerTick: 1000n };
    if (magic === NANOSECONDS) return { view, little, nsPerTick: 1n };
  }
  return undefined;
}

function readRecords(
  bytes: Uint8Array,
  { view, little, nsPerTick }: Layout,
  maxBytes: number,
): Pick<CaptureFile, 'frames' | 'damage'> {
  const frames: CapturedFrame[] = [];
  let at = FILE_HEADER_BYTES;
  while (at < bytes.length) {
    if (bytes.length - at < RECORD_HEADER_BYTES)
      return { frames, damage: `cut in the header of a frame at byte ${at}` };
    const kept = view.getUint32(at + 8, little);
    if (kept > maxBytes) return { frames, damage: `a frame of ${kept} bytes at byte ${at}: that cannot be` };
    const from = at + RECORD_HEADER_BYTES;
    if (kept > bytes.length - from) return { frames, damage: `cut in the middle of a frame at byte ${at}` };
    frames.push({
      interface: 0,
      timestampNs:
        BigInt(view.getUint32(at, little)) * 1_000_000_000n + BigInt(view.getUint32(at + 4, little)) * nsPerTick,
      bytes: bytes.subarray(from, from + kept),
      originalLength: Math.max(view.getUint32(at + 12, little), kept),
    });
    at = from + kept;
  }
  return { frames };
}
