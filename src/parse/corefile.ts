import type { Parsed, UnparsedLine } from './parsed.ts';

/*
 * Format: CoreDNS's Corefile, as in the ConfigMap kube-system/coredns.
 * Source of truth: coredns.io/manual/configuration; github.com/coredns/caddy/caddyfile (lexer.go, parse.go).
 * Versions seen: CoreDNS 1.8 to 1.13.
 * Not understood: `import` and environment variables (`{$NAME}`), kept as written; a block that is not closed, or text
 * outside of one, is unparsed.
 */

/** CoreDNS's configuration (coredns.io/manual/configuration). Server blocks with their plug-ins, arguments as written. */
export interface Corefile {
  readonly servers: readonly {
    readonly zones: readonly string[];
    readonly plugins: readonly {
      readonly name: string;
      readonly args: readonly string[];
      readonly body: readonly (readonly string[])[];
    }[];
  }[];
}

type Server = Corefile['servers'][number];
type Plugin = Server['plugins'][number];

interface Line {
  readonly line: number;
  readonly text: string;
  readonly words: readonly string[];
}

export function parseCorefile(text: string): Parsed<Corefile> {
  const lines = text.split('\n').flatMap(tokenize);
  const servers: Server[] = [];
  const unparsed: UnparsedLine[] = [];
  let at = 0;
  while (at < lines.length) {
    const heading = readHeading(lines, at);
    if (!heading) {
      unparsed.push({ line: lines[at]!.line, text: lines[at]!.text });
      at++;
      continue;
    }
    const block = readServer(lines, heading.next);
    servers.push({ zones: heading.zones, plugins: block.plugins });
    if (!block.closed) unparsed.push({ line: lines[at]!.line, text: `${lines[at]!.text} (the block is not closed)` });
    at = block.next;
  }
  return { value: { servers }, unparsed };
}

/** Zones may go on over several lines, each with a comma at its end, until the opening brace. */
function readHeading(lines: readonly Line[], start: number): { zones: string[]; next: number } | undefined {
  const zones: string[] = [];
  for (let at = start; at < lines.length; at++) {
    const { words } = lines[at]!;
    const opens = words.at(-1) === '{';
    zones.push(
      ...(opens ? words.slice(0, -1) : words).flatMap((word) => word.split(',')).filter((zone) => zone !== ''),
    );
    if (opens) return zones.length > 0 ? { zones, next: at + 1 } : undefined;
    if (!words.at(-1)?.endsWith(',')) return undefined;
  }
  return undefined;
}

function readServer(lines: readonly Line[], start: number): { plugins: Plugin[]; next: number; closed: boolean } {
  const plugins: Plugin[] = [];
  let at = start;
  while (at < lines.length) {
    const { words } = lines[at]!;
    if (words[0] === '}') return { plugins, next: at + 1, closed: true };
    const opens = words.at(-1) === '{';
    const [name = '', ...args] = opens ? words.slice(0, -1) : words;
    at++;
    const body = opens ? readBody(lines, at) : { rows: [], next: at, closed: true };
    plugins.push({ name, args, body: body.rows });
    at = body.next;
    if (!body.closed) return { plugins, next: at, closed: false };
  }
  return { plugins, next: at, closed: false };
}

/** A plug-in's own block; deeper blocks (`health_check {`) are kept as rows with their braces. */
function readBody(lines: readonly Line[], start: number): { rows: string[][]; next: number; closed: boolean } {
  const rows: string[][] = [];
  let depth = 1;
  for (let at = start; at < lines.length; at++) {
    const { words } = lines[at]!;
    if (words.at(-1) === '{') depth++;
    if (words[0] === '}') depth--;
    if (depth === 0) return { rows, next: at + 1, closed: true };
    rows.push([...words]);
  }
  return { rows, next: lines.length, closed: false };
}

/** Words of one line: quoted strings are one word, `#` begins a comment. A line without words is none. */
function tokenize(text: string, index: number): readonly Line[] {
  const words: string[] = [];
  for (const match of text.matchAll(/"(?<quoted>(?:[^"\\]|\\.)*)"|(?<comment>(?<=^|\s)#.*$)|(?<plain>[^\s"]+)/g)) {
    if (match.groups!.comment !== undefined) break;
    words.push(match.groups!.quoted ?? match.groups!.plain!);
  }
  return words.length === 0 ? [] : [{ line: index + 1, text: text.trim(), words }];
}
