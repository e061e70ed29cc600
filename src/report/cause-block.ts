import type { Layout } from './layout.ts';
import { placeText } from './place-text.ts';
import type { Report, ReportCause, ReportEvidence } from './report.ts';
import { wrapText } from './wrap-text.ts';

const LABEL_WIDTH = 7;

/** A cause for a terminal: its name, where it sits, the proof with the very lines, and the fix to copy. */
export function causeBlock(cause: ReportCause, word: string, layout: Layout, titled: boolean, indent = ''): string {
  const { paint, width } = layout;
  const body = `${indent}  `;
  const inner = `${body}${' '.repeat(LABEL_WIDTH)}`;
  // What is a consequence goes with its root: its own fix would send the reader the wrong way.
  const isNested = indent !== '';
  const labelled = (label: string, text: string): string[] =>
    wrapText(text, width, `${body}${label.padEnd(LABEL_WIDTH)}`, inner);
  const proof = cause.evidence.flatMap((evidence) => evidenceLines(evidence, layout, inner));
  const [firstProof = '', ...moreProof] = proof;
  const lines = [
    `${indent}${paint.bold(word)}  ${paint.bold(nameColour(cause, layout)(cause.id))}  ${confidenceText(cause, layout)}`,
    ...(titled ? wrapText(cause.title, width, body) : []),
    ...labelled('where', placeText(cause.place)),
    `${body}${'proof'.padEnd(LABEL_WIDTH)}${firstProof.slice(inner.length)}`,
    ...moreProof,
    ...(cause.counterfactual ? wrapText(counterfactualText(cause.counterfactual), width, inner) : []),
    ...(isNested && !layout.verbose
      ? []
      : [...labelled('fix', cause.fix.summary), ...commandLines(cause, layout, body)]),
  ];
  const nested = cause.explains.map((child) => causeBlock(child, 'and so', layout, true, `${indent}    `));
  return [lines.join('\n'), ...nested].join('\n');
}

/** Commands are never wrapped: they are there to be copied. */
function commandLines({ fix }: ReportCause, { paint }: Layout, body: string): string[] {
  return fix.commands.map((command) => `${body}    ${command.startsWith('#') ? paint.dim(command) : command}`);
}

/** What a cause is called in the report: the first fault is what to fix first. */
export function causeWord(cause: ReportCause, index: number, verdict: Report['verdict']): string {
  if (cause.gravity === 'risk') return 'RISK';
  if (cause.gravity === 'by-design') return 'BY DESIGN';
  if (cause.confidence === 'suspected' || verdict !== 'fault') return 'SUSPECTED';
  if (index === 0) return 'ROOT CAUSE';
  return cause.behind ? 'BEHIND IT' : 'ALSO';
}

/** The statement first: unpainted, since its first line is cut to follow the label. */
function evidenceLines(evidence: ReportEvidence, { paint, width }: Layout, inner: string): string[] {
  const line = evidence.line === undefined ? '' : `, line ${evidence.line}`;
  const deeper = `${inner}  `;
  const quotes = evidence.text !== undefined && evidence.text !== '' && !evidence.statement.includes(evidence.text);
  return [
    ...wrapText(evidence.statement, width, inner),
    ...(quotes ? wrapText(evidence.text ?? '', width, deeper).map((text) => paint.cyan(text)) : []),
    ...wrapText(`[${evidence.plane}] ${evidence.source}${line}`, width, deeper).map((text) => paint.dim(text)),
  ];
}

function counterfactualText({ change, disposition }: NonNullable<ReportCause['counterfactual']>): string {
  return disposition === 'delivered'
    ? `with ${change} the packet is delivered there and back`
    : `with ${change} the walk ends in ${disposition}`;
}

function nameColour(cause: ReportCause, { paint }: Layout): (text: string) => string {
  return cause.gravity === 'fault' && cause.confidence !== 'suspected' ? paint.red : paint.yellow;
}

function confidenceText(cause: ReportCause, { paint }: Layout): string {
  return cause.confidence === 'proven' ? paint.green('(proven)') : paint.yellow(`(${cause.confidence})`);
}
