import { type DecodedPacket, decode, encode, type Packet } from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeDnsQuery, messageIn, readDnsResponse, withLength } from './dns-message.ts';

const question = { id: 4711, name: 'api.shop.svc.cluster.local.', type: 'A' } as const;

function response(more: Partial<Packet>): Uint8Array {
  return encode({
    type: 'response',
    id: 4711,
    questions: [{ type: 'A', name: 'api.shop.svc.cluster.local' }],
    ...more,
  } as Packet);
}

/* Captured from CoreDNS behind a Service, id 4711: `nope.cluster.local A` and `kubernetes.default.svc.cluster.local A`. */
const NXDOMAIN = Buffer.from(
  '126785030001000000010000046e6f706507636c7573746572056c6f63616c000001000107636c7573746572056c6f63' +
    '616c00000600010000001e0044026e7303646e7307636c7573746572056c6f63616c000a686f73746d61737465720763' +
    '6c7573746572056c6f63616c006b05f4f900001c2000000708000151800000001e',
  'hex',
);
const ANSWER = Buffer.from(
  '1267850000010001000000000a6b756265726e657465730764656661756c740373766307636c7573746572056c6f6361' +
    '6c00000100010a6b756265726e657465730764656661756c740373766307636c7573746572056c6f63616c0000010001' +
    '0000001e00040a600001',
  'hex',
);

describe('encodeDnsQuery', () => {
  it('is a plain recursive question', () => {
    const query: DecodedPacket = decode(Buffer.from(encodeDnsQuery(question)));
    expect(query).toMatchObject({ id: 4711, type: 'query', flag_rd: true, additionals: [] });
    expect(query.questions).toEqual([{ name: 'api.shop.svc.cluster.local', type: 'A', class: 'IN' }]);
  });
});

describe('readDnsResponse', () => {
  it('reads addresses and the names on the way to them', () => {
    const bytes = response({
      answers: [
        { type: 'CNAME', name: 'api.shop.svc.cluster.local', data: 'db.corp.test' },
        { type: 'A', name: 'db.corp.test', data: '192.0.2.7' },
      ],
    });
    expect(readDnsResponse(bytes, question)).toEqual({
      outcome: 'answered',
      bytes: bytes.length,
      rcode: 'NOERROR',
      addresses: ['192.0.2.7'],
      names: ['db.corp.test'],
      truncated: false,
    });
  });

  it('writes IPv6 addresses in their one form', () => {
    const bytes = response({ answers: [{ type: 'AAAA', name: 'x', data: 'fd00:0:0:0::7' }] });
    expect(readDnsResponse(bytes, { ...question, type: 'AAAA' })?.addresses).toEqual(['fd00::7']);
  });

  it.each([
    [0, 'no-data', 'NOERROR'],
    [1, 'failed', 'FORMERR'],
    [2, 'servfail', 'SERVFAIL'],
    [3, 'nxdomain', 'NXDOMAIN'],
    [5, 'refused', 'REFUSED'],
    [9, 'failed', 'RCODE9'],
  ] as const)('tells rcode %i apart', (flags, outcome, rcode) => {
    expect(readDnsResponse(response({ flags }), question)).toMatchObject({ outcome, rcode, addresses: [] });
  });

  it('reads responses from the wire', () => {
    expect(readDnsResponse(NXDOMAIN, question)).toMatchObject({
      outcome: 'nxdomain',
      rcode: 'NXDOMAIN',
      addresses: [],
    });
    expect(readDnsResponse(ANSWER, question)).toMatchObject({ outcome: 'answered', addresses: ['10.96.0.1'] });
  });

  it('claims nothing of a response that was cut', () => {
    for (let length = 0; length < ANSWER.length; length++) {
      const { addresses } = readDnsResponse(ANSWER.subarray(0, length), question) ?? { addresses: [] };
      expect(addresses).toEqual([]);
    }
  });

  it('tells a truncated answer', () => {
    expect(readDnsResponse(response({ flags: 0x200 }), question)?.truncated).toBe(true);
  });

  it('takes nothing that is not the answer to this question', () => {
    expect(readDnsResponse(response({}), { ...question, id: 1 })).toBeUndefined();
    expect(readDnsResponse(encodeDnsQuery(question), question)).toBeUndefined();
    const whole = response({ answers: [{ type: 'A', name: 'x', data: '192.0.2.7' }] });
    for (let length = 0; length < 12; length++) {
      expect(readDnsResponse(whole.subarray(0, length), question)).toBeUndefined();
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect(() => readDnsResponse(bytes, question)).not.toThrow();
      }),
      { seed: 22 },
    );
  });
});

describe('messages over TCP', () => {
  it('are taken from the stream once they are whole', () => {
    const framed = withLength(encodeDnsQuery(question));
    for (let length = 0; length < framed.length; length++)
      expect(messageIn(framed.subarray(0, length))).toBeUndefined();
    expect(messageIn(framed)).toEqual(new Uint8Array(encodeDnsQuery(question)));
  });
});
