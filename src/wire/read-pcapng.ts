import type { CapturedFrame, CaptureFile, CaptureInterface, NamedAddress } from './capture-file.ts';
import { BLOCK, blocksIn, OPTION, optionsIn, type PcapngBlock, type PcapngOption, viewOf } from './pcapng-block.ts';
import { clockOf, type PcapngClock, timestampAt } from './pcapng-clock.ts';
import { readNames } from './read-pcapng-names.ts';

/*
 * pcapng (draft-ietf-opsawg-pcapng): sections, each with its byte order and its own numbering of interfaces; here the
 * interfaces of all sections are counted through.
 * Understood: section header, interface description, enhanced, simple and (obsolete) packet, name resolution and
 * interface statistics blocks. Not understood and passed over: all others (decryption secrets, journal entries, custom).
 */

/** What was read until now. */
interface Reading {
  readonly interfaces: CaptureInterface[];
  readonly clocks: PcapngClock[];
  readonly frames: CapturedFrame[];
  readonly names: NamedAddress[];
  readonly comments: string[];
  readonly damages: string[];
  /** Where the interfaces of this section begin. */
  base: number;
}

/** Undefined where it is no pcapng file by its magic. Never throws. */
export function readPcapng(bytes: Uint8Array): CaptureFile | { readonly problem: string } | undefined {
  if (bytes.length < 4 || viewOf(bytes).getUint32(0) !== BLOCK.sectionHeader) return undefined;
  const reading: Reading = { interfaces: [], clocks: [], frames: [], names: [], comments: [], damages: [], base: 0 };
  const damage = readBlocks(bytes, reading);
  if (damage !== undefined) reading.damages.push(damage);
  const [worst] = reading.damages;
  const { interfaces, frames, names, comments } = reading;
  if (worst !== undefined && interfaces.length === 0)
    return { problem: `a pcapng file of which nothing can be read: ${worst}` };
  return {
    interfaces,
    frames,
    ...(names.length > 0 && { names }),
    ...(comments.length > 0 && { comment: comments.join('\n') }),
    ...(worst !== undefined && { damage: worst }),
  };
}

function readBlocks(bytes: Uint8Array, reading: Reading): string | undefined {
  const blocks = blocksIn(bytes);
  for (let next = blocks.next(); ; next = blocks.next()) {
    if (next.done) return next.value;
    const block = next.value;
    const read = READERS[block.type];
    if (!read) continue;
    if (block.body.length < read.minBytes) reading.damages.push(`a block too small for its kind at byte ${block.at}`);
    else if (read.block(block, reading) === 'stop') return undefined;
  }
}

interface BlockReader {
  readonly minBytes: number;
  readonly block: (block: PcapngBlock, reading: Reading) => 'stop' | undefined;
}

const READERS: Readonly<Record<number, BlockReader>> = {
  [BLOCK.sectionHeader]: { minBytes: 16, block: readSectionHeader },
  [BLOCK.interfaceDescription]: { minBytes: 8, block: readInterface },
  [BLOCK.enhancedPacket]: { minBytes: 20, block: readEnhancedPacket },
  [BLOCK.packet]: { minBytes: 20, block: readPacket },
  [BLOCK.simplePacket]: { minBytes: 4, block: readSimplePacket },
  [BLOCK.nameResolution]: { minBytes: 4, block: readNameResolution },
  [BLOCK.interfaceStatistics]: { minBytes: 12, block: readStatistics },
};

/** Byte-order magic, version, section length (which tells nothing that the blocks do not), options. */
function readSectionHeader(block: PcapngBlock, reading: Reading): 'stop' | undefined {
  const major = viewOf(block.body).getUint16(4, block.little);
  if (major !== 1) {
    reading.damages.push(`a section of version ${major} at byte ${block.at}; 1 is understood`);
    return 'stop';
  }
  reading.base = reading.interfaces.length;
  const comment = textOf(optionsIn(block, 16), OPTION.comment);
  if (comment !== undefined) reading.comments.push(comment);
  return undefined;
}

/** Link type (16 bits), reserved (16), snap length (32), options. */
function readInterface(block: PcapngBlock, reading: Reading): undefined {
  const view = viewOf(block.body);
  const options = optionsIn(block, 8);
  const name = textOf(options, OPTION.interfaceName);
  const description = textOf(options, OPTION.interfaceDescription);
  const comment = textOf(options, OPTION.comment);
  const filter = filterOf(options);
  reading.clocks.push(clockOf(options, block.little));
  reading.interfaces.push({
    ...(name !== undefined && { name }),
    ...(description !== undefined && { description }),
    ...(comment !== undefined && { comment }),
    ...(filter !== undefined && { filter }),
    linkType: view.getUint16(0, block.little),
    snapLength: view.getUint32(4, block.little),
  });
}

