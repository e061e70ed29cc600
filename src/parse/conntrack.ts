import { type FileEntry, parseFileReply } from './file-reply.ts';
import type { Parsed, UnparsedLine } from './parsed.ts';

/*
 * Format: a FileReply over /proc/net/stat/nf_conntrack (a heading, then hexadecimal columns per CPU) and
 * /proc/sys/net/netfilter/nf_conntrack_count and nf_conntrack_max.
 * Source of truth: net/netfilter/nf_conntrack_standalone.c (ct_cpu_seq_show).
 * Versions seen: Linux 6.18; 4.x has `searched` where later ones have `clashres`: names are taken from the heading.
 * Not understood: nothing.
 */

/** /proc/net/stat/nf_conntrack summed over the CPUs, with the table's fill: nf_conntrack_count and _max. */
export interface ConntrackStatistics {
  readonly count?: number;
  readonly max?: number;
  /** found, invalid, insert, insert_failed, drop, early_drop …; `entries` is the table's count and not a sum. */
  readonly counters: Readonly<Record<string, number>>;
}

export function parseConntrackStatistics(text: string): Parsed<ConntrackStatistics> {
  const files = parseFileReply(text);
  const unparsed: UnparsedLine[] = [...files.unparsed];
  const find = (ending: string): FileEntry | undefined => files.value.find((file) => file.path.endsWith(ending));
  const number = (ending: string): number | undefined => {
    const found = find(ending)?.text?.trim();
    if (found === undefined) return undefined;
    if (/^\d+$/.test(found)) return Number(found);
    unparsed.push({ line: 1, text: `${ending}: ${found}` });
    return undefined;
  };
  const count = number('/nf_conntrack_count');
  const max = number('/nf_conntrack_max');
  const counters = countersOf(find('/stat/nf_conntrack')?.text ?? '', unparsed);
  return { value: { ...(count !== undefined && { count }), ...(max !== undefined && { max }), counters }, unparsed };
}

function countersOf(text: string, unparsed: UnparsedLine[]): Record<string, number> {
  const [heading = '', ...rows] = text.split('\n');
  const names = heading.trim().split(/\s+/);
  const counters: Record<string, number> = {};
  rows.forEach((row, index) => {
    if (row.trim() === '') return;
    const columns = row.trim().split(/\s+/);
    if (columns.length !== names.length || !columns.every((column) => /^[0-9a-f]+$/.test(column))) {
      unparsed.push({ line: index + 2, text: row });
      return;
    }
    columns.forEach((column, at) => {
      const name = names[at]!;
      const count = Number.parseInt(column, 16);
      counters[name] = name === 'entries' ? count : (counters[name] ?? 0) + count;
    });
  });
  return counters;
}
