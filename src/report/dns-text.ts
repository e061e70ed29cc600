import type { DnsReport, DnsReportLookup, DnsReportQuestion, DnsReportServer } from './dns-report.ts';
import { type Layout, layoutOf, section, type TextOptions, targetLines } from './layout.ts';
import { plainText } from './plain-text.ts';
import { wrapText } from './wrap-text.ts';

/** `probe dns` for a terminal: where it fails, how the name is looked up, and each server by itself. */
export function renderDnsText(given: DnsReport, options: TextOptions): string {
  const report = plainText(given);
  const layout = layoutOf(options);
  const blocks = [
    head(report, layout),
    section('HOW THE CONTAINER LOOKS UP', resolverLines(report), layout),
    ...report.lookups.map((lookup) => lookupBlock(lookup, layout)),
    serversBlock(report, layout),
    section('NOT ASKED', report.unasked, layout),
    section('STATE CHANGES', report.changes.map(changeText), layout),
    report.changesLeftOut > 0 ? `  … and ${report.changesLeftOut} more` : '',
    section('CREATED IN THE CLUSTER', report.created, layout),
  ];
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`;
}

function head(report: DnsReport, layout: Layout): string {
  const { paint, width } = layout;
  const verdict = {
    answered: paint.green('✓ FOUND, AND EVERY SERVER ANSWERS'),
    failed: paint.red(report.lookups.some(({ found }) => found > 0) ? '✗ FOUND, BUT NOT ALL IS WELL' : '✗ NOT FOUND'),
    unknown: paint.yellow('? COULD NOT TELL'),
  }[report.verdict];
  return [
    ...targetLines(report.target, layout),
    paint.bold(verdict),
    ...(report.failsAt === undefined
      ? []
      : wrapText(`fails at ${report.failsAt}`, width, '  ').map((line) => paint.bold(line))),
    ...wrapText(report.summary, width, '  '),
    ...report.findings.flatMap((finding) => wrapText(finding, width, '  · ', '    ')),
  ].join('\n');
}

function resolverLines({ resolver }: DnsReport): string[] {
  const { library, sources, hosts, nameservers, search, options } = resolver;
  return [
    library === 'unknown'
      ? 'library: not known (its files have neither glibc’s loader nor musl’s, or both); a program can bring its own resolver (Go)'
      : `library: ${library}, by its files; a program can bring its own resolver (Go)`,
    ...(sources === undefined ? [] : [`nsswitch.conf: hosts: ${sources.join(' ')}`]),
    hosts === undefined
      ? 'hosts file: not read'
      : `hosts file: ${hosts.length > 0 ? hosts.join(', ') : 'says nothing of the name'}`,
    `nameservers: ${nameservers.join(', ') || 'none'}`,
    `search: ${search.join(' ') || 'none'}`,
    `options: ${options.join(' ') || 'none'}`,
  ];
}

function lookupBlock(lookup: DnsReportLookup, layout: Layout): string {
  const { style, sent, outcomes, times, slowest } = lookup;
  const ends = outcomes.map(({ outcome, count }) => `${count} ${outcome}`).join(', ');
  const ms = times === undefined ? '' : `; min/avg/max ${times.minMs}/${times.avgMs}/${times.maxMs} ms`;
  const questions = slowest?.questions ?? [];
  return [
    layout.paint.bold(`LOOK-UP AS ${style.toUpperCase()}: ${sent} sent, ${ends || 'none told'}${ms}`),
    ...(slowest === undefined ? [] : [`  the slowest one, ${slowest.latencyMs} ms:`]),
    ...questions.flatMap(({ name, type, server, transport, sentAtMs, outcome, latencyMs, truncated }) => {
      const took =
        latencyMs === undefined ? 'no answer' : `${outcome}${truncated ? ', truncated' : ''} after ${latencyMs} ms`;
      return wrapText(
        `at ${sentAtMs} ms ${type} ${name} of ${server} by ${transport}: ${took}`,
        layout.width,
        '    ',
        '      ',
      );
    }),
  ].join('\n');
}

function serversBlock({ servers, asked }: DnsReport, layout: Layout): string {
  if (servers.length === 0) return '';
  const title = layout.paint.bold(`EACH SERVER BY ITSELF, FOR ${asked}`);
  return [title, ...servers.flatMap((server) => serverLines(server, layout))].join('\n');
}

function serverLines({ role, name, from, questions }: DnsReportServer, { width, verbose }: Layout): string[] {
  const isBad = questions.some(({ passed }) => passed === 'no');
  const all = questions.map((one) => `${wayText(one)}: ${answerText(one)}`).join('; ');
  return [
    ...wrapText(`${role} ${name}, asked from ${from}: ${all}`, width, isBad ? '  ✗ ' : '  · ', '    '),
    ...(verbose ? questions.flatMap(({ statement }) => wrapText(statement, width, '      ', '        ')) : []),
  ];
}

function wayText({ type, transport, ednsBytes }: DnsReportQuestion): string {
  return `${type} ${transport}${ednsBytes === undefined ? '' : ` EDNS ${ednsBytes}`}`;
}

function answerText({ outcome, latencyMs, truncated, bytes, tries }: DnsReportQuestion): string {
  const size = bytes === undefined ? '' : `, ${bytes} bytes`;
  const again = tries > 1 ? ` (asked ${tries} times)` : '';
  return `${outcome}${truncated ? ' truncated' : ''}${size}${latencyMs === undefined ? '' : ` ${latencyMs} ms`}${again}`;
}

function changeText({ target, at, to, formerMs, statement }: DnsReport['changes'][number]): string {
  const seconds = (formerMs / 1_000).toFixed(1);
  return to === 'answering'
    ? `${at} ${target} is found again, after ${seconds} s`
    : `${at} ${target} is no longer found in time, after ${seconds} s: ${statement}`;
}
