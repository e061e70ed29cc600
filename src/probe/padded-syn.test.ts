import { describe, expect, test } from 'vitest';
import { parseAddress } from '../net/address.ts';
import { fold, sumOf } from '../wire/internet-checksum.ts';
import { encodePaddedSyn, findSynAnswer, type PaddedSyn } from './padded-syn.ts';

const SYN: PaddedSyn = {
  source: parseAddress('10.244.1.2')!,
  destination: parseAddress('10.244.0.4')!,
  sourcePort: 23_560,
  port: 8080,
  sequence: 12_345_678,
  sizeBytes: 1450,
};

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));
/** What a Linux listener, and a closed port, answered to such a SYN. */
const SYN_ACK = hex('1f905c08 23109c97 00bc614f 6012fd5c 170c0000 02040582');
const RESET = hex('0009602f 00000000 00bc666d 50140000 d1810000');

describe('the SYN', () => {
  test('fills the packet, and its checksum is right', () => {
    const bytes = encodePaddedSyn(SYN);
    expect(bytes.length).toBe(1450 - 20);
    const pseudo = hex(`0af40102 0af40004 0006 ${bytes.length.toString(16).padStart(4, '0')}`);
    expect(fold(sumOf(pseudo) + sumOf(bytes))).toBe(0xffff);
    expect([bytes[12], bytes[13]]).toEqual([0x50, 0x02]);
  });

  test('of IPv6', () => {
    const syn = { ...SYN, source: parseAddress('fd00::1')!, destination: parseAddress('fd00::2')!, sizeBytes: 1281 };
    const bytes = encodePaddedSyn(syn);
    expect(bytes.length).toBe(1281 - 40);
    const pseudo = hex(`fd00${'0'.repeat(27)}1 fd00${'0'.repeat(27)}2 000004d9 00000006`);
    expect(fold(sumOf(pseudo) + sumOf(bytes))).toBe(0xffff);
  });

  test('what is shorter than a header is refused', () => {
    expect(() => encodePaddedSyn({ ...SYN, sizeBytes: 39 })).toThrow(RangeError);
  });
});

describe('the answer', () => {
  test('a SYN-ACK with its MSS', () => {
    expect(findSynAnswer(SYN_ACK, SYN)).toEqual({ kind: 'syn-ack', mss: 1410 });
  });

  test('a reset acknowledges the data as well', () => {
    const syn = { ...SYN, port: 9, sourcePort: 0x602f, sizeBytes: 1350 };
    expect(findSynAnswer(RESET, syn)).toEqual({ kind: 'reset' });
    expect(findSynAnswer(RESET, { ...syn, sizeBytes: 1351 })).toBeUndefined();
  });

  test('is found behind and between others’ packets', () => {
    const others = hex('1f905c07 23109c97 00bc614f 6012fd5c 170c0000 02040582 ff');
    expect(findSynAnswer(Buffer.concat([others, SYN_ACK, others]), SYN)).toMatchObject({ kind: 'syn-ack' });
  });

  test('near miss: another port, another number, no SYN', () => {
    expect(findSynAnswer(SYN_ACK, { ...SYN, sourcePort: 23_561 })).toBeUndefined();
    expect(findSynAnswer(SYN_ACK, { ...SYN, sequence: 12_345_677 })).toBeUndefined();
    const ack = SYN_ACK.slice();
    ack[13] = 0x10;
    expect(findSynAnswer(ack, SYN)).toBeUndefined();
  });

  test('cut anywhere, it is no answer, or one without the option', () => {
    for (let length = 0; length < SYN_ACK.length; length++) {
      const answer = findSynAnswer(SYN_ACK.subarray(0, length), SYN);
      expect(answer).toEqual(length < 20 ? undefined : { kind: 'syn-ack' });
    }
  });
});
