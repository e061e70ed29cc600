import type { Parsed, UnparsedLine } from './parsed.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

const EXCERPT_MAX_CHARS = 300;

/**
 * The items of one or several JSON arrays written one after the other, as iproute2's `-j` prints them (one array per
 * command; a collector may run two). A top-level object counts as one item, empty objects (iproute2 before 5.0 prints
 * `{}` for what a filter left out) as none. A cut or broken document loses only the item where it breaks: the items
 * before it stay and the rest is unparsed.
 */
export function parseJsonItems(text: string): Parsed<readonly JsonObject[]> {
  const whole = parseWhole(text);
  return whole ?? new ItemScanner(text).scan();
}

/** A short form of an item for `UnparsedLine.text`. */
export function excerpt(item: unknown): string {
  const text = typeof item === 'string' ? item : JSON.stringify(item);
  return text.length > EXCERPT_MAX_CHARS ? `${text.slice(0, EXCERPT_MAX_CHARS)}…` : text;
}

/** Applies `read` to each item; what it cannot read (undefined) is kept as unparsed. */
export function parseItems<T>(text: string, read: (item: JsonObject) => T | undefined): Parsed<readonly T[]> {
  const items = parseJsonItems(text);
  const value: T[] = [];
  const unparsed: UnparsedLine[] = [...items.unparsed];
  for (const item of items.value) {
    const one = read(item);
    if (one === undefined) unparsed.push({ line: 0, text: excerpt(item) });
    else value.push(one);
  }
  return { value, unparsed };
}

function parseWhole(text: string): Parsed<readonly JsonObject[]> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (Array.isArray(value)) return sort(value);
    return isObject(value) ? sort([value]) : undefined;
  } catch {
    return undefined;
  }
}

function sort(items: readonly unknown[]): Parsed<readonly JsonObject[]> {
  const value: JsonObject[] = [];
  const unparsed: UnparsedLine[] = [];
  for (const item of items) {
    if (!isObject(item)) unparsed.push({ line: 0, text: excerpt(item) });
    else if (Object.keys(item).length > 0) value.push(item);
  }
  return { value, unparsed };
}

/** Finds where top-level items begin and end by counting brackets outside of strings. */
class ItemScanner {
  private readonly text: string;
  private position = 0;
  private readonly found: unknown[] = [];
  private readonly unparsed: UnparsedLine[] = [];

  constructor(text: string) {
    this.text = text;
  }

  scan(): Parsed<readonly JsonObject[]> {
    let inArray = false;
    while (this.skipSpace()) {
      const char = this.text[this.position]!;
      if (char === '[' && !inArray) {
        inArray = true;
        this.position++;
      } else if (char === ']' && inArray) {
        inArray = false;
        this.position++;
      } else if (char === ',' && inArray) {
        this.position++;
      } else if (char === '{') {
        this.takeObject();
      } else {
        this.skipLine();
      }
    }
    if (inArray) this.fail('(the list ends before its closing bracket)');
    const sorted = sort(this.found);
    return { value: sorted.value, unparsed: [...sorted.unparsed, ...this.unparsed] };
  }

  private takeObject(): void {
    const start = this.position;
    const end = endOfObject(this.text, start);
    this.position = end;
    const piece = this.text.slice(start, end);
    try {
      this.found.push(JSON.parse(piece));
    } catch {
      this.fail(piece);
    }
  }

  private skipSpace(): boolean {
    while (this.position < this.text.length && /\s/.test(this.text[this.position]!)) this.position++;
    return this.position < this.text.length;
  }

  private skipLine(): void {
    const newline = this.text.indexOf('\n', this.position);
    const end = newline < 0 ? this.text.length : newline;
    this.fail(this.text.slice(this.position, end));
    this.position = end;
  }

  private fail(text: string): void {
    this.unparsed.push({ line: 0, text: excerpt(text) });
  }
}

function endOfObject(text: string, start: number): number {
  let depth = 0;
  let inString = false;
  for (let at = start; at < text.length; at++) {
    const char = text[at];
    if (inString) {
      if (char === '\\') at++;
      else if (char === '"') inString = false;
    } else if (char === '"') inString = true;
    else if (char === '{' || char === '[') depth++;
    else if (char === '}' || char === ']') {
      depth--;
      if (depth === 0) return at + 1;
    }
  }
  return text.length;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function stringOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** A finite number, also where an older tool printed it as a string. */
export function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  if (typeof value !== 'string' || !/^-?(0[xX][0-9a-fA-F]+|\d+(\.\d+)?)$/.test(value)) return undefined;
  return value.startsWith('-') ? -Number(value.slice(1)) : Number(value);
}

/** A flag as iproute2 writes it: true, 1, "on", or a key with null. */
export function flagOf(item: JsonObject, key: string): boolean | undefined {
  if (!(key in item)) return undefined;
  const value = item[key];
  if (value === null) return true;
  if (typeof value === 'boolean') return value;
  if (typeof value === 'number') return value !== 0;
  if (value === 'on' || value === 'true') return true;
  return value === 'off' || value === 'false' ? false : undefined;
}

export function stringsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === 'string') : [];
}
