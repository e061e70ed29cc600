/**
 * Characters that a terminal acts on instead of showing: C0 and C1 controls (ECMA-48; among them ESC, CR and the 8-bit
 * CSI), line separators, and the marks that reorder text (Unicode TR9: what stands there is not what is read).
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones to find
const ACTED_ON = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/**
 * A copy with every string made safe to print: a name or a log line from the cluster must not move the cursor, colour
 * the verdict or add a line to a command. What is found is shown as `\u001b`; line breaks as `\n`, tabs as spaces.
 */
export function plainText<T>(value: T): T {
  return plain(value) as T;
}

function plain(value: unknown): unknown {
  if (typeof value === 'string') return value.replace(ACTED_ON, escaped);
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key.replace(ACTED_ON, escaped), plain(one)]));
}

function escaped(character: string): string {
  if (character === '\n') return '\\n';
  if (character === '\t') return ' ';
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
