import type { WordHash } from './iptables-save-scan.ts';

/** The chains of the table in hand, by the hashes of their names. */
export interface NameTable {
  /** False where there is one of that name already. */
  add(name: WordHash, id: number): boolean;
  /** -1 where there is none. */
  find(name: WordHash): number;
  clear(): void;
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
    clear: () => {
      slots = new Int32Array(SLOTS * 3);
      used = 0;
    },
  };
}
