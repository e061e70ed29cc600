import { addressToBits, familyOf } from '../net/address.ts';
import type { CapturedFrame, CaptureFile, CaptureInterface, NamedAddress } from './capture-file.ts';
import { BLOCK, BYTE_ORDER_MAGIC, OPTION, padded, viewOf } from './pcapng-block.ts';
import { NAME_RECORD } from './read-pcapng-names.ts';

/** Ten to the minus ninth. */
const NANOSECONDS = 9;
const UTF8 = new TextEncoder();
/** Lengths of options and records have 16 bits. */
const VALUE_MAX_BYTES = 65_535;
const NO_BYTES = new Uint8Array(0);

/**
 * The file as pcapng (draft-ietf-opsawg-pcapng), little-endian, with times in nanoseconds: one section, an interface
 * description block for each interface, an enhanced packet block for each frame, in the given order. `damage` is not
 * written. Longer texts than 65,535 bytes are cut. Throws RangeError where a frame is of an interface that is not there.
 */
export function writePcapng(file: CaptureFile): Uint8Array {
  const stray = file.frames.find((frame) => !file.interfaces[frame.interface]);
  if (stray) throw new RangeError(`a frame of interface ${stray.interface}, but there are ${file.interfaces.length}`);
  return joined([
    sectionHeader(file),
    ...file.interfaces.map(interfaceDescription),
    ...nameResolution(file.names ?? []),
    ...file.frames.map(enhancedPacket),
    ...file.interfaces.flatMap(interfaceStatistics),
  ]);
}

function sectionHeader({ comment }: CaptureFile): Uint8Array {
  const head = new Uint8Array(16);
  const view = viewOf(head);
  view.setUint32(0, BYTE_ORDER_MAGIC, true);
  view.setUint16(4, 1, true);
  /* Unknown length of the section: whoever reads goes by the blocks. */
  view.setBigInt64(8, -1n, true);
  return block(BLOCK.sectionHeader, [head, ...options([[OPTION.comment, text(comment)]])]);
}

function interfaceDescription(one: CaptureInterface): Uint8Array {
  const head = new Uint8Array(8);
  const view = viewOf(head);
  view.setUint16(0, one.linkType, true);
  view.setUint32(4, one.snapLength, true);
  const filter = one.filter === undefined ? undefined : Uint8Array.of(0, ...UTF8.encode(one.filter));
  return block(BLOCK.interfaceDescription, [
    head,
    ...options([
      [OPTION.comment, text(one.comment)],
      [OPTION.interfaceName, text(one.name)],
      [OPTION.interfaceDescription, text(one.description)],
      [OPTION.timestampResolution, Uint8Array.of(NANOSECONDS)],
      [OPTION.filter, filter],
    ]),
  ]);
}

function enhancedPacket(frame: CapturedFrame): Uint8Array {
  const head = new Uint8Array(20);
  const view = viewOf(head);
  const ticks = BigInt.asUintN(64, frame.timestampNs);
  view.setUint32(0, frame.interface, true);
  view.setUint32(4, Number(ticks >> 32n), true);
  view.setUint32(8, Number(ticks & 0xffff_ffffn), true);
  view.setUint32(12, frame.bytes.length, true);
  view.setUint32(16, frame.originalLength, true);
  return block(BLOCK.enhancedPacket, [
    head,
    ...paddedParts(frame.bytes),
    ...options([
      [OPTION.comment, text(frame.comment)],
      [OPTION.frameFlags, flags(frame.direction)],
    ]),
  ]);
}

function flags(direction: CapturedFrame['direction']): Uint8Array | undefined {
  return direction && Uint8Array.of(direction === 'in' ? 1 : 2, 0, 0, 0);
}

/** At the end, as dumpcap does: only then it is known what was lost. */
function interfaceStatistics({ received, dropped }: CaptureInterface, index: number): Uint8Array[] {
  if (received === undefined && dropped === undefined) return [];
  const head = new Uint8Array(12);
  viewOf(head).setUint32(0, index, true);
  const counts = options([
    [OPTION.received, count(received)],
    [OPTION.dropped, count(dropped)],
  ]);
  return [block(BLOCK.interfaceStatistics, [head, ...counts])];
}

function count(value: number | undefined): Uint8Array | undefined {
  if (value === undefined) return undefined;
  const bytes = new Uint8Array(8);
  viewOf(bytes).setBigUint64(0, BigInt(value), true);
  return bytes;
}

function nameResolution(names: readonly NamedAddress[]): Uint8Array[] {
  if (names.length === 0) return [];
  const records = names.flatMap(({ address, names: own }) => {
    const value = joined([addressBytes(address), ...own.map((name) => UTF8.encode(`${name}\0`))]);
    return tagged(familyOf(address) === 4 ? NAME_RECORD.ipv4 : NAME_RECORD.ipv6, value);
  });
  return [block(BLOCK.nameResolution, [...records, ...tagged(NAME_RECORD.end, NO_BYTES)])];
}

function addressBytes(address: NamedAddress['address']): Uint8Array {
  const bits = addressToBits(address);
  const bytes = new Uint8Array(familyOf(address) === 4 ? 4 : 16);
  bytes.forEach((_, index) => {
    bytes[index] = Number((bits >> BigInt(8 * (bytes.length - 1 - index))) & 0xffn);
  });
  return bytes;
}

function text(value: string | undefined): Uint8Array | undefined {
  return value === undefined ? undefined : UTF8.encode(value);
}

/** Those that have a value, and the end of options; nothing at all where none has. */
function options(list: readonly (readonly [code: number, value: Uint8Array | undefined])[]): Uint8Array[] {
  const parts = list.flatMap(([code, value]) => (value === undefined ? [] : tagged(code, value)));
  return parts.length === 0 ? [] : [...parts, ...tagged(OPTION.end, NO_BYTES)];
}

/** Code, length and padded value, as options and name records have them. */
function tagged(code: number, value: Uint8Array): Uint8Array[] {
  const kept = value.subarray(0, VALUE_MAX_BYTES);
  const head = new Uint8Array(4);
  viewOf(head).setUint16(0, code, true);
  viewOf(head).setUint16(2, kept.length, true);
  return [head, ...paddedParts(kept)];
}

function paddedParts(bytes: Uint8Array): Uint8Array[] {
  return [bytes, new Uint8Array(padded(bytes.length) - bytes.length)];
}

function block(type: number, body: readonly Uint8Array[]): Uint8Array {
  const length = 12 + body.reduce((sum, part) => sum + part.length, 0);
  const head = new Uint8Array(8);
  viewOf(head).setUint32(0, type, true);
  viewOf(head).setUint32(4, length, true);
  const tail = new Uint8Array(4);
  viewOf(tail).setUint32(0, length, true);
  return joined([head, ...body, tail]);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
