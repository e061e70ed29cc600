import { captureBlock } from './capture-text.ts';
import { causeBlock, causeWord } from './cause-block.ts';
import { type Layout, layoutOf, section, type TextOptions, targetLines } from './layout.ts';
import { movedBlock } from './moved-block.ts';
import { chanceText } from './path-lines.ts';
import { pathsBlock } from './paths-block.ts';
import { placeText } from './place-text.ts';
import { plainText } from './plain-text.ts';
import type { Report, ReportCause } from './report.ts';
import { wrapText } from './wrap-text.ts';

/** Reasons that are told without -v. */
const REASONS_MAX = 8;

/**
 * The report for a terminal. What was asked, what is wrong, the proof and the fix come first, then the path with the
 * place of death, then what was ruled out and what was not seen. Nothing in it can move the terminal's cursor.
 */
export function renderText(given: Report, options: TextOptions): string {
  const report = plainText(given);
  const layout = layoutOf(options);
  const notChecked = notCheckedBlock(report, layout);
  const isOpen = report.verdict === 'inconclusive';
  const blocks = [
    head(report, layout),
    ...report.causes.map((cause, i) =>
      causeBlock(cause, causeWord(cause, i, report.verdict), layout, !isTold(cause, i, report)),
    ),
    unexplainedBlock(report, layout),
    section('CONTRADICTION: one of walk, probe and capture is wrong', report.disagreements, layout),
    isOpen ? notChecked : '',
    pathsBlock(report, layout),
    ...report.captures.map((capture) => captureBlock(capture, layout)),
    movedBlock(report, layout),
    stepsBlock(report, layout),
    probesBlock(report, layout),
    ruledOutBlock(report, layout),
    isOpen ? '' : notChecked,
    section('DATAPATH', report.datapath, layout),
    section('CREATED IN THE CLUSTER', report.created, layout),
    ...(layout.verbose ? [timingsBlock(report, layout)] : []),
    layout.paint.dim(countsLine(report)),
  ];
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`;
}

function head(report: Report, layout: Layout): string {
  const { paint, width } = layout;
  const mark = {
    fault: paint.red('✗ FAULT'),
    healthy: paint.green('✓ HEALTHY'),
    inconclusive: paint.yellow('? COULD NOT TELL'),
  }[report.verdict];
  return [
    ...targetLines(report.target, layout),
    `${paint.bold(mark)}${report.class === null ? '' : `  ${report.class}`}`,
    ...wrapText(report.summary, width, '  '),
  ].join('\n');
}

/** Whether the verdict's sentence has said this cause's title already. */
function isTold(cause: ReportCause, index: number, report: Report): boolean {
  return index === 0 && report.summary.startsWith(cause.title);
}

function unexplainedBlock(report: Report, layout: Layout): string {
  return section(
    'UNEXPLAINED: the walk ends here, and no known cause claims it',
    report.unexplained.map(({ chance, flow, disposition, place, at, text }) => {
      const share =
        chance.min >= 1 ? '' : ` (${chance.min > 0 ? chanceText(chance) : 'if an undecided rule leads there'})`;
      return `${flow}: ${disposition}${share} at ${placeText(place)}${at ? `, ${at}` : ''}${text ? `: ${text}` : ''}`;
    }),
    layout,
  );
}

const MARKS: Readonly<Record<string, string>> = { yes: '✓', no: '✗', unknown: '?' };

/** The way through the decision procedure (`podtriage workflow`), with what each step saw. */
function stepsBlock(report: Report, { paint, width }: Layout): string {
  if (report.workflow.length === 0) return '';
  const lines = report.workflow.flatMap(({ question, answer, because }) =>
    wrapText(`${question} ${answer}: ${because}`, width, `  ${MARKS[answer] ?? '?'} `, '    '),
  );
  return [paint.bold('STEPS TAKEN'), ...lines].join('\n');
}

/** Probes that no step of the procedure has told of. */
function probesBlock(report: Report, layout: Layout): string {
  const told = new Set(report.workflow.map((step) => step.because));
  const others = layout.verbose ? report.probes : report.probes.filter(({ id }) => !id.startsWith('size/'));
  const statements = others.map((probe) => probe.statement).filter((statement) => !told.has(statement));
  const sizes = report.probes.length - others.length;
  if (sizes > 0) statements.push(`pings of ${sizes} sizes, to find from which on they are lost (-v lists them)`);
  return section('OTHER PROBES', [...new Set(statements)], layout);
}

function ruledOutBlock(report: Report, layout: Layout): string {
  if (report.ruledOut.length === 0) return '';
  const title = `RULED OUT (${report.ruledOut.length})`;
  if (layout.verbose)
    return section(
      title,
      report.ruledOut.map((one) => `${one.id}: ${one.because}`),
      layout,
    );
  const ids = report.ruledOut.map((one) => one.id).join(', ');
  return [layout.paint.bold(title), ...wrapText(ids, layout.width, '  ').map((line) => layout.paint.dim(line))].join(
    '\n',
  );
}

function notCheckedBlock(report: Report, layout: Layout): string {
  const byReason = Map.groupBy(report.notChecked, (one) => one.because);
  const items = [...byReason].map(([because, all]) => `${all.map((one) => one.id).join(', ')}: ${because}`);
  const shown = layout.verbose ? items : items.slice(0, REASONS_MAX);
  const hidden = items.length - shown.length;
  return section(
    `COULD NOT CHECK (${report.notChecked.length})`,
    hidden > 0 ? [...shown, `and ${hidden} more reasons (-v shows all)`] : shown,
    layout,
  );
}

function timingsBlock(report: Report, layout: Layout): string {
  return section(
    'TIME',
    Object.entries(report.timings).map(([what, ms]) => `${what}: ${(ms / 1000).toFixed(2)} s`),
    layout,
  );
}

function countsLine(report: Report): string {
  const found = report.causes.length + report.unexplained.length;
  const counts = `${found} found, ${report.ruledOut.length} ruled out, ${report.notChecked.length} could not be checked`;
  return `${counts}; took ${(report.durationMs / 1000).toFixed(1)} s`;
}
