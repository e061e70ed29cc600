import type { Parsed, UnparsedLine } from './parsed.ts';

/** Reads a text line by line; a line that `read` cannot read (undefined) is kept as unparsed. Blank lines are skipped. */
export function parseLines<T>(text: string, read: (line: string) => T | undefined): Parsed<readonly T[]> {
  const value: T[] = [];
  const unparsed: UnparsedLine[] = [];
  text.split('\n').forEach((raw, index) => {
    const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
    if (line.trim() === '') return;
    const one = read(line);
    if (one === undefined) unparsed.push({ line: index + 1, text: line });
    else value.push(one);
  });
  return { value, unparsed };
}

/** Whether a tool answered in JSON rather than in its text form. */
export function looksLikeJson(text: string): boolean {
  return /^\s*[[{]/.test(text);
}
