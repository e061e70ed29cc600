/** Two hashes of 32 bits for what is compared by name: together they stand for the name. */
export interface WordHash {
  readonly first: number;
  readonly second: number;
}

export const PRIME = 0x01000193;
export const OTHER_PRIME = 0x85ebca6b;
export const SEED = 0x811c9dc5;

/** Of a word's bytes; the scan does the same as it goes (ruleScanner). */
export function hashOf(word: Uint8Array): WordHash {
  let first = SEED;
  let second = PRIME;
  for (const byte of word) {
    first = Math.imul(first ^ byte, PRIME);
    second = Math.imul(second + byte, OTHER_PRIME);
  }
  return { first, second: second ^ (second >>> 15) };
}

/** The chains of one table, by the hashes of their names. */
export interface NameTable {
  /** False where there is one of that name already. */
  add(name: WordHash, id: number): boolean;
  /** -1 where there is none. */
  find(name: WordHash): number;
}

const SLOTS = 1024;

/** A table with open addressing, since a Map of 60,000 strings would cost more than the scan itself. */
export function createNameTable(): NameTable {
  let slots = new Int32Array(SLOTS * 3);
  let used = 0;

  const slotOf = (first: number, second: number): number => {
    const mask = slots.length / 3 - 1;
    for (let slot = (first ^ (second >>> 7)) & mask; ; slot = (slot + 1) & mask) {
      const at = slot * 3;
      if (slots[at + 2] === 0 || (slots[at] === first && slots[at + 1] === second)) return at;
    }
  };
  const put = (first: number, second: number, idAndOne: number): void => {
    const at = slotOf(first, second);
    slots[at] = first;
    slots[at + 1] = second;
    slots[at + 2] = idAndOne;
  };
  const grow = (): void => {
    const former = slots;
    slots = new Int32Array(former.length * 2);
    for (let at = 0; at < former.length; at += 3) {
      if (former[at + 2] !== 0) put(former[at]!, former[at + 1]!, former[at + 2]!);
    }
  };
  return {
    add: ({ first, second }, id) => {
      if (slots[slotOf(first, second) + 2] !== 0) return false;
      if (++used * 6 > slots.length) grow();
      put(first, second, id + 1);
      return true;
    },
    find: ({ first, second }) => slots[slotOf(first, second) + 2]! - 1,
  };
}
