import { NO_KEY } from './iptables-save-columns.ts';
import { hostKey, portKey } from './iptables-save-keys.ts';
import { OTHER_PRIME, PRIME, SEED, type WordHash } from './iptables-save-names.ts';

/** A rule's line, read up to its end. */
export interface ScannedRule {
  /** Behind the line's last byte. */
  end: number;
  chain: number;
  /** Undefined where the line has to be read by the readable parser alone: a quotation does not end. */
  shapeKey: number | undefined;
  destination: number;
  port: number;
}

export interface RuleScanner {
  /** Undefined where no rule begins there. Its result is the same object each time. */
  readonly scan: (start: number) => ScannedRule | undefined;
  /** Hashes an unquoted word into `word` and gives its end. */
  readonly hashWord: (start: number) => number;
  readonly word: WordHash;
}

const NEWLINE = 10;
const TAB = 9;
const SPACE = 32;
const BANG = 33;
const QUOTE = 34;
const DASH = 45;
const ZERO = 48;
const NINE = 57;
const BACKSLASH = 92;
const OPENING = 91;
const CLOSING = 93;

/** Stand for a word in a shape: a value, a quoted value, `!`, the name of a chain that is jumped to. */
const VALUE = 3;
const QUOTED = 5;
const NEGATION = 7;
const A_CHAIN = 11;

/** Reads rules at `-A CHAIN …`. `chainOf` says which chain of the present table a name is, -1 for none. */
export function ruleScanner(bytes: Uint8Array, chainOf: (name: WordHash) => number): RuleScanner {
  const length = bytes.length;
  const word = { first: 0, second: 0 };
  const rule: ScannedRule = { end: 0, chain: -1, shapeKey: undefined, destination: NO_KEY, port: NO_KEY };

  const hashWord = (start: number): number => {
    let first = SEED;
    let second = PRIME;
    let at = start;
    for (; at < length; at++) {
      const byte = bytes[at]!;
      if (byte === SPACE || byte === NEWLINE || byte === TAB) break;
      first = Math.imul(first ^ byte, PRIME);
      second = Math.imul(second + byte, OTHER_PRIME);
    }
    word.first = first;
    word.second = second ^ (second >>> 15);
    return at;
  };

  /** The end of a word whose content does not matter; -1 for a quotation that does not end. */
  const skipWord = (start: number): number => {
    let at = start;
    if (bytes[at] === QUOTE) {
      for (at++; at < length; at++) {
        const byte = bytes[at]!;
        if (byte === QUOTE) return at + 1;
        if (byte === BACKSLASH && bytes[at + 1] !== NEWLINE) at++;
        else if (byte === NEWLINE) return -1;
      }
      return -1;
    }
    for (; at < length; at++) {
      const byte = bytes[at]!;
      if (byte === SPACE || byte === NEWLINE || byte === TAB) break;
    }
    return at;
  };

  const skipBlanks = (start: number): number => {
    let at = start;
    while (bytes[at] === SPACE || bytes[at] === TAB) at++;
    return at;
  };

  const scan = (start: number): ScannedRule | undefined => {
    let at = bytes[start] === OPENING ? afterCounters(bytes, start) : start;
    if (at < 0 || bytes[at] !== DASH || bytes[at + 1] !== 65 || bytes[at + 2] !== SPACE) return undefined;
    at = hashWord(at + 3);
    if (bytes[at] === TAB) return undefined;
    rule.chain = chainOf(word);
    rule.destination = NO_KEY;
    rule.port = NO_KEY;
    let first = SEED;
    let second = PRIME;
    const mix = (one: number, other: number): void => {
      first = Math.imul(first ^ one, PRIME);
      second = Math.imul(second + other, OTHER_PRIME);
      second ^= second >>> 15;
    };
    let negated = false;
    let inSelectors = true;
    let protocol = 0;
    let module = 0;
    for (at = skipBlanks(at); at < length && bytes[at] !== NEWLINE; at = skipBlanks(at)) {
      const begin = at;
      const byte = bytes[at]!;
      if (byte === QUOTE) {
        at = skipWord(at);
        if (at < 0) {
          const end = bytes.indexOf(NEWLINE, begin);
          rule.end = end < 0 ? length : end;
          rule.shapeKey = undefined;
          return rule;
        }
        mix(QUOTED, QUOTED);
        negated = false;
        continue;
      }
      if (byte !== DASH) {
        at = skipWord(at);
        negated = at - begin === 1 && byte === BANG;
        mix(negated ? NEGATION : VALUE, VALUE);
        continue;
      }
      at = hashWord(at);
      mix(word.first, word.second);
      const wasNegated = negated;
      negated = false;
      const letter = at - begin === 2 ? bytes[begin + 1]! : 0;
      if (letter === 109 || letter === 106 || letter === 103) {
        inSelectors = false;
        const name = skipBlanks(at);
        if (name >= length || bytes[name] === NEWLINE || bytes[name] === QUOTE) continue;
        at = hashWord(name);
        module = letter === 109 ? protocolOf(bytes, name, at) : 0;
        if (letter !== 109 && chainOf(word) >= 0) mix(A_CHAIN, A_CHAIN);
        else mix(word.first, word.second);
      } else if (wasNegated) {
        if (letter === 112) protocol = 0;
      } else if (letter === 100 && inSelectors) {
        const value = skipBlanks(at);
        rule.destination = hostKeyOf(bytes, value, skipWord(value));
      } else if (letter === 112 && inSelectors) {
        const value = skipBlanks(at);
        protocol = protocolOf(bytes, value, skipWord(value));
      } else if (protocol !== 0 && module === protocol && isDport(bytes, begin, at)) {
        const value = skipBlanks(at);
        const port = numberOf(bytes, value, skipWord(value));
        rule.port = port < 0 ? NO_KEY : portKey(protocol, port);
      }
    }
    rule.end = at;
    rule.shapeKey = (first >>> 0) * 0x20_0000 + (second >>> 11);
    return rule;
  };
  return { scan, hashWord, word };
}

