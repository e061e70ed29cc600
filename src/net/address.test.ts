import { isIPv6 } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addressToBits, bitsToAddress, familyOf, parseAddress } from './address.ts';

describe('parseAddress', () => {
  test.each([
    ['10.0.0.1', '10.0.0.1'],
    ['255.255.255.255', '255.255.255.255'],
    ['0.0.0.0', '0.0.0.0'],
    // RFC 5952
    ['2001:DB8::1', '2001:db8::1'],
    ['2001:0db8:0000:0000:0000:0000:0002:0001', '2001:db8::2:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['fe80:0:0:0:0:0:0:0', 'fe80::'],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
    ['::ffff:c000:201', '::ffff:192.0.2.1'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['::13.1.68.3', '::d01:4403'],
    ['1:2:3:4:5:6:1.2.3.4', '1:2:3:4:5:6:102:304'],
  ])('%s', (text, canonical) => {
    expect(parseAddress(text)).toBe(canonical);
  });

  test.each([
    [''],
    ['10.0.0'],
    ['10.0.0.256'],
    ['10.0.0.01'],
    ['10.0.0.1.2'],
    ['10.0.0.1/24'],
    [' 10.0.0.1'],
    ['localhost'],
    ['fe80::1%eth0'],
    ['1::2::3'],
    [':::'],
    ['1:2:3:4:5:6:7'],
    ['1:2:3:4:5:6:7:8:9'],
    ['1:2:3:4:5:6:7:8::'],
    ['12345::'],
    ['g::'],
    ['::1.2.3'],
    ['1.2.3.4::'],
    ['1:2:3:4:5:6:7:1.2.3.4'],
  ])('is no address: %j', (text) => {
    expect(parseAddress(text)).toBeUndefined();
  });

  test('canonical is a fixed point, and bits go there and back', () => {
    const bits = fc.bigInt({ min: 0n, max: 2n ** 128n - 1n });
    fc.assert(
      fc.property(bits, (value) => {
        const six = bitsToAddress(value, 6);
        expect(parseAddress(six)).toBe(six);
        expect(addressToBits(six)).toBe(value);
        expect(familyOf(six)).toBe(6);
        const four = bitsToAddress(value & 0xffff_ffffn, 4);
        expect(parseAddress(four)).toBe(four);
        expect(addressToBits(four)).toBe(value & 0xffff_ffffn);
        expect(familyOf(four)).toBe(4);
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  test('takes and refuses what the C library takes and refuses', () => {
    const group = fc.constantFrom('', '0', '1', 'ffff', '00ab', 'abcde', '1.2.3.4');
    const text = fc.array(group, { minLength: 1, maxLength: 10 }).map((groups) => groups.join(':'));
    fc.assert(
      fc.property(text, (candidate) => {
        if (!candidate.includes(':')) return;
        expect(parseAddress(candidate) !== undefined).toBe(isIPv6(candidate));
      }),
      { seed: 2, numRuns: 3000 },
    );
  });

  test('bits of what is no address', () => {
    expect(() => addressToBits('x')).toThrow(RangeError);
    expect(() => addressToBits('x:')).toThrow(RangeError);
  });
});
