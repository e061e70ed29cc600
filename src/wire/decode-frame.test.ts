import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeFrame } from './decode-frame.ts';
import { bytesOf, hex } from './testing/bytes.ts';
import { MADE_FRAMES } from './testing/made-frames.ts';
import { ETHERNET, icmpEcho, ipv4, ipv6, tcp, udp, withChecksum } from './testing/made-packet.ts';
import { fixtureNames, readFixture } from './testing/read-fixture.ts';
import type { DecodedFrame, WirePacket } from './wire-packet.ts';

const LINK_TYPES = [0, 1, 12, 101, 108, 113, 228, 229, 276];

interface Known {
  readonly bytes: Uint8Array;
  readonly originalLength: number;
  readonly linkType: number;
}

/** One of each kind: all that are made, and the first frames of each captured file. */
const known: readonly Known[] = [
  ...Object.values(MADE_FRAMES).map((made) => ({ ...made, originalLength: made.bytes.length })),
  ...fixtureNames().flatMap((name) => {
    const { frames, interfaces } = readFixture(name);
    return frames.slice(0, 12).map((frame) => ({ ...frame, linkType: interfaces[0]!.linkType }));
  }),
];

const decode = ({ linkType, ...frame }: Known): DecodedFrame => decodeFrame(frame, linkType);
const whole = (bytes: Uint8Array): DecodedFrame => decodeFrame({ bytes, originalLength: bytes.length }, 1);

/** All packets, outer ones first. */
function chain(packet: WirePacket | undefined): WirePacket[] {
  return packet ? [packet, ...chain(packet.inner)] : [];
}

