import type { CaptureReport } from './capture-report.ts';
import type { DnsReport } from './dns-report.ts';
import type { MtuReport } from './mtu-report.ts';
import type { ProbeReport } from './probe-report.ts';
import type { Report } from './report.ts';
import type { TraceReport } from './trace-report.ts';

/** What JSON may hold as it is and a terminal may act on: C1 controls, line separators, marks that reorder text. */
const ACTED_ON = /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** The report as `-o json` prints it: schema podtriage.report/v1 (src/report/schema.ts). Safe to look at on a terminal. */
export function renderJson(report: Report): string {
  return safeJson(report);
}

/** A trace as `simulate -o json` prints it: schema podtriage.trace/v1 (src/report/trace-schema.ts). */
export function renderTraceJson(report: TraceReport): string {
  return safeJson(report);
}

/** A capture as `capture -o json` prints it: schema podtriage.capture/v1 (src/report/capture-schema.ts). */
export function renderCaptureJson(report: CaptureReport): string {
  return safeJson(report);
}

/** Repeated probes as `probe … -o json` prints them: schema podtriage.probe/v1 (src/report/probe-schema.ts). */
export function renderProbeJson(report: ProbeReport): string {
  return safeJson(report);
}

/** A path-MTU probe as `probe mtu -o json` prints it: schema podtriage.probe/v1 (src/report/mtu-schema.ts). */
export function renderMtuJson(report: MtuReport): string {
  return safeJson(report);
}

/** A look-up as `probe dns -o json` prints it: schema podtriage.probe-dns/v1 (src/report/dns-schema.ts). */
export function renderDnsJson(report: DnsReport): string {
  return safeJson(report);
}

function safeJson(value: unknown): string {
  const text = JSON.stringify(value, null, 2);
  return `${text.replace(ACTED_ON, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)}\n`;
}
