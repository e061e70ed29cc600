import { type Answer, type DecodedPacket, decode, encode, RECURSION_DESIRED, TRUNCATED_RESPONSE } from 'dns-packet';
import { parseAddress } from '../net/address.ts';
import type { DnsAnswer } from '../snapshot/probe-answers.ts';

export interface DnsQuestion {
  readonly id: number;
  readonly name: string;
  readonly type: 'A' | 'AAAA';
  /** The largest UDP answer that the asker takes (RFC 6891); without it none over 512 bytes may come. */
  readonly ednsBytes?: number;
}

/** A query as a stub resolver makes it (RFC 1035): recursion desired; EDNS only where it is asked for, as in glibc and musl. */
export function encodeDnsQuery({ id, name, type, ednsBytes }: DnsQuestion): Uint8Array {
  return encode({
    ...{ type: 'query', id, flags: RECURSION_DESIRED, questions: [{ type, name: withoutDot(name) }] },
    ...(ednsBytes === undefined
      ? {}
      : {
          additionals: [
            {
              ...{ type: 'OPT', name: '.', udpPayloadSize: ednsBytes },
              ...{ extendedRcode: 0, ednsVersion: 0, flags: 0, flag_do: false, options: [] },
            },
          ],
        }),
  });
}

/** TCP puts the length in front (RFC 1035, 4.2.2). */
export function withLength(message: Uint8Array): Uint8Array {
  const framed = new Uint8Array(message.length + 2);
  new DataView(framed.buffer).setUint16(0, message.length);
  framed.set(message, 2);
  return framed;
}

/** The first message of a TCP stream, once it is whole. */
export function messageIn(stream: Uint8Array): Uint8Array | undefined {
  if (stream.length < 2) return undefined;
  const length = new DataView(stream.buffer, stream.byteOffset).getUint16(0);
  return stream.length < 2 + length ? undefined : stream.subarray(2, 2 + length);
}

const OUTCOMES: Readonly<Record<string, DnsAnswer['outcome']>> = {
  NXDOMAIN: 'nxdomain',
  SERVFAIL: 'servfail',
  REFUSED: 'refused',
};

/** What a response says; undefined where it is no response to this question (another id, not a response, broken). */
export function readDnsResponse(bytes: Uint8Array, question: DnsQuestion): DnsAnswer | undefined {
  const packet = decodeOrNothing(bytes);
  if (packet?.type !== 'response' || packet.id !== question.id) return undefined;
  const rcode = rcodeOf(packet);
  const answers = packet.answers ?? [];
  const addresses = answers.flatMap((answer) => addressesIn(answer, question.type));
  return {
    outcome: rcode === 'NOERROR' ? (addresses.length > 0 ? 'answered' : 'no-data') : (OUTCOMES[rcode] ?? 'failed'),
    rcode,
    addresses,
    names: answers.flatMap((answer) => (answer.type === 'CNAME' ? [String(answer.data)] : [])),
    truncated: ((packet.flags ?? 0) & TRUNCATED_RESPONSE) !== 0,
    bytes: bytes.length,
  };
}

function addressesIn(answer: Answer, type: DnsQuestion['type']): readonly string[] {
  if (answer.type !== type || !('data' in answer)) return [];
  const address = parseAddress(String(answer.data));
  return address === undefined ? [] : [address];
}

const RCODES: Readonly<Record<number, string>> = {
  0: 'NOERROR',
  1: 'FORMERR',
  2: 'SERVFAIL',
  3: 'NXDOMAIN',
  4: 'NOTIMP',
  5: 'REFUSED',
};

/** From the header's low four bits (RFC 1035, 4.1.1). */
function rcodeOf(packet: DecodedPacket): string {
  const code = (packet.flags ?? 0) & 0xf;
  return RCODES[code] ?? `RCODE${code}`;
}

function decodeOrNothing(bytes: Uint8Array): DecodedPacket | undefined {
  try {
    return decode(Buffer.from(bytes));
  } catch {
    return undefined;
  }
}

function withoutDot(name: string): string {
  return name.endsWith('.') && name.length > 1 ? name.slice(0, -1) : name;
}