describe('decodeFrame', () => {
  it('never throws, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.constantFrom(...LINK_TYPES, 9), fc.uint8Array({ maxLength: 200 }), (linkType, bytes) => {
        expect(decodeFrame({ bytes, originalLength: bytes.length }, linkType)).toBeTypeOf('object');
      }),
    );
  });

  it('never throws where bytes of a good frame were changed, and reads nothing from beyond it', () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(fc.constantFrom(...known), changes, fc.integer({ min: -40, max: 40 }), (frame, list, more) => {
        const bytes = frame.bytes.slice();
        for (const [at, value] of list) bytes[at % bytes.length] = value;
        const decoded = decode({ ...frame, bytes, originalLength: frame.originalLength + more });
        for (const { offset, l4 } of chain(decoded.packet)) {
          expect(offset).toBeLessThan(bytes.length);
          if (l4) expect(l4.payload.length).toBeLessThan(bytes.length);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('a frame that the snap length cut is not malformed, at any length, and what is left reads the same', () => {
    for (const frame of known.filter((one) => one.bytes.length <= 400)) {
      const all = chain(decode(frame).packet);
      for (let length = 0; length < frame.bytes.length; length++) {
        const cut = decode({ ...frame, bytes: frame.bytes.subarray(0, length) });
        expect(cut.malformed, `${Buffer.from(frame.bytes).toString('hex')} at ${length}`).toBeUndefined();
        chain(cut.packet).forEach((packet, index) => {
          const { source, destination, totalLength } = all[index]!.ip;
          expect(packet.ip).toMatchObject({ source, destination, totalLength });
          if (packet.l4 && packet.l4.checksum !== 'unknown') expect(packet.l4.checksum).toBe(all[index]!.l4?.checksum);
        });
      }
    }
  });

  it('names a link type that it does not understand', () => {
    expect(decodeFrame({ bytes: Uint8Array.of(1), originalLength: 1 }, 253)).toEqual({
      malformed: 'link type 253 is not understood',
    });
  });

  const echo = icmpEcho(1, 1);
  it.each([
    ['an Ethernet header of 14 bytes in 3 (byte 0)', hex('aabbcc')],
    ['an IP header of 1 bytes in 0 (byte 14)', ETHERNET(0x0800, hex(''))],
    ['IP version 6 where 4 was announced (byte 14)', ETHERNET(0x0800, ipv6(59, hex('')))],
    ['an IPv4 header of 20 bytes in 4 (byte 14)', ETHERNET(0x0800, hex('45000000'))],
    ['an IPv4 header that says it has 8 bytes (byte 14)', ETHERNET(0x0800, bytesOf(0x42, ipv4(1, echo).subarray(1)))],
    ['an IPv4 packet of 900 bytes in 31 (byte 14)', ETHERNET(0x0800, ipv4(1, echo, { totalLength: 900 }))],
    ['an IPv4 packet of 9 bytes with a header of 20 (byte 14)', ETHERNET(0x0800, ipv4(1, echo, { totalLength: 9 }))],
    ['an IPv6 payload of 900 bytes in 0 (byte 14)', ETHERNET(0x86dd, ipv6(59, hex(''), { totalLength: 900 }))],
    ['an IPv6 extension header of 8 bytes in 2 (byte 54)', ETHERNET(0x86dd, ipv6(0, hex('1100')))],
    ['a TCP header of 20 bytes in 10 (byte 34)', ETHERNET(0x0800, ipv4(6, tcp(hex('')).subarray(0, 10)))],
    [
      'a UDP datagram that says it has 90 bytes, in 8 (byte 34)',
      ETHERNET(0x0800, ipv4(17, udp(hex(''), { length: 90 }))),
    ],
    [
      'a UDP datagram that says it has 3 bytes, in 8 (byte 34)',
      ETHERNET(0x0800, ipv4(17, udp(hex(''), { length: 3 }))),
    ],
    [
      'a TCP option of 9 bytes where 4 are left',
      ETHERNET(0x0800, ipv4(6, tcp(hex(''), { options: hex('0309 0000') }))),
    ],
    [
      'a TCP option of 0 bytes where 4 are left',
      ETHERNET(0x0800, ipv4(6, tcp(hex(''), { options: hex('0200 0000') }))),
    ],
    ['an ARP message of 28 bytes in 2 (byte 14)', ETHERNET(0x0806, hex('0001'))],
    ['a VLAN tag of 4 bytes in 2 (byte 14)', ETHERNET(0x8100, hex('0001'))],
  ])('says: %s', (malformed, bytes) => {
    expect(whole(bytes).malformed).toBe(malformed);
  });

  it('says nothing of the padding that makes a frame 60 bytes', () => {
    const padded = bytesOf(ETHERNET(0x0800, ipv4(6, tcp(hex('')))), hex('000000000000'));
    expect(whole(padded)).toMatchObject({
      packet: { ip: { totalLength: 40 }, l4: { payloadLength: 0, checksum: 'good' } },
    });
    expect(whole(padded)).not.toHaveProperty('malformed');
    const empty = whole(bytesOf(ETHERNET(0x86dd, ipv6(59, hex(''))), hex('000000000000')));
    expect(empty.packet?.ip.totalLength).toBe(40);
  });

  it('stops at too many tunnels within each other', () => {
    const nested = Array.from({ length: 30 }).reduce<Uint8Array>((packet) => ipv4(4, packet), ipv4(1, echo));
    const decoded = whole(ETHERNET(0x0800, nested));
    expect(decoded.malformed).toMatch(/^more than 10 headers within each other/);
    expect(chain(decoded.packet)).toHaveLength(11);
  });

  it('stops at too many extension headers', () => {
    const headers = hex('3c00 0000 0000 0000'.repeat(40));
    expect(whole(ETHERNET(0x86dd, ipv6(60, headers))).malformed).toBe('more than 16 IPv6 extension headers (byte 54)');
  });
});

describe('a quote of an ICMP error', () => {
  const error = (quote: Uint8Array, type = 3, code = 1, second = '00000000') =>
    whole(ETHERNET(0x0800, ipv4(1, withChecksum(bytesOf(type, code, hex('0000'), hex(second), quote), 2, 0)))).packet
      ?.l4;

  it('of eight bytes of TCP shows ports and sequence number, and that it is no more', () => {
    const quote = ipv4(6, tcp(hex('616263'))).subarray(0, 28);
    expect(error(quote)).toMatchObject({
      type: 3,
      code: 1,
      about: {
        ip: { totalLength: 43 },
        l4: { sourcePort: 40077, destinationPort: 8077, sequence: 0xfffffffe, payloadLength: 3, headerCut: true },
      },
    });
    expect(whole(ETHERNET(0x0800, ipv4(1, quote)))).toBeDefined();
  });

  it('ends where extensions begin (RFC 4884)', () => {
    const quote = bytesOf(ipv4(17, udp(new Uint8Array(200))).subarray(0, 128));
    const extensions = hex('2000 0000 0008 0101 00000000');
    const l4 = error(bytesOf(quote, extensions), 11, 0, '00200000');
    expect(l4).toMatchObject({ about: { l4: { length: 208 } } });
    expect(l4 && 'about' in l4 && l4.about?.l4?.payload).toHaveLength(100);
  });

  it('of nonsense is no problem of the frame', () => {
    expect(error(hex('00'))).toMatchObject({ type: 3 });
    const frame = whole(ETHERNET(0x0800, ipv4(1, bytesOf(3, 1, hex('0000 00000000 4200')))));
    expect(frame).not.toHaveProperty('malformed');
    expect(frame.packet?.l4).not.toHaveProperty('about');
  });

  it('tells where a redirect points to', () => {
    expect(error(ipv4(17, udp(hex(''))), 5, 1, '0a4d0101')).toMatchObject({ type: 5, target: '10.77.1.1', about: {} });
  });
});
