import type picocolors from 'picocolors';
import { wrapText } from './wrap-text.ts';

/** How the report is set on a terminal. */
export interface Layout {
  readonly paint: ReturnType<typeof picocolors.createColors>;
  readonly width: number;
  readonly verbose: boolean;
}

/** A titled list; nothing where it has no items. */
export function section(title: string, items: readonly string[], layout: Layout): string {
  if (items.length === 0) return '';
  return [
    ...wrapText(title, layout.width).map((line) => layout.paint.bold(line)),
    ...items.flatMap((item) => wrapText(item, layout.width, '  · ', '    ')),
  ].join('\n');
}
