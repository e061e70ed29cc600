import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bitsToAddress } from './address.ts';
import {
  formatPrefix,
  networkOf,
  parsePrefix,
  prefixContains,
  prefixesOverlap,
  prefixFamily,
  prefixMatcher,
} from './prefix.ts';

const prefix = (text: string) => parsePrefix(text)!;

describe('parsePrefix', () => {
  test('a prefix keeps its host bits; a bare address is a host', () => {
    expect(parsePrefix('10.244.0.1/24')).toEqual({ address: '10.244.0.1', length: 24 });
    expect(parsePrefix('10.0.0.1')).toEqual({ address: '10.0.0.1', length: 32 });
    expect(parsePrefix('FD00::1')).toEqual({ address: 'fd00::1', length: 128 });
    expect(parsePrefix('::/0')).toEqual({ address: '::', length: 0 });
    expect(formatPrefix(prefix('FD00:0::/8'))).toBe('fd00::/8');
    expect(prefixFamily(prefix('fd00::/8'))).toBe(6);
  });

  test.each([
    [''],
    ['10.0.0.0/'],
    ['10.0.0.0/33'],
    ['10.0.0.0/-1'],
    ['10.0.0.0/8/8'],
    ['10.0.0.0/8 '],
    ['/8'],
    ['fd00::/129'],
    ['10.0.0.0/255.0.0.0'],
  ])('is none: %j', (text) => {
    expect(parsePrefix(text)).toBeUndefined();
  });
});

describe('prefixContains', () => {
  test.each([
    ['10.244.0.0/16', '10.244.255.255', true],
    ['10.244.0.0/16', '10.245.0.0', false],
    ['10.244.3.7/16', '10.244.0.1', true], // host bits do not count
    ['0.0.0.0/0', '255.255.255.255', true],
    ['0.0.0.0/0', '::1', false],
    ['::/0', '10.0.0.1', false],
    ['10.0.0.1/32', '10.0.0.1', true],
    ['10.0.0.1/32', '10.0.0.0', false],
    ['128.0.0.0/1', '200.0.0.1', true],
    ['128.0.0.0/1', '127.255.255.255', false],
    ['fd00:10:244::/56', 'fd00:10:244:ff::1', true],
    ['fd00:10:244::/56', 'fd00:10:244:100::1', false],
    ['::ffff:0:0/96', '::ffff:10.0.0.1', true],
  ])('%s and %s', (text, address, inside) => {
    expect(prefixContains(prefix(text), address)).toBe(inside);
    expect(prefixMatcher(prefix(text))(address)).toBe(inside);
  });
});

describe('networks', () => {
  test('host bits are cleared', () => {
    expect(networkOf(prefix('10.244.3.7/16'))).toEqual({ address: '10.244.0.0', length: 16 });
    expect(networkOf(prefix('10.1.2.3/0'))).toEqual({ address: '0.0.0.0', length: 0 });
    expect(networkOf(prefix('fd00::1:2:3/112'))).toEqual({ address: 'fd00::1:2:0', length: 112 });
  });

  test.each([
    ['10.0.0.0/8', '10.244.0.0/16', true],
    ['10.0.0.0/16', '10.1.0.0/16', false],
    ['0.0.0.0/0', '10.0.0.0/8', true],
    ['10.0.0.0/8', 'fd00::/8', false],
    ['10.0.0.1/32', '10.0.0.1/32', true],
  ])('overlap of %s and %s', (a, b, overlap) => {
    expect(prefixesOverlap(prefix(a), prefix(b))).toBe(overlap);
    expect(prefixesOverlap(prefix(b), prefix(a))).toBe(overlap);
  });

  test('a network holds its own address, and no longer one than it', () => {
    const any = fc.record({ bits: fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }), length: fc.nat(32) });
    fc.assert(
      fc.property(any, ({ bits, length }) => {
        const own = { address: bitsToAddress(bits, 4), length };
        expect(prefixContains(networkOf(own), own.address)).toBe(true);
        expect(networkOf(networkOf(own))).toEqual(networkOf(own));
        if (length === 0) return;
        const flipped = bitsToAddress(bits ^ (1n << BigInt(32 - length)), 4);
        expect(prefixContains(own, flipped)).toBe(false);
      }),
      { seed: 3, numRuns: 300 },
    );
  });
});