/** Interface (32 bits), time (64), bytes kept (32), bytes the frame had (32), the frame padded to four, options. */
function readEnhancedPacket(block: PcapngBlock, reading: Reading): undefined {
  pushFrame(block, reading, viewOf(block.body).getUint32(0, block.little));
}

/** As the enhanced one, with 16 bits of interface and 16 of drops (obsolete: appendix A). */
function readPacket(block: PcapngBlock, reading: Reading): undefined {
  pushFrame(block, reading, viewOf(block.body).getUint16(0, block.little));
}

function pushFrame(block: PcapngBlock, reading: Reading, ownInterface: number): void {
  const { body, little, at } = block;
  const view = viewOf(body);
  const index = reading.base + ownInterface;
  const clock = reading.clocks[index];
  const kept = view.getUint32(12, little);
  if (!clock)
    return void reading.damages.push(`a frame of interface ${ownInterface}, which has no description, at byte ${at}`);
  if (kept > body.length - 20) return void reading.damages.push(`a frame larger than its block at byte ${at}`);
  const options = optionsIn(block, 20 + Math.ceil(kept / 4) * 4);
  const comment = textOf(options, OPTION.comment);
  const direction = directionOf(options, little);
  reading.frames.push({
    interface: index,
    timestampNs: timestampAt(view, 4, little, clock),
    bytes: body.subarray(20, 20 + kept),
    originalLength: Math.max(view.getUint32(16, little), kept),
    ...(comment !== undefined && { comment }),
    ...(direction && { direction }),
  });
}

/** Bytes the frame had (32 bits), the frame: of the first interface, without a time, cut at that one's snap length. */
function readSimplePacket({ body, little, at }: PcapngBlock, reading: Reading): undefined {
  const origin = reading.interfaces[reading.base];
  if (!origin) return void reading.damages.push(`a frame before any description of an interface at byte ${at}`);
  const originalLength = viewOf(body).getUint32(0, little);
  const kept = Math.min(originalLength, origin.snapLength || originalLength);
  if (kept > body.length - 4) return void reading.damages.push(`a frame larger than its block at byte ${at}`);
  const frame = body.subarray(4, 4 + kept);
  reading.frames.push({ interface: reading.base, timestampNs: 0n, bytes: frame, originalLength });
}

function readNameResolution(block: PcapngBlock, reading: Reading): undefined {
  for (const named of readNames(block)) reading.names.push(named);
}

/** Interface (32 bits), time (64), options. A later one of the same interface counts further. */
function readStatistics(block: PcapngBlock, reading: Reading): undefined {
  const index = reading.base + viewOf(block.body).getUint32(0, block.little);
  const origin = reading.interfaces[index];
  if (!origin) return;
  const options = optionsIn(block, 12);
  const received = countOf(options, OPTION.received, block.little);
  const dropped = countOf(options, OPTION.dropped, block.little);
  reading.interfaces[index] = {
    ...origin,
    ...(received !== undefined && { received }),
    ...(dropped !== undefined && { dropped }),
  };
}

const UTF8 = new TextDecoder('utf-8', { ignoreBOM: true });

/** All values of an option that may be there several times, as comments may, on lines of their own. */
function textOf(options: readonly PcapngOption[], code: number): string | undefined {
  const texts = options.filter((option) => option.code === code).map((option) => decodeText(option.value));
  return texts.length === 0 ? undefined : texts.join('\n');
}

/** Some writers end a text with a zero, though they should not. */
function decodeText(value: Uint8Array): string {
  return UTF8.decode(value).replace(/\0+$/, '');
}

/** The first byte says its language: 0 is pcap-filter(7); others are the machine code of it. */
function filterOf(options: readonly PcapngOption[]): string | undefined {
  const value = options.find((option) => option.code === OPTION.filter)?.value;
  return value?.[0] === 0 ? decodeText(value.subarray(1)) : undefined;
}

function directionOf(options: readonly PcapngOption[], little: boolean): 'in' | 'out' | undefined {
  const value = options.find((option) => option.code === OPTION.frameFlags)?.value;
  if (value?.length !== 4) return undefined;
  const bits = viewOf(value).getUint32(0, little) & 3;
  if (bits === 1) return 'in';
  return bits === 2 ? 'out' : undefined;
}

function countOf(options: readonly PcapngOption[], code: number, little: boolean): number | undefined {
  const value = options.find((option) => option.code === code)?.value;
  return value?.length === 8 ? Number(viewOf(value).getBigUint64(0, little)) : undefined;
}
