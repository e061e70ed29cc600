import type { Parsed, UnparsedLine } from './parsed.ts';

/*
 * Format: `ipset save`.
 * Source of truth: ipset(8), ipset's lib/session.c and lib/print.c.
 * Versions seen: ipset 7.17; 6.38 by its source (no bucketsize and initval).
 * Not understood: nothing of the syntax; what an entry means per type is simulate/ipset.ts's. An `add` for a set that
 * was not created before is unparsed.
 */

/** `ipset save` (ipset(8)). */
export interface Ipset {
  readonly name: string;
  readonly type: string; // hash:ip, hash:net,port …
  readonly family: 4 | 6;
  readonly options: readonly string[];
  readonly entries: readonly {
    readonly text: string;
    readonly fields: readonly string[];
    readonly nomatch: boolean;
    /** hash:net,iface: the device's name is a prefix. */
    readonly wildcard?: boolean;
    /** Seconds left; 0 where the entry does not expire. */
    readonly timeout?: number;
  }[];
}

type Entry = Ipset['entries'][number];
type Draft = Omit<Ipset, 'entries'> & { readonly entries: Entry[] };

export function parseIpset(text: string): Parsed<readonly Ipset[]> {
  const sets = new Map<string, Draft>();
  const unparsed: UnparsedLine[] = [];
  text.split('\n').forEach((line, index) => {
    if (line.trim() !== '' && !readLine(line.trim(), sets)) unparsed.push({ line: index + 1, text: line });
  });
  return { value: [...sets.values()], unparsed };
}

function readLine(line: string, sets: Map<string, Draft>): boolean {
  const words = splitQuoted(line);
  if (words === undefined || words.length < 3) return false;
  const [command, name, third, ...options] = words;
  if (command === 'create' && !sets.has(name!)) {
    const family = options[options.indexOf('family') + 1] === 'inet6' && options.includes('family') ? 6 : 4;
    sets.set(name!, { name: name!, type: third!, family, options, entries: [] });
    return true;
  }
  const set = command === 'add' ? sets.get(name!) : undefined;
  if (!set) return false;
  set.entries.push(entryOf(third!, options));
  return true;
}

function entryOf(text: string, options: readonly string[]): Entry {
  const timeout = Number(options[options.indexOf('timeout') + 1]);
  return {
    text,
    fields: text.split(','),
    nomatch: options.includes('nomatch'),
    ...(options.includes('wildcard') && { wildcard: true }),
    ...(options.includes('timeout') && Number.isFinite(timeout) && { timeout }),
  };
}

/** Words, a quoted comment as one word with its quotes; undefined where a quote is not closed. */
function splitQuoted(line: string): readonly string[] | undefined {
  const words = line.match(/"[^"]*"|[^\s"]+/g) ?? [];
  return (line.match(/"/g)?.length ?? 0) % 2 === 0 ? words : undefined;
}
