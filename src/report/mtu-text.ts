import { type Layout, layoutOf, section, type TextOptions, targetLines } from './layout.ts';
import type { MtuReport, MtuReportDevice, MtuReportSearch, MtuReportWay } from './mtu-report.ts';
import { plainText } from './plain-text.ts';
import { wrapText } from './wrap-text.ts';

/** A path-MTU probe for a terminal: each way with its MTU, what limits it, and how that was found. */
export function renderMtuText(given: MtuReport, options: TextOptions): string {
  const report = plainText(given);
  const layout = layoutOf(options);
  const blocks = [
    head(report, layout),
    ...report.ways.map((way) => wayBlock(way, layout)),
    section('CREATED IN THE CLUSTER', report.created, layout),
  ];
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`;
}

function head(report: MtuReport, layout: Layout): string {
  const { paint, width } = layout;
  const verdict = {
    answered: paint.green('✓ NOTHING IS LOST FOR ITS SIZE'),
    failed: paint.red('✗ LARGE PACKETS ARE LOST'),
    unknown: paint.yellow('? COULD NOT TELL'),
  }[report.verdict];
  return [...targetLines(report.target, layout), paint.bold(verdict), ...wrapText(report.summary, width, '  ')].join(
    '\n',
  );
}

function wayBlock(way: MtuReportWay, layout: Layout): string {
  const { paint, width, verbose } = layout;
  return [
    paint.bold(`${way.direction.toUpperCase()}: ${way.from} → ${way.to}`),
    ...wrapText(way.statement, width, '  '),
    ...way.findings.flatMap((finding) => wrapText(finding, width, '  · ', '    ')),
    ...way.searches.flatMap((search) => searchLines(search, width, verbose)),
    ...(way.devices.length === 0
      ? []
      : wrapText(`on the way: ${way.devices.map(deviceText).join(', ')}`, width, '  ', '    ')),
  ].join('\n');
}

function searchLines({ by, statement, sizes }: MtuReportSearch, width: number, verbose: boolean): string[] {
  const name = by === 'icmp' ? 'by ping' : 'by SYNs with data';
  const counts = sizes.map(({ sizeBytes, sent, answered }) => `${sizeBytes}: ${answered}/${sent}`);
  return [
    ...wrapText(`${name}: ${statement}`, width, '  ', '    '),
    ...(verbose && counts.length > 0 ? wrapText(`answered of sent, by size: ${counts.join(', ')}`, width, '    ') : []),
  ];
}

function deviceText({ place, device, mtuBytes, carriesBytes }: MtuReportDevice): string {
  const inner = carriesBytes === mtuBytes ? '' : ` (inside it ${carriesBytes})`;
  return `${device} of ${place} ${mtuBytes}${inner}`;
}
