import picocolors from 'picocolors';
import type { Trace } from '../simulate/trace.ts';
import { pathLines } from './path-lines.ts';
import type { Report, ReportCause, ReportPlace } from './report.ts';
import { wrapText } from './wrap-text.ts';

export interface TextOptions {
  readonly color: boolean;
  /** Columns; 100 at most are used. */
  readonly columns: number;
  readonly verbose: boolean;
}

type Paint = ReturnType<typeof picocolors.createColors>;

/** The report for a terminal: what is wrong, the proof and the fix first; the path; then what was ruled out and what was not seen. */
export function renderText(report: Report, options: TextOptions): string {
  const paint = picocolors.createColors(options.color);
  const width = Math.min(100, Math.max(60, options.columns));
  const blocks = [
    head(report, paint, width),
    ...report.causes.map((cause, i) =>
      causeBlock(cause, i === 0 ? 'ROOT CAUSE' : cause.gravity === 'fault' ? 'ALSO' : 'NOTE', paint, width, ''),
    ),
    unexplainedBlock(report, paint, width),
    list('DISAGREEMENT', report.disagreements, paint, width),
    pathsBlock(report, options, paint, width),
    probesBlock(report, paint, width),
    workflowBlock(report, paint, width),
    ruledOutBlock(report, options, paint, width),
    notCheckedBlock(report, options, paint, width),
    list('DATAPATH', report.datapath, paint, width),
    list('CREATED', report.created, paint, width),
    paint.dim(`took ${(report.durationMs / 1000).toFixed(1)} s`),
  ];
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`;
}

function head(report: Report, paint: Paint, width: number): string {
  const { source, destination, flow, notes } = report.target;
  const lines = [`${paint.bold(source)} → ${paint.bold(destination)}`, paint.dim(`  ${flow}`)];
  const mark = {
    fault: paint.red('✗ FAULT'),
    healthy: paint.green('✓ HEALTHY'),
    inconclusive: paint.yellow('? COULD NOT TELL'),
  }[report.verdict];
  const symptom = report.class === null ? '' : paint.dim(`  ${report.class}`);
  lines.push('', `${mark}${symptom}`, ...wrapText(report.summary, width, '  '));
  return [
    ...lines,
    ...notes.flatMap((note) => wrapText(`note: ${note}`, width, '  ')).map((line) => paint.dim(line)),
  ].join('\n');
}

function causeBlock(cause: ReportCause, word: string, paint: Paint, width: number, indent: string): string {
  const body = `${indent}  `;
  const lines = [
    `${indent}${paint.bold(word)}  ${paint.bold(paint.red(cause.id))}  ${confidence(cause, paint)}`,
    ...wrapText(cause.title, width, body),
    ...wrapText(`at ${placeText(cause.place)}`, width, body),
  ];
  for (const evidence of cause.evidence) {
    lines.push(...wrapText(evidence.statement, width, `${body}· `, `${body}  `));
    const line = evidence.line === undefined ? '' : `:${evidence.line}`;
    lines.push(
      ...wrapText(`${evidence.plane}: ${evidence.source}${line}`, width, `${body}    `).map((text) => paint.dim(text)),
    );
    if (evidence.text && !evidence.statement.includes(evidence.text)) {
      lines.push(...wrapText(evidence.text, width, `${body}    `).map((text) => paint.cyan(text)));
    }
  }
  if (cause.counterfactual) {
    lines.push(
      ...wrapText(
        `with “${cause.counterfactual.change}” the walk ends in: ${cause.counterfactual.disposition}`,
        width,
        body,
      ),
    );
  }
  lines.push(...wrapText(`fix: ${cause.fix.summary}`, width, body).map((line) => paint.green(line)));
  // Commands are never wrapped: they are there to be copied.
  lines.push(
    ...cause.fix.commands.map((command) => `${body}  ${command.startsWith('#') ? paint.dim(command) : command}`),
  );
  const nested = cause.explains.map((child) => causeBlock(child, 'and so', paint, width, `${indent}    `));
  return [lines.join('\n'), ...nested].join('\n');
}

function confidence(cause: ReportCause, paint: Paint): string {
  const word = cause.gravity === 'fault' ? cause.confidence : `${cause.confidence}, ${cause.gravity}`;
  return cause.confidence === 'proven' ? paint.green(word) : paint.yellow(word);
}

export function placeText(place: ReportPlace): string {
  const where =
    place.node === ''
      ? 'the cluster'
      : place.namespace === 'host'
        ? `node ${place.node}`
        : `${place.namespace} on node ${place.node}`;
  return place.object ? `${where}: ${place.object}` : where;
}

function unexplainedBlock(report: Report, paint: Paint, width: number): string {
  if (report.unexplained.length === 0) return '';
  const lines = report.unexplained.flatMap((dead) =>
    wrapText(
      `${dead.flow}: ${dead.disposition} at ${placeText(dead.place)}${dead.at ? `, ${dead.at}` : ''}${dead.text ? `: ${dead.text}` : ''}`,
      width,
      '  · ',
      '    ',
    ),
  );
  return [paint.bold('UNEXPLAINED: the walk dies here, and no known cause claims it'), ...lines].join('\n');
}

/** The way that matters: main's, or another flow's where only that one dies. Healthy ways are drawn only on request. */
function pathsBlock(report: Report, options: TextOptions, paint: Paint, width: number): string {
  if (report.verdict === 'healthy' && !options.verbose) return '';
  const drawn = report.paths.filter((path) => options.verbose || path.flow === pathToDraw(report));
  return drawn
    .map((path) => {
      const legs = [path.trip.forward, ...path.trip.replies.map((reply) => reply.trace)];
      const dying = legs.findIndex((leg) => deadSegments(leg).size > 0);
      const chosen = options.verbose ? legs : [legs[Math.max(0, dying)]!];
      return chosen
        .map((leg) =>
          traceBlock(
            leg,
            `PATH  ${path.flow}  ${path.description}${leg === legs[0] ? '' : '  (the way back)'}`,
            paint,
            width,
          ),
        )
        .join('\n\n');
    })
    .join('\n\n');
}

function pathToDraw(report: Report): string | undefined {
  const isDying = (path: Report['paths'][number]): boolean =>
    [path.trip.forward, ...path.trip.replies.map((reply) => reply.trace)].some((leg) => deadSegments(leg).size > 0);
  const main = report.paths.find((path) => path.flow === 'main');
  if (main && isDying(main)) return 'main';
  return (report.paths.find(isDying) ?? main ?? report.paths[0])?.flow;
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

function traceBlock(trace: Trace, title: string, paint: Paint, width: number): string {
  const lines = pathLines(trace, deadSegments(trace)).flatMap((line): string[] => {
    if (line.kind === 'hop') return wrapText(line.text, width, '  ').map((text) => paint.bold(text));
    if (line.kind === 'death') return wrapText(line.text, width, '   ✗ ', '     ').map((text) => paint.red(text));
    if (line.kind === 'fork') return wrapText(line.text, width, '  ┄ ').map((text) => paint.dim(text));
    if (line.kind === 'end') return wrapText(line.text, width, '   ● ', '     ');
    return wrapText(line.text, width, '   │ ', '   │   ');
  });
  return [paint.bold(title), ...lines].join('\n');
}

function probesBlock(report: Report, paint: Paint, width: number): string {
  return list(
    'PROBES',
    report.probes.map((probe) => probe.statement),
    paint,
    width,
  );
}

function workflowBlock(report: Report, paint: Paint, width: number): string {
  return list(
    'WAY TAKEN',
    report.workflow.map((step) => `${step.question} ${step.answer}`),
    paint,
    width,
  );
}

function ruledOutBlock(report: Report, options: TextOptions, paint: Paint, width: number): string {
  if (report.ruledOut.length === 0) return '';
  if (options.verbose)
    return list(
      `RULED OUT (${report.ruledOut.length})`,
      report.ruledOut.map((one) => `${one.id}: ${one.because}`),
      paint,
      width,
    );
  const ids = report.ruledOut.map((one) => one.id).join(', ');
  return [
    paint.bold(`RULED OUT (${report.ruledOut.length})`),
    ...wrapText(ids, width, '  ').map((line) => paint.dim(line)),
  ].join('\n');
}

function notCheckedBlock(report: Report, options: TextOptions, paint: Paint, width: number): string {
  const title = `COULD NOT CHECK (${report.notChecked.length})`;
  if (report.notChecked.length === 0) return '';
  const byReason = Map.groupBy(report.notChecked, (one) => one.because);
  const items = [...byReason].map(([because, all]) => `${all.map((one) => one.id).join(', ')}: ${because}`);
  const most = options.verbose ? items.length : 8;
  return list(
    title,
    items.length > most ? [...items.slice(0, most), `and ${items.length - most} more reasons (-v shows all)`] : items,
    paint,
    width,
  );
}

function list(title: string, items: readonly string[], paint: Paint, width: number): string {
  if (items.length === 0) return '';
  return [paint.bold(title), ...items.flatMap((item) => wrapText(item, width, '  · ', '    '))].join('\n');
}
