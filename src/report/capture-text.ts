import type { CaptureReport, CaptureReportPacket, CaptureSection } from './capture-report.ts';
import { shortPlace } from './end-text.ts';
import { kernelSentences } from './kernel-section.ts';
import { type Layout, layoutOf, section, type TextOptions, targetLines } from './layout.ts';
import { plainText } from './plain-text.ts';
import { rulesSentences } from './rules-section.ts';
import { wrapText } from './wrap-text.ts';

/** A capture for a terminal: what became of the attempts, then where each packet was seen. */
export function renderCaptureText(given: CaptureReport, options: TextOptions): string {
  const report = plainText(given);
  const layout = layoutOf(options);
  const blocks = [
    head(report, layout),
    tableOf(report, layout),
    section('THE RULES DID', rulesSentences(report, options.verbose), layout),
    section('THE KERNEL SAYS', kernelSentences(report, options.verbose), layout),
    section('ALSO SEEN', report.observations, layout),
    options.verbose ? packetList(report, layout) : '',
    options.verbose
      ? section(
          'FILTERS',
          report.points.map(({ filter }, at) => `${at + 1}: ${filter}`),
          layout,
        )
      : '',
    section('CREATED IN THE CLUSTER', report.created, layout),
  ];
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`;
}

/** As a part of a diagnosis: what became of the packets, and with -v where each was seen. */
export function captureBlock(capture: CaptureSection, layout: Layout): string {
  const title = layout.paint.bold(`CAPTURE of ${capture.flow}, at ${capture.points.length} devices`);
  const sentences = [...rulesSentences(capture, layout.verbose), ...kernelSentences(capture, layout.verbose)];
  const said = sentences.flatMap((line) => wrapText(line, layout.width, '  ', '    '));
  const lines = [title, ...findingLines(capture, layout.width), ...walkLines(capture, layout), ...said];
  if (!layout.verbose) return lines.join('\n');
  return [lines.join('\n'), tableOf(capture, layout), section('ALSO SEEN', capture.observations, layout)]
    .filter((block) => block !== '')
    .join('\n\n');
}

function findingLines(
  { findings, attempts: all, summary }: Pick<CaptureReport, 'findings' | 'attempts' | 'summary'>,
  width: number,
): string[] {
  if (findings.length === 0) return wrapText(summary, width, '  ');
  return findings.flatMap(({ attempts, statement, between }) => [
    ...wrapText(`${attempts} of ${all.length}: ${statement}`, width, '  ', '    '),
    ...(between === undefined ? [] : wrapText(`between: ${between}`, width, '    ', '      ')),
  ]);
}

function walkLines({ walk }: Pick<CaptureReport, 'walk'>, { paint, width }: Layout): string[] {
  const word = { yes: 'agrees', no: 'DISAGREES', unknown: 'does not tell' }[walk.agrees];
  const lines = wrapText(`the walk ${word}: ${walk.statement}`, width, '  ', '    ');
  return walk.agrees === 'no' ? lines.map((line) => paint.yellow(line)) : lines;
}

function head(report: CaptureReport, layout: Layout): string {
  const { paint, width } = layout;
  return [
    ...targetLines(report.target, layout),
    paint.bold(verdictText(report, paint)),
    ...findingLines(report, width),
    ...walkLines(report, layout),
  ].join('\n');
}

function verdictText({ verdict }: CaptureReport, paint: Layout['paint']): string {
  switch (verdict) {
    case 'answered':
      return paint.green('✓ ANSWERED');
    case 'lost':
      return paint.red('✗ LOST');
    case 'refused':
      return paint.red('✗ REFUSED');
    case 'unknown':
      return paint.yellow('? COULD NOT TELL');
  }
}

/** Kinds of packets that get a column. */
const COLUMNS = 6;

/** Devices × packets: how many sendings of each kind were seen there. */
function tableOf(report: Pick<CaptureReport, 'attempts' | 'points'>, { paint }: Layout): string {
  const packets = report.attempts.flatMap((attempt) => attempt.packets);
  const kinds = [...new Map(packets.map((packet) => [kindOf(packet), packet])).keys()].slice(0, COLUMNS);
  const rows = report.points.map((point, at) => [
    `${at + 1}`,
    shortPlace({ node: point.place.node, namespace: point.place.namespace as 'host' }),
    point.device,
    ...kinds.map((kind) =>
      cellOf(
        packets.filter((packet) => kindOf(packet) === kind),
        at,
        point.isWhole,
      ),
    ),
  ]);
  const header = ['', '', '', ...kinds];
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string =>
    `  ${row.map((cell, column) => (column < 3 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))).join('  ')}`.trimEnd();
  return [paint.bold('WHERE EACH PACKET WAS SEEN'), line(header), ...rows.map(line)].join('\n');
}

function kindOf({ label, leg }: CaptureReportPacket): string {
  return `${leg === 'there' ? '→' : '←'} ${label.replace(/ \d+$/, '')}`;
}

/** `?` where it may have been missed. */
function cellOf(packets: readonly CaptureReportPacket[], point: number, isWhole: boolean): string {
  const seen = packets.filter((packet) => packet.seen.some((one) => one.point === point)).length;
  if (seen > 0) return String(seen);
  return isWhole ? '·' : '?';
}

function packetList(report: CaptureReport, { paint }: Layout): string {
  const lines = report.attempts.flatMap(({ outcome, packets }, at) => [
    `  ${at + 1}. ${outcome}`,
    ...packets.flatMap(({ label, leg, sending, fate, seen }) => [
      `     ${leg === 'there' ? '→' : '←'} ${label}${sending > 1 ? ` (sending ${sending})` : ''}: ${fate}`,
      ...seen.map(
        ({ point, atMs, source, destination, ttl, tunnel, checksum }) =>
          `         ${String(point + 1).padStart(2)} ${atMs.toFixed(3).padStart(10)} ms  ${source} → ${destination}  ttl ${ttl}${tunnel === undefined ? '' : `  in ${tunnel}`}${checksum === 'bad' ? '  BAD CHECKSUM' : ''}`,
      ),
    ]),
  ]);
  return [paint.bold('PACKET BY PACKET'), ...lines].join('\n');
}
