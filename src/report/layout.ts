import picocolors from 'picocolors';
import { wrapText } from './wrap-text.ts';

/** How the report is set on a terminal. */
export interface Layout {
  readonly paint: ReturnType<typeof picocolors.createColors>;
  readonly width: number;
  readonly verbose: boolean;
}

/** What a terminal's reader asked for. */
export interface TextOptions {
  readonly color: boolean;
  /** Width of the terminal; a report is set within COLUMNS_MIN and COLUMNS_MAX. */
  readonly columns: number;
  readonly verbose: boolean;
}

export const COLUMNS_MIN = 60;
export const COLUMNS_MAX = 100;

export function layoutOf({ color, columns, verbose }: TextOptions): Layout {
  return {
    paint: picocolors.createColors(color),
    width: Math.min(COLUMNS_MAX, Math.max(COLUMNS_MIN, columns)),
    verbose,
  };
}

/** What every report begins with: what was asked, the packet that it became, and what the reader must know of it. */
export interface ReportTarget {
  readonly source: string;
  readonly destination: string;
  readonly flow: string;
  readonly notes: readonly string[];
}

export function targetLines({ source, destination, flow, notes }: ReportTarget, { paint, width }: Layout): string[] {
  return [
    ...wrapText(`${source} → ${destination}`, width, '', '  ').map((line) => paint.bold(line)),
    ...wrapText(flow, width, '  ').map((line) => paint.dim(line)),
    ...notes.flatMap((note) => wrapText(note, width, '  note: ')).map((line) => paint.dim(line)),
    '',
  ];
}

/** A titled list; nothing where it has no items. */
export function section(title: string, items: readonly string[], layout: Layout): string {
  if (items.length === 0) return '';
  return [
    ...wrapText(title, layout.width).map((line) => layout.paint.bold(line)),
    ...items.flatMap((item) => wrapText(item, layout.width, '  · ', '    ')),
  ].join('\n');
}
