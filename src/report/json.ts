import type { Report } from './report.ts';

/** The report as `-o json` prints it: schema podtriage.report/v1 (src/report/schema.ts). */
export function renderJson(report: Report): string {
  return `${JSON.stringify(report, null, 2)}\n`;
}
