import type { IptablesMatch } from '../parse/iptables-save.ts';
import type { Evaluator } from './iptables-match-types.ts';
import { type HeaderBytes, headerBytes } from './packet-bytes.ts';
import type { Truth } from './trace.ts';
import { not } from './truth.ts';

/** A 32-bit number of which only the bits of `known` are known; the others are 0 in `value`. */
interface Bits {
  readonly value: number;
  readonly known: number;
}

interface Operation {
  readonly operator: '&' | '<<' | '>>' | '@';
  readonly number: number;
}

interface U32Test {
  readonly start: number;
  readonly operations: readonly Operation[];
  readonly ranges: readonly { readonly from: number; readonly to: number }[];
}

/** `-m u32` (xt_u32.c): 32-bit words of the packet, masked and shifted, in ranges; all joined by `&&` must hold. */
export function compileU32(match: IptablesMatch): Evaluator | undefined {
  const option = match.options.find((one) => one.name === 'u32');
  const tests = option?.values[0]?.split('&&').map(parseTest);
  if (!option || !tests?.every((test) => test !== undefined) || match.options.length !== 1) return undefined;
  return ({ packet }) => {
    const bytes = headerBytes(packet);
    let all: Truth = 'yes';
    for (const test of tests) {
      const result = holds(test, bytes);
      if (result === 'no') return option.negated ? 'yes' : 'no';
      if (result === 'unknown') all = 'unknown';
    }
    return option.negated ? not(all) : all;
  };
}

const NUMBER = /^(0x[0-9a-f]+|\d+)/i;

function parseTest(text: string): U32Test | undefined {
  const [location, values, more] = text.replaceAll(/\s/g, '').split('=');
  const start = NUMBER.exec(location ?? '')?.[0];
  if (start === undefined || values === undefined || more !== undefined) return undefined;
  const operations: Operation[] = [];
  let rest = location!.slice(start.length);
  while (rest !== '') {
    const parts = /^(?<operator>&|<<|>>|@)(?<number>0x[0-9a-f]+|\d+)/i.exec(rest);
    if (!parts?.groups) return undefined;
    operations.push({ operator: parts.groups.operator as Operation['operator'], number: Number(parts.groups.number) });
    rest = rest.slice(parts[0].length);
  }
  const ranges = values.split(',').map(parseRange);
  return ranges.every((range) => range !== undefined) ? { start: Number(start), operations, ranges } : undefined;
}

function parseRange(text: string): { readonly from: number; readonly to: number } | undefined {
  const [from, to = from] = text.split(':');
  if (!from || !to || !/^(0x[0-9a-f]+|\d+)$/i.test(from) || !/^(0x[0-9a-f]+|\d+)$/i.test(to)) return undefined;
  return { from: Number(from), to: Number(to) };
}

/** A word that does not lie within the packet makes the test false. */
function holds(test: U32Test, bytes: HeaderBytes): Truth {
  let base = 0;
  let word = wordAt(bytes, test.start);
  for (const { operator, number } of test.operations) {
    if (word === 'outside') return 'no';
    if (operator === '@') {
      if (word.known !== 0xffff_ffff) return 'unknown';
      base += word.value;
      word = wordAt(bytes, base + number);
    } else {
      word = applied(word, operator, number);
    }
  }
  return word === 'outside' ? 'no' : inRanges(word, test.ranges);
}

function wordAt(bytes: HeaderBytes, at: number): Bits | 'outside' {
  if (at + 4 > bytes.lengthBytes) return 'outside';
  let value = 0;
  let known = 0;
  for (let index = at; index < at + 4; index++) {
    const byte = bytes.at(index);
    value = (value * 256 + byte.value) >>> 0;
    known = (known * 256 + byte.known) >>> 0;
  }
  return { value, known };
}

/** Bits that a mask clears, or that a shift brings in, are known to be 0. The kernel shifts by less than 32. */
function applied({ value, known }: Bits, operator: '&' | '<<' | '>>', number: number): Bits {
  if (operator === '&') return { value: (value & number) >>> 0, known: (known | ~number) >>> 0 };
  const places = number & 31;
  const brought = 2 ** places - 1;
  if (operator === '<<') return { value: (value << places) >>> 0, known: ((known << places) | brought) >>> 0 };
  return { value: value >>> places, known: ((known >>> places) | ~(0xffff_ffff >>> places)) >>> 0 };
}

/** The number lies between its known bits alone and these with all unknown ones set. */
function inRanges({ value, known }: Bits, ranges: U32Test['ranges']): Truth {
  if (known === 0xffff_ffff) return ranges.some(({ from, to }) => value >= from && value <= to) ? 'yes' : 'no';
  const unknown = ~known >>> 0;
  const largest = (value | unknown) >>> 0;
  if (ranges.some(({ from, to }) => from <= value && to >= largest)) return 'yes';
  const mayFit = ranges.some(({ from, to }) => {
    if (largest < from || value > to) return false;
    return from !== to || (from & known) >>> 0 === value;
  });
  return mayFit ? 'unknown' : 'no';
}
