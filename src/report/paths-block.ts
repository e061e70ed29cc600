import type { Trace } from '../simulate/trace.ts';
import type { Layout } from './layout.ts';
import { type PathLine, pathLines } from './path-lines.ts';
import type { Report } from './report.ts';
import { wrapText } from './wrap-text.ts';

type Path = Report['paths'][number];

/** The way that matters: main's, or another flow's where only that one dies. Healthy ways are drawn only on request. */
export function pathsBlock(report: Report, layout: Layout): string {
  if (layout.verbose)
    return report.paths.flatMap((path) => legsOf(path).map((_, i) => legBlock(path, i, layout))).join('\n\n');
  if (report.verdict === 'healthy') return '';
  const path = pathToDraw(report);
  if (!path) return '';
  const legs = legsOf(path);
  const dying = legs.findIndex((leg) => deadSegments(leg).size > 0);
  return legBlock(path, dying >= 0 ? dying : Math.max(0, legs.findIndex(isOpen)), layout);
}

/** The way there, then every way back. */
function legsOf({ trip }: Path): readonly Trace[] {
  return [trip.forward, ...trip.replies.map((reply) => reply.trace)];
}

/** A flow that dies, of those that the first cause or dead end is about if there is one; otherwise one that is not known. */
function pathToDraw({ paths }: Report): Path | undefined {
  const main = paths.find((path) => path.flow === 'main');
  const isDying = (path: Path): boolean => legsOf(path).some((leg) => deadSegments(leg).size > 0);
  if (main && isDying(main)) return main;
  const decisive = paths.filter((path) => path.flow !== 'icmp');
  return decisive.find(isDying) ?? main ?? decisive.find((path) => legsOf(path).some(isOpen)) ?? paths[0];
}

const ALIVE: ReadonlySet<string> = new Set([
  'delivered',
  'left-the-cluster',
  'handed-to-userspace',
  'insufficient-information',
]);

function deadSegments(trace: Trace): ReadonlySet<number> {
  return new Set(
    trace.segments.flatMap((segment, i) => ('end' in segment.then && !ALIVE.has(segment.then.end) ? [i] : [])),
  );
}

function isOpen(trace: Trace): boolean {
  return trace.segments.some((segment) => 'end' in segment.then && segment.then.end === 'insufficient-information');
}

function legBlock(path: Path, leg: number, layout: Layout): string {
  const trace = legsOf(path)[leg]!;
  const name = path.flow === 'main' ? '' : `${path.flow}: `;
  const title = `${name}${path.description}${leg === 0 ? '' : ', the way back'}`;
  const lines = pathLines(trace, { dead: deadSegments(trace), all: layout.verbose });
  return [
    ...wrapText(title, layout.width, 'PATH  ').map((line) => layout.paint.bold(line)),
    ...lines.flatMap((line) => drawn(line, layout)),
  ].join('\n');
}

function drawn({ kind, text }: PathLine, { paint, width }: Layout): string[] {
  switch (kind) {
    case 'hop':
      return wrapText(text, width, '  ', '    ').map((line) => paint.bold(line));
    case 'death':
      return wrapText(text, width, '   ✗ ', '     ').map((line) => paint.bold(paint.red(line)));
    case 'proof':
      return wrapText(text, width, '     ').map((line) => paint.cyan(line));
    case 'note':
      return wrapText(text, width, '     ');
    case 'open':
      return wrapText(text, width, '   ? ', '     ').map((line) => paint.yellow(line));
    case 'end':
      return wrapText(text, width, '   ● ', '     ');
    case 'fork':
      return wrapText(text, width, '  ┄ ', '    ').map((line) => paint.dim(line));
    case 'step':
      return wrapText(text, width, '   │ ', '   │   ');
  }
}
