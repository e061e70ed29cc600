import type { RuleBody } from './iptables-save-rule.ts';

/** What one pass over an iptables-save notes of its rules: numbers only; the text stays bytes. */
export interface RuleColumns {
  readonly bytes: Uint8Array;
  /** Of each rule, in the order of the file: where its line begins, and that line's number from 1 on. */
  readonly offset: Uint32Array;
  readonly line: Uint32Array;
  /** Its sequence of option, module and target names, as an index into `shapes`: one rule of each. */
  readonly shape: Uint32Array;
  readonly shapes: readonly RuleBody[];
  /** Keys of its one destination address and of its one destination port; NO_KEY where it has none. */
  readonly destination: Float64Array;
  readonly port: Float64Array;
  /** The rules chain by chain: those of chain `c` are `ofChain[starts[c]] … ofChain[starts[c + 1] - 1]`. */
  readonly starts: Uint32Array;
  readonly ofChain: Uint32Array;
}

export const NO_KEY = -1;

const COLUMNS = 6;

/** Rules as they are found; the columns grow with them. */
export interface ColumnsBuilder {
  add(offset: number, line: number, chain: number, shape: number, destination: number, port: number): void;
  finish(chains: number, shapes: readonly RuleBody[]): RuleColumns;
}

export function buildColumns(bytes: Uint8Array): ColumnsBuilder {
  let rows = new Float64Array(COLUMNS * Math.max(16, Math.ceil(bytes.length / 120)));
  let count = 0;
  return {
    add: (offset, line, chain, shape, destination, port) => {
      let at = count * COLUMNS;
      if (at + COLUMNS > rows.length) {
        const larger = new Float64Array(rows.length * 2);
        larger.set(rows);
        rows = larger;
      }
      rows[at++] = offset;
      rows[at++] = line;
      rows[at++] = chain;
      rows[at++] = shape;
      rows[at++] = destination;
      rows[at] = port;
      count++;
    },
    finish: (chains, shapes) => {
      const pick = <T extends Uint32Array | Float64Array>(column: number, into: T): T => {
        for (let row = 0; row < count; row++) into[row] = rows[row * COLUMNS + column]!;
        return into;
      };
      return {
        bytes,
        offset: pick(0, new Uint32Array(count)),
        line: pick(1, new Uint32Array(count)),
        shape: pick(3, new Uint32Array(count)),
        shapes,
        destination: pick(4, new Float64Array(count)),
        port: pick(5, new Float64Array(count)),
        ...byChain(pick(2, new Uint32Array(count)), chains),
      };
    },
  };
}

/** A counting sort that keeps the order of the file within each chain. */
function byChain(chain: Uint32Array, chains: number): Pick<RuleColumns, 'starts' | 'ofChain'> {
  const starts = new Uint32Array(chains + 1);
  for (const one of chain) starts[one + 1]!++;
  for (let at = 1; at <= chains; at++) starts[at]! += starts[at - 1]!;
  const next = starts.slice();
  const ofChain = new Uint32Array(chain.length);
  for (let rule = 0; rule < chain.length; rule++) ofChain[next[chain[rule]!]!++] = rule;
  return { starts, ofChain };
}
