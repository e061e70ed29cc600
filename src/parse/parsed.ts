/** What every parser returns. A parser never throws on input and does no I/O. */
export interface Parsed<T> {
  readonly value: T;
  /** Lines or items that were not understood. *Absence* may be claimed only where this is empty. */
  readonly unparsed: readonly UnparsedLine[];
}

export interface UnparsedLine {
  /** 1-based line of the raw text; 0 where the format has no lines (JSON in one line). */
  readonly line: number;
  readonly text: string;
}
