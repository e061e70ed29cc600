import type { Report } from './report.ts';

/** What JSON may hold as it is and a terminal may act on: C1 controls, line separators, marks that reorder text. */
const ACTED_ON = /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** The report as `-o json` prints it: schema podtriage.report/v1 (src/report/schema.ts). Safe to look at on a terminal. */
export function renderJson(report: Report): string {
  const text = JSON.stringify(report, null, 2);
  return `${text.replace(ACTED_ON, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)}\n`;
}
