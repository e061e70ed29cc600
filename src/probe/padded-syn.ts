import { type Address, addressToBits, type Family, familyOf } from '../net/address.ts';
import { fold, sumOf } from '../wire/internet-checksum.ts';

/*
 * A SYN that carries data up to a wished size, and its answer, both as a raw socket has them: without the IP header. Who gets it
 * answers a SYN or a reset of ordinary length and keeps nothing of the data (RFC 9293 §3.10.7.2, net/ipv4/tcp_input.c
 * tcp_conn_request; without a Fast Open cookie it is not queued). So it is lost by size on the way there alone, while the
 * answer to a ping is as large as the ping.
 *
 *    0      source port         2   destination port
 *    4      sequence number
 *    8      acknowledgement
 *   12      header length/4, flags
 *   16      checksum            18  urgent pointer        (RFC 9293 §3.1)
 */
const TCP_HEADER_BYTES = 20;
export const IP_HEADER_BYTES: Readonly<Record<Family, number>> = { 4: 20, 6: 40 };
const TCP = 6;
const SYN = 0x02;
const WINDOW = 1_024;

export interface PaddedSyn {
  readonly source: Address;
  readonly destination: Address;
  readonly sourcePort: number;
  readonly port: number;
  readonly sequence: number;
  /** Of the whole IP packet. */
  readonly sizeBytes: number;
}

/** The TCP segment with its checksum. */
export function encodePaddedSyn(syn: PaddedSyn): Uint8Array {
  const lengthBytes = syn.sizeBytes - IP_HEADER_BYTES[familyOf(syn.destination)];
  if (lengthBytes < TCP_HEADER_BYTES) throw new RangeError(`no TCP header fits ${syn.sizeBytes} bytes`);
  const bytes = new Uint8Array(lengthBytes);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, syn.sourcePort);
  view.setUint16(2, syn.port);
  view.setUint32(4, syn.sequence);
  view.setUint8(12, (TCP_HEADER_BYTES / 4) << 4);
  view.setUint8(13, SYN);
  view.setUint16(14, WINDOW);
  view.setUint16(16, 0xffff ^ fold(sumOf(pseudoHeader(syn, lengthBytes)) + sumOf(bytes)));
  return bytes;
}

/** RFC 9293 §3.1, RFC 8200 §8.1: both sum up to the same. */
function pseudoHeader({ source, destination }: PaddedSyn, lengthBytes: number): Uint8Array {
  return Uint8Array.of(
    ...addressBytes(source),
    ...addressBytes(destination),
    ...[0, TCP, lengthBytes >> 8, lengthBytes & 0xff],
  );
}

function addressBytes(address: Address): Uint8Array {
  const bytes = new Uint8Array(familyOf(address) === 4 ? 4 : 16);
  let bits = addressToBits(address);
  for (let at = bytes.length - 1; at >= 0; at--, bits >>= 8n) bytes[at] = Number(bits & 0xffn);
  return bytes;
}

export interface SynAnswer {
  readonly kind: 'syn-ack' | 'reset';
  /** Largest segment that the other end asks for. */
  readonly mss?: number;
}

/**
 * The answer to this SYN among what came from its destination; others' packets are between, and are not kept apart. It is known
 * by its ports and by what it acknowledges: the SYN alone, or with its data.
 */
export function findSynAnswer(received: Uint8Array, syn: PaddedSyn): SynAnswer | undefined {
  const view = new DataView(received.buffer, received.byteOffset, received.byteLength);
  const dataBytes = syn.sizeBytes - IP_HEADER_BYTES[familyOf(syn.destination)] - TCP_HEADER_BYTES;
  const expected = [(syn.sequence + 1) >>> 0, (syn.sequence + 1 + dataBytes) >>> 0];
  for (let at = 0; at + TCP_HEADER_BYTES <= received.length; at++) {
    if (view.getUint16(at) !== syn.port || view.getUint16(at + 2) !== syn.sourcePort) continue;
    if (!expected.includes(view.getUint32(at + 8))) continue;
    const flags = view.getUint8(at + 13);
    if ((flags & 0x04) !== 0) return { kind: 'reset' };
    if ((flags & 0x12) === 0x12) return { kind: 'syn-ack', ...mssIn(received, at) };
  }
  return undefined;
}

/** Kind 2, length 4 (RFC 9293 §3.2). */
function mssIn(received: Uint8Array, at: number): Pick<SynAnswer, 'mss'> {
  const end = Math.min(received.length, at + (received[at + 12]! >> 4) * 4);
  for (let option = at + TCP_HEADER_BYTES; option + 3 < end; ) {
    const kind = received[option]!;
    if (kind === 0) return {};
    if (kind === 1) option += 1;
    else if (kind === 2) return { mss: (received[option + 2]! << 8) | received[option + 3]! };
    else option += Math.max(2, received[option + 1]!);
  }
  return {};
}
