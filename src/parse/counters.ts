import { parseFileReply } from './file-reply.ts';
import type { Parsed, UnparsedLine } from './parsed.ts';

/*
 * Format: a FileReply over /proc/net/snmp, /proc/net/netstat and /proc/net/snmp6.
 * Source of truth: net/ipv4/proc.c, net/ipv6/proc.c.
 * Versions seen: Linux 6.18; 4.x and 5.x have fewer fields in the same form.
 * Not understood: nothing. snmp and netstat come as pairs of lines (names, values); snmp6 as `Name value`.
 */

/**
 * Protocol counters of one network namespace: /proc/net/snmp, /proc/net/netstat, /proc/net/snmp6
 * (Documentation/networking/snmp_counter.rst). Names are the group and the field, as nstat(8) prints: `IpInAddrErrors`, `TcpExtListenDrops`.
 */
export type Counters = Readonly<Record<string, number>>;

export function parseCounters(text: string): Parsed<Counters> {
  const files = parseFileReply(text);
  const value: Record<string, number> = {};
  const unparsed: UnparsedLine[] = [...files.unparsed];
  for (const file of files.value) {
    if (file.text === undefined) continue;
    const lines = file.text.split('\n');
    unparsed.push(...(file.path.endsWith('snmp6') ? readSingles(lines, value) : readPairs(lines, value)));
  }
  return { value, unparsed };
}

function readPairs(lines: readonly string[], value: Record<string, number>): readonly UnparsedLine[] {
  const unparsed: UnparsedLine[] = [];
  for (let at = 0; at < lines.length; at += 2) {
    const names = lines[at]!.trim();
    if (names === '') continue;
    if (!readPair(names.split(/\s+/), (lines[at + 1] ?? '').trim().split(/\s+/), value)) {
      unparsed.push({ line: at + 1, text: names });
    }
  }
  return unparsed;
}

function readPair(names: readonly string[], values: readonly string[], value: Record<string, number>): boolean {
  const group = names[0]!;
  if (!/^\w+:$/.test(group) || values[0] !== group || values.length !== names.length) return false;
  if (!values.slice(1).every((text) => /^-?\d+$/.test(text))) return false;
  for (let at = 1; at < names.length; at++) value[group.slice(0, -1) + names[at]!] = Number(values[at]);
  return true;
}

function readSingles(lines: readonly string[], value: Record<string, number>): readonly UnparsedLine[] {
  const unparsed: UnparsedLine[] = [];
  lines.forEach((line, index) => {
    const words = /^(?<name>\w+)\s+(?<count>-?\d+)\s*$/.exec(line)?.groups;
    if (words) value[words.name!] = Number(words.count);
    else if (line.trim() !== '') unparsed.push({ line: index + 1, text: line });
  });
  return unparsed;
}
