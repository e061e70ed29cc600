import { isObject, type JsonObject, parseItems, parseJsonItems, stringOf } from './json-items.ts';
import type { Parsed, UnparsedLine } from './parsed.ts';
import { looksLikeJson } from './text-lines.ts';

/*
 * Formats: the JSON of `TcFilter[]` as podtriage's node side makes it; or for each device and direction a line `# DEVICE ingress|egress`, then `tc -j filter show dev DEVICE ingress`.
 * Source of truth: tc(8), iproute2's tc/tc_filter.c, tc/f_bpf.c.
 * Versions seen: iproute2 6.1; 5.x by its source.
 * Not understood: what a filter does. That there is one is what matters: the packet's way beyond it is not modelled.
 */

/** A traffic-control filter at a device's ingress or egress. */
export interface TcFilter {
  readonly device: string;
  readonly direction: 'ingress' | 'egress';
  /** bpf, u32, flower, matchall … */
  readonly kind: string;
  /** A BPF program's name as it was loaded; '' for other kinds. */
  readonly name: string;
}

const HEADING = /^# (?<device>\S+) (?<direction>ingress|egress)\s*$/;

export function parseTcFilters(text: string): Parsed<readonly TcFilter[]> {
  return looksLikeJson(text) ? parseItems(text, filterAsMade) : parseSections(text);
}

function filterAsMade(item: JsonObject): TcFilter | undefined {
  const { direction } = item;
  const device = stringOf(item.device);
  const kind = stringOf(item.kind);
  if (device === undefined || kind === undefined) return undefined;
  if (direction !== 'ingress' && direction !== 'egress') return undefined;
  return { device, direction, kind, name: stringOf(item.name) ?? '' };
}

function parseSections(text: string): Parsed<readonly TcFilter[]> {
  const value: TcFilter[] = [];
  const unparsed: UnparsedLine[] = [];
  for (const section of sectionsOf(text)) {
    const heading = HEADING.exec(section.heading)?.groups;
    if (!heading) {
      if (section.body.trim() !== '') unparsed.push({ line: section.line, text: section.body.trim() });
      continue;
    }
    const items = parseJsonItems(section.body);
    unparsed.push(...items.unparsed);
    for (const item of items.value) {
      const direction = heading.direction as TcFilter['direction'];
      const filter = filterOf(item, heading.device!, direction);
      if (filter === undefined) unparsed.push({ line: section.line, text: JSON.stringify(item) });
      else if (filter !== 'preference') value.push(filter);
    }
  }
  return { value, unparsed };
}

interface Section {
  readonly line: number;
  readonly heading: string;
  body: string;
}

function sectionsOf(text: string): readonly Section[] {
  const sections: Section[] = [{ line: 1, heading: '', body: '' }];
  text.split('\n').forEach((line, index) => {
    if (line.startsWith('#')) sections.push({ line: index + 1, heading: line, body: '' });
    else sections.at(-1)!.body += `${line}\n`;
  });
  return sections;
}

/** tc prints each preference once without options, then its filters with them; the first says nothing new. */
function filterOf(
  item: JsonObject,
  device: string,
  direction: TcFilter['direction'],
): TcFilter | 'preference' | undefined {
  const kind = stringOf(item.kind);
  if (kind === undefined) return undefined;
  if (!isObject(item.options)) return 'preference';
  const program = isObject(item.options.prog) ? item.options.prog : {};
  return { device, direction, kind, name: stringOf(item.options.bpf_name) ?? stringOf(program.name) ?? '' };
}
