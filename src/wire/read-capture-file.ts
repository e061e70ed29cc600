import type { CaptureFile } from './capture-file.ts';
import { readPcap } from './read-pcap.ts';
import { readPcapng } from './read-pcapng.ts';

export interface UnreadableFile {
  readonly problem: string;
}

/**
 * A file of tcpdump, dumpcap, Wireshark or of podtriage itself: pcap (pcap-savefile(5)) or pcapng
 * (draft-ietf-opsawg-pcapng). What could be read of a broken one is there, with its `damage`; `problem` says in one line
 * why nothing could be. Frames are views of `file`.
 */
export function readCaptureFile(file: Uint8Array): CaptureFile | UnreadableFile {
  /* A Buffer's slice() is a view, where that of a plain array copies: frames are the latter. */
  const bytes = new Uint8Array(file.buffer, file.byteOffset, file.length);
  if (bytes.length === 0) return { problem: 'the file is empty: nothing was written to it' };
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) return { problem: 'the file is compressed: gunzip it first' };
  return readPcap(bytes) ?? readPcapng(bytes) ?? { problem: `neither pcap nor pcapng: it begins with ${start(bytes)}` };
}

function start(bytes: Uint8Array): string {
  return Array.from(bytes.subarray(0, 4), (byte) => byte.toString(16).padStart(2, '0')).join(' ');
}
