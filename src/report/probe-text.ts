import type { Times } from '../probe/describe-times.ts';
import { type Layout, layoutOf, section, type TextOptions, targetLines } from './layout.ts';
import { plainText } from './plain-text.ts';
import type { ProbeReport, ProbeReportChange, ProbeReportTarget } from './probe-report.ts';
import { wrapText } from './wrap-text.ts';

/** A repeated probe for a terminal: the numbers, what they mean, and the picture of the times. */
export function renderProbeText(given: ProbeReport, options: TextOptions): string {
  const report = plainText(given);
  const layout = layoutOf(options);
  const [asked, ...backends] = report.targets;
  const blocks = [
    head(report, layout),
    targetBlock(asked!, layout),
    backendsBlock(backends, layout),
    section('STATE CHANGES', report.changes.map(changeText), layout),
    report.changesLeftOut > 0 ? `  … and ${report.changesLeftOut} more` : '',
    section('CREATED IN THE CLUSTER', report.created, layout),
  ];
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`;
}

function head(report: ProbeReport, layout: Layout): string {
  const { paint, width } = layout;
  return [
    ...targetLines(report.target, layout),
    paint.bold(verdictText(report, paint)),
    ...wrapText(report.summary, width, '  '),
    ...report.findings.flatMap((finding) => wrapText(finding, width, '  · ', '    ')),
  ].join('\n');
}

function verdictText({ verdict, targets: [asked] }: ProbeReport, paint: Layout['paint']): string {
  switch (verdict) {
    case 'answered':
      return paint.green('✓ ALL ANSWERED');
    case 'failed':
      return paint.red(asked?.answered === 0 ? '✗ NONE ANSWERED' : '✗ SOME FAILED');
    case 'unknown':
      return paint.yellow('? COULD NOT TELL');
  }
}

function targetBlock(target: ProbeReportTarget, layout: Layout): string {
  const { times, histogram, name } = target;
  return [
    layout.paint.bold(`${name}: ${countsText(target)}`),
    ...(times === undefined ? [] : wrapText(timesText(times), layout.width, '  ')),
    ...outcomeLines(target, layout),
    ...(histogram.length === 0 ? [] : ['', ...histogramLines(target, layout)]),
  ].join('\n');
}

function countsText({ sent, answered, failed, lossPercent, unknown }: ProbeReportTarget): string {
  const loss = lossPercent === undefined ? '' : ` (${lossPercent} % loss)`;
  const untold = unknown > 0 ? `, ${unknown} unknown` : '';
  return `${sent} sent, ${answered} answered, ${failed} failed${loss}${untold}`;
}

function timesText({ minMs, avgMs, maxMs, stddevMs, p50Ms, p95Ms, p99Ms }: Times): string {
  return `min/avg/max/stddev ${[minMs, avgMs, maxMs, stddevMs].join('/')} ms, p50/p95/p99 ${[p50Ms, p95Ms, p99Ms].join('/')} ms`;
}

/** Of answers the numbers tell; of all else what was met. */
function outcomeLines({ outcomes }: ProbeReportTarget, { width, verbose }: Layout): string[] {
  return outcomes
    .filter(({ outcome }) => verbose || (outcome !== 'connected' && outcome !== 'answered'))
    .flatMap(({ outcome, count, statement }) => wrapText(`${count} ${outcome}: ${statement}`, width, '  ', '    '));
}

const BAR_WIDTH = 40;

function histogramLines({ histogram }: ProbeReportTarget, { paint }: Layout): string[] {
  const most = Math.max(...histogram.map(({ count }) => count));
  const labels = histogram.map(({ fromMs, toMs }) => `${spanText(fromMs)} – ${spanText(toMs)}`);
  const labelWidth = Math.max(...labels.map((label) => label.length));
  const countWidth = String(most).length;
  return histogram.flatMap(({ count }, at) => {
    if (count === 0) {
      // A gap of many empty lines is one line.
      return histogram[at - 1]?.count === 0 ? [] : [`  ${'…'.padStart(labelWidth)}`];
    }
    // What is there at all is seen.
    const bar = '█'.repeat(Math.max(1, Math.round((count / most) * BAR_WIDTH)));
    return [`  ${labels[at]!.padStart(labelWidth)}  ${String(count).padStart(countWidth)} ${paint.cyan(bar)}`];
  });
}

function spanText(ms: number): string {
  return ms >= 1_000 ? `${ms / 1_000} s` : `${ms} ms`;
}

function backendsBlock(backends: readonly ProbeReportTarget[], layout: Layout): string {
  if (backends.length === 0) return '';
  const { paint, width, verbose } = layout;
  const title = paint.bold('EACH BACKEND BY ITSELF, PAST THE SERVICE');
  if (verbose) return [title, ...backends.map((one) => targetBlock(one, layout))].join('\n\n');
  const lines = backends.flatMap((one) => [
    ...wrapText(lineOf(one), width, one.failed > 0 ? '  ✗ ' : '  · ', '    '),
    ...outcomeLines(one, layout).map((line) => `    ${line}`),
  ]);
  return [title, ...lines].join('\n');
}

function lineOf(target: ProbeReportTarget): string {
  const { name, times } = target;
  const ms = times === undefined ? '' : `, p50 ${times.p50Ms} ms, max ${times.maxMs} ms`;
  return `${name}: ${countsText(target)}${ms}`;
}

function changeText({ target, at, to, formerMs, statement }: ProbeReportChange): string {
  const seconds = (formerMs / 1_000).toFixed(1);
  return to === 'answering'
    ? `${at} ${target} answers again, after ${seconds} s`
    : `${at} ${target} no longer answers, after ${seconds} s: ${statement}`;
}
