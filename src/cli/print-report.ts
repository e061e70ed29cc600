import { renderJson } from '../report/json.ts';
import type { Report } from '../report/report.ts';
import { renderText } from '../report/text.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';

export function printReport(
  report: Report,
  options: { readonly output: 'text' | 'json'; readonly verbose: boolean },
): void {
  if (options.output === 'json') {
    process.stdout.write(renderJson(report));
    return;
  }
  process.stdout.write(
    renderText(report, { color: wantsColor(), columns: process.stdout.columns ?? 100, verbose: options.verbose }),
  );
}

/** No colour when piped; NO_COLOR (no-color.org) and FORCE_COLOR are heeded. */
export function wantsColor(): boolean {
  if (process.env['NO_COLOR']) return false;
  if (process.env['FORCE_COLOR']) return true;
  return process.stdout.isTTY === true;
}

export function exitCodeOf(report: Report): ExitCode {
  return { fault: EXIT.fault, healthy: EXIT.healthy, inconclusive: EXIT.inconclusive }[report.verdict];
}
