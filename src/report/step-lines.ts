import type { Scalar } from '../host/host.ts';
import type { Step } from '../simulate/trace.ts';
import { ruleName } from './rule-name.ts';
import type { TraceLine } from './trace-line.ts';

export interface StepOptions {
  readonly verbose: boolean;
  /** How many chains deep the rule was called. */
  readonly depth: number;
  /** It called a chain in which nothing matched. */
  readonly isIdle: boolean;
}

const HOOKS: ReadonlySet<string> = new Set([
  'prerouting',
  'input',
  'forward',
  'output',
  'postrouting',
  'ingress',
  'egress',
]);

/** What each kind of step is about, for a person; a kind that is not listed is its own name. */
const STAGES: Readonly<Record<string, string>> = {
  route: 'routing',
  neighbour: 'neighbour',
  bridge: 'bridge',
  tunnel: 'tunnel',
  socket: 'delivery',
  mtu: 'size',
  sysctl: 'setting',
  link: 'link',
  filter: 'filter',
};

/** Kinds whose own text already says what the line of the table says. */
const TOLD: ReadonlySet<string> = new Set(['neighbour', 'bridge', 'tunnel', 'socket', 'link']);

/** The stage of the kernel that a step belongs to: a hook, or what is done between hooks. */
export function stageOf(step: Step): string {
  const hook = step.values['hook'] ?? step.at.split(' ')[0];
  if (typeof hook === 'string' && HOOKS.has(hook)) return hook;
  return STAGES[step.kind] ?? step.kind;
}

/** One step as lines: what happened, the very line that made it happen, and each change of the packet. */
export function stepLines(step: Step, options: StepOptions): TraceLine[] {
  const { depth } = options;
  const stage = stageOf(step);
  const line = (kind: TraceLine['kind'], text: string): TraceLine => ({ kind, stage, depth, text });
  if (step.kind === 'rule' && step.matched === 'no') return [line('passed', passedText(step))];
  if (step.kind === 'nat' && step.matched === 'yes' && step.changes.length > 0)
    return step.changes.map((change) => line('change', `${changeText(change)}${translatedBy(step)}`));
  const head = line(
    step.matched === 'unknown' ? 'undecided' : 'step',
    `${headText(step)}${options.isIdle ? ', where nothing matches' : ''}${asideText(step, options)}`,
  );
  const quote = quoteOf(step, options);
  return [
    head,
    ...(quote === undefined ? [] : [line('quote', quote)]),
    ...step.changes.map((change) => line('change', changeText(change))),
  ];
}

function headText(step: Step): string {
  const { kind, text, values } = step;
  if (kind === 'rule') return `${ruleName(step)}: ${perhaps(step)}${text}`;
  if (kind === 'policy')
    return `${ruleName(step)}: ${perhaps(step)}${perhaps(step) === '' ? 'no rule decided, ' : ''}policy ${String(values['policy'])}`;
  if (kind === 'route' && typeof values['routeText'] === 'string' && step.matched === 'yes') return routeText(step);
  return text;
}

/** Of undecided ways that come to the same, only one may have met it. */
function perhaps({ matched, values, text }: Step): string {
  const isTold = values['undecided'] !== undefined || text.startsWith('not decided');
  return matched === 'unknown' && !isTold ? 'perhaps ' : '';
}

/** The rule of the policy routing is told where it is not one of those that every host has (ip-rule(8)). */
function routeText({ values, text }: Step): string {
  if (typeof values['address'] !== 'string') return text;
  const purpose = values['purpose'] === 'reverse' ? 'back to ' : '';
  const isUsual = [0, 32766, 32767].includes(Number(values['rulePriority']));
  const rule = isUsual || values['ruleText'] === undefined ? '' : `, by the rule ${String(values['ruleText'])}`;
  return `${purpose}${values['address']}: ${String(values['routeText'])}${rule}`;
}

/** Owner and counters: `[kube-proxy · 205 packets]`. */
function asideText(step: Step, { verbose }: StepOptions): string {
  const { packets, bytes } = step.values;
  const isCounted = (step.kind === 'rule' || step.kind === 'policy') && typeof packets === 'number';
  const parts = [
    ...(step.owner ? [verbose ? `${step.owner.by}: ${step.owner.purpose}` : step.owner.by] : []),
    ...(isCounted ? [packets === 1 ? '1 packet' : `${packets} packets`] : []),
    ...(isCounted && verbose && typeof bytes === 'number' ? [`${bytes} bytes`] : []),
  ];
  return parts.length === 0 ? '' : ` [${parts.join(' · ')}]`;
}

function quoteOf(step: Step, { verbose }: StepOptions): string | undefined {
  const { line, text } = step.source;
  if (step.kind === 'rule') return `${placeInSource(step)}${String(step.values['ruleText'] ?? text ?? '')}`;
  if (text === undefined || text === '' || step.kind === 'policy' || step.kind === 'route') return undefined;
  if (!verbose && TOLD.has(step.kind)) return undefined;
  return step.text.includes(text) ? undefined : `${line === undefined ? '' : `${line}: `}${text}`;
}

/** Where a rule stands: the line of iptables-save's output, or the handle by which nft knows it. */
function placeInSource({ source, values }: Step): string {
  if (source.line !== undefined && source.line > 0) return `line ${source.line}: `;
  if (typeof values['handle'] === 'number' && values['handle'] > 0) return `handle ${values['handle']}: `;
  return '';
}

function passedText(step: Step): string {
  const failed = step.values['failed'];
  return `${ruleName(step)}: fails at ${String(failed ?? 'its matches')} | ${placeInSource(step)}${String(step.values['ruleText'] ?? '')}`;
}

/** What made a translation, where no rule above it did. */
function translatedBy({ values }: Step): string {
  switch (values['by']) {
    case 'rule':
      return '';
    case 'reversal':
      return ' (the connection’s translation, turned)';
    case 'connection':
      return ' (as the connection began)';
    case 'clash':
      return ' (another connection has the source port)';
    default:
      return typeof values['by'] === 'string'
        ? ` (${[values['by'], values['scheduler']].filter(Boolean).join(', ')})`
        : '';
  }
}

const IN_HEX: ReadonlySet<string> = new Set(['mark', 'connmark', 'tos']);

export function changeText({ field, from, to }: Step['changes'][number]): string {
  return `${field} ${valueText(field, from)} → ${valueText(field, to)}`;
}

function valueText(field: string, value: Scalar): string {
  if (value === null) return 'none';
  return typeof value === 'number' && IN_HEX.has(field) ? `0x${value.toString(16)}` : String(value);
}
