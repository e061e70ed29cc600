import { type Layout, layoutOf, section, type TextOptions, targetLines } from './layout.ts';
import { placeText } from './place-text.ts';
import { plainText } from './plain-text.ts';
import type { TraceLine } from './trace-line.ts';
import { tripLines } from './trace-lines.ts';
import type { TraceReport, TraceResult } from './trace-report.ts';
import { wrapText } from './wrap-text.ts';

export interface TraceTextOptions extends TextOptions {
  readonly allBranches: boolean;
}

/** Columns of the stage's name. */
const STAGE_WIDTH = 12;

/** The walk for a terminal: how it ends, what a what-if changes, then every hop and stage. Nothing in it can move the cursor. */
export function renderTraceText(given: TraceReport, options: TraceTextOptions): string {
  const report = plainText(given);
  const layout = layoutOf(options);
  const lines = tripLines(report, { verbose: options.verbose, allBranches: options.allBranches });
  const blocks = [
    head(report, layout),
    setLines(lines, layout),
    options.verbose ? section('DATAPATH', report.datapath, layout) : '',
    section('CREATED IN THE CLUSTER', report.created, layout),
  ];
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`;
}

function head(report: TraceReport, layout: Layout): string {
  return [
    ...targetLines(report.target, layout),
    ...(report.whatIf ? whatIfLines(report, report.whatIf, layout) : resultLines(report, layout)),
  ].join('\n');
}

function resultLines(result: TraceResult, { paint, width }: Layout): string[] {
  return [paint.bold(verdictText(result, paint)), ...wrapText(result.summary, width, '  ')];
}

/** The difference first: how it ends with the changes, and how it did. */
function whatIfLines(
  report: TraceReport,
  { changes, before }: NonNullable<TraceReport['whatIf']>,
  layout: Layout,
): string[] {
  const { paint, width } = layout;
  const made = changes.flatMap(({ change, place }) =>
    wrapText(`${change} (${placeText(place)})`, width, '  · ', '    '),
  );
  const isSame = before.verdict === report.verdict && before.summary === report.summary;
  const was = isSame ? 'it makes no difference: it was the same before' : `was: ${before.summary}`;
  return [paint.bold('WHAT IF'), ...made, ...resultLines(report, layout), ...wrapText(was, width, '  ')];
}

function verdictText({ verdict }: TraceResult, paint: Layout['paint']): string {
  if (verdict === 'delivered') return paint.green('✓ DELIVERED');
  return verdict === 'lost' ? paint.red('✗ LOST') : paint.yellow('? COULD NOT TELL');
}

function setLines(lines: readonly TraceLine[], layout: Layout): string {
  let stage: string | undefined;
  return lines
    .flatMap((line): string[] => {
      const isNew = line.stage !== stage;
      stage = line.stage;
      return setLine(line, isNew ? (line.stage ?? '') : '', layout);
    })
    .join('\n')
    .trimStart();
}

function setLine(line: TraceLine, stage: string, { paint, width }: Layout): string[] {
  const { kind, text } = line;
  const margin = `   ${stage.padEnd(STAGE_WIDTH)}${'  '.repeat(line.depth ?? 0)}`;
  const set = (mark: string, rest = ' '.repeat(margin.length + mark.length)): string[] =>
    wrapText(text, width, `${margin}${mark}`, rest);
  switch (kind) {
    case 'title':
      return ['', ...wrapText(text, width, '', '  ').map((one) => paint.bold(one))];
    case 'way':
      return ['', ...wrapText(text, width, '┄ ', '  ').map((one) => paint.bold(one))];
    case 'hop':
      return ['', ...wrapText(text, width, ' ', '    ').map((one) => paint.bold(one))];
    case 'fork':
      return wrapText(text, width, ' ┄ ', '   ');
    case 'dead':
      return wrapText(text, width, ' ✗ ', '   ').map((one) => paint.bold(paint.red(one)));
    case 'open':
      return wrapText(text, width, ' ? ', '   ').map((one) => paint.yellow(one));
    case 'alive':
      return wrapText(text, width, ' ● ', '   ').map((one) => paint.green(one));
    case 'note':
      return wrapText(text, width, '   ').map((one) => paint.dim(one));
    case 'quote':
      return line.stage === undefined
        ? wrapText(text, width, '   ').map((one) => paint.cyan(one))
        : set('  ').map((one) => paint.cyan(one));
    case 'change':
      return set('⇒ ').map((one) => paint.bold(one));
    case 'undecided':
      return set('? ').map((one) => paint.yellow(one));
    case 'passed':
      return set('- ').map((one) => paint.dim(one));
    case 'step':
    case 'packet':
      return set('');
  }
}
