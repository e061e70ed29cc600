import { readdirSync, readFileSync } from 'node:fs';
import type { CaptureFile } from '../capture-file.ts';
import { decodeFrame } from '../decode-frame.ts';
import { readCaptureFile } from '../read-capture-file.ts';
import type { DecodedFrame } from '../wire-packet.ts';

const FOLDER = new URL('../fixtures/', import.meta.url);

/** Names of the files that tcpdump captured, without `.pcap`. */
export function fixtureNames(): string[] {
  return readdirSync(FOLDER)
    .filter((name) => name.endsWith('.pcap'))
    .map((name) => name.replace('.pcap', ''));
}

/** `name` with an ending of its own, or that of a pcap file. */
export function fixturePath(name: string): string {
  return new URL(name.includes('.') ? name : `${name}.pcap`, FOLDER).pathname;
}

export function readFixture(name: string): CaptureFile {
  const file = readCaptureFile(readFileSync(fixturePath(name)));
  if ('problem' in file) throw new Error(`${name}: ${file.problem}`);
  return file;
}

export function decodeFixture(name: string): DecodedFrame[] {
  return decodeFile(readFixture(name));
}

export function decodeFile(file: CaptureFile): DecodedFrame[] {
  return file.frames.map((frame) => decodeFrame(frame, file.interfaces[frame.interface]!.linkType));
}