/** Behind `[7:420] `; -1 where there are no such counters. */
function afterCounters(bytes: Uint8Array, start: number): number {
  let at = start + 1;
  const packets = at;
  while (isDigit(bytes[at])) at++;
  if (at === packets || bytes[at] !== 58) return -1;
  at++;
  const count = at;
  while (isDigit(bytes[at])) at++;
  if (at === count || bytes[at] !== CLOSING || bytes[at + 1] !== SPACE) return -1;
  return at + 2;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= NINE;
}

function isDport(bytes: Uint8Array, begin: number, end: number): boolean {
  return (
    end - begin === 7 &&
    bytes[begin + 1] === DASH &&
    bytes[begin + 2] === 100 &&
    bytes[begin + 3] === 112 &&
    bytes[begin + 4] === 111 &&
    bytes[begin + 5] === 114 &&
    bytes[begin + 6] === 116
  );
}

/** The number of tcp, udp and sctp, by name; 0 for any other. */
function protocolOf(bytes: Uint8Array, begin: number, end: number): number {
  const [a, b, c, d] = [bytes[begin], bytes[begin + 1], bytes[begin + 2], bytes[begin + 3]];
  if (end - begin === 3 && b === 99 && c === 112 && a === 116) return 6;
  if (end - begin === 3 && a === 117 && b === 100 && c === 112) return 17;
  return end - begin === 4 && a === 115 && b === 99 && c === 116 && d === 112 ? 132 : 0;
}

/** A port; -1 for a range and for what is none. */
function numberOf(bytes: Uint8Array, begin: number, end: number): number {
  if (end <= begin || end - begin > 5) return -1;
  let value = 0;
  for (let at = begin; at < end; at++) {
    if (!isDigit(bytes[at])) return -1;
    value = value * 10 + (bytes[at]! - ZERO);
  }
  return value;
}

/** Dotted quads are read as they stand; a longer way for what else may be a host's address. */
function hostKeyOf(bytes: Uint8Array, begin: number, end: number): number {
  let key = 0;
  let octet = 0;
  let dots = 0;
  let digits = 0;
  let at = begin;
  for (; at < end; at++) {
    const byte = bytes[at]!;
    if (byte === 46 && digits > 0) {
      key = key * 256 + octet;
      octet = 0;
      digits = 0;
      dots++;
    } else if (byte >= ZERO && byte <= NINE && digits < 3) {
      if (digits === 1 && octet === 0) return NO_KEY;
      octet = octet * 10 + (byte - ZERO);
      if (octet > 255) return NO_KEY;
      digits++;
    } else break;
  }
  const isHost = at === end || (end - at === 3 && bytes[at] === 47 && bytes[at + 1] === 51 && bytes[at + 2] === 50);
  if (isHost && dots === 3 && digits > 0) return key * 256 + octet;
  if (dots > 0) return NO_KEY;
  return hostKey(Buffer.from(bytes.buffer, bytes.byteOffset + begin, end - begin).toString('latin1')) ?? NO_KEY;
}
