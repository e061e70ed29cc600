/** One word of an iptables-save line. A quoted word is always a value, whatever it begins with. */
export interface Word {
  readonly text: string;
  readonly quoted: boolean;
}

/**
 * Splits a line as iptables-save(8) prints it: words between blanks; `"…"` with `\` before `"`, `'` and `\`
 * (xtables_save_string in iptables' libxtables/xtables.c). Undefined where a quotation does not end.
 */
export function splitWords(line: string): readonly Word[] | undefined {
  const words: Word[] = [];
  let at = 0;
  while (at < line.length) {
    if (line[at] === ' ' || line[at] === '\t') {
      at++;
      continue;
    }
    const quoted = line[at] === '"';
    const end = quoted ? closingQuote(line, at) : endOfWord(line, at);
    if (end === undefined) return undefined;
    const raw = quoted ? line.slice(at + 1, end - 1).replace(/\\(["'\\])/g, '$1') : line.slice(at, end);
    words.push({ text: raw, quoted });
    at = end;
  }
  return words;
}

function endOfWord(line: string, start: number): number {
  let at = start;
  while (at < line.length && line[at] !== ' ' && line[at] !== '\t') at++;
  return at;
}

/** The index behind the closing quote. */
function closingQuote(line: string, start: number): number | undefined {
  for (let at = start + 1; at < line.length; at++) {
    if (line[at] === '\\') at++;
    else if (line[at] === '"') return at + 1;
  }
  return undefined;
}
