import { parseFileReply } from './file-reply.ts';
import type { Parsed, UnparsedLine } from './parsed.ts';

/*
 * Format: a FileReply over /proc/net/softnet_stat: a line per CPU, hexadecimal columns.
 * Source of truth: net/core/net-procfs.c (softnet_seq_show).
 * Versions seen: Linux 6.18; since 2.6 the first three columns are the same.
 * Not understood: the columns after the third.
 */

/** /proc/net/softnet_stat, one per CPU (net/core/net-procfs.c). Counts are of the whole machine. */
export interface Softnet {
  readonly processed: number;
  readonly dropped: number;
  readonly timeSqueeze: number;
}

export function parseSoftnet(text: string): Parsed<readonly Softnet[]> {
  const files = parseFileReply(text);
  const value: Softnet[] = [];
  const unparsed: UnparsedLine[] = [...files.unparsed];
  for (const file of files.value) {
    (file.text ?? '').split('\n').forEach((line, index) => {
      if (line.trim() === '') return;
      const columns = line.trim().split(/\s+/).slice(0, 3);
      if (columns.length < 3 || !columns.every((column) => /^[0-9a-f]{8,16}$/.test(column))) {
        unparsed.push({ line: index + 1, text: line });
        return;
      }
      const [processed, dropped, timeSqueeze] = columns.map((column) => Number.parseInt(column, 16));
      value.push({ processed: processed!, dropped: dropped!, timeSqueeze: timeSqueeze! });
    });
  }
  return { value, unparsed };
}
