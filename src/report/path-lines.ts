import type { Hop, LeafEnd, Step, Trace } from '../simulate/trace.ts';
import { endStep, senderText } from './end-text.ts';

export interface PathLine {
  /** death: where the packet is lost; open: where the walk could not tell; proof: the very line that decided. */
  readonly kind: 'hop' | 'step' | 'death' | 'open' | 'end' | 'proof' | 'note' | 'fork';
  readonly text: string;
}

export interface PathOptions {
  /** Segments in which the packet is lost. */
  readonly dead: ReadonlySet<number>;
  /** Every telling step and branch instead of the most telling ones. */
  readonly all: boolean;
}

/** Branches of a fork that are drawn; the rest is counted. */
const BRANCHES_MAX = 3;
const STEPS_PER_HOP_MAX = 6;

/** A trace drawn hop by hop, the way to the first dead end first. */
export function pathLines(trace: Trace, options: PathOptions): PathLine[] {
  const left = trace.unwalked > 0 ? [note('fork', `${trace.unwalked} more ways were not walked`)] : [];
  const drawing: Drawing = { trace, options, deathward: deathward(trace, options.dead), drawn: new Set() };
  return [...segmentLines(drawing, 0), ...left];
}

interface Drawing {
  readonly trace: Trace;
  readonly options: PathOptions;
  readonly deathward: ReadonlySet<number>;
  /** Segments that stand above already: where ways meet again, what comes after is drawn once. */
  readonly drawn: Set<number>;
}

function segmentLines(drawing: Drawing, index: number): PathLine[] {
  const { trace, options, drawn } = drawing;
  const segment = trace.segments[index];
  if (!segment) return [];
  if (drawn.has(index)) return [note('fork', 'joins a way drawn above')];
  drawn.add(index);
  const { then } = segment;
  const last = 'end' in then ? endStep(trace, then) : undefined;
  const lines = segment.hops.flatMap((hop) => hopLines(hop, last, options));
  if ('end' in then) return [...lines, ...endLines(then, last, options.dead.has(index))];
  const isDeathward = (branch: { readonly segment: number }): number => Number(drawing.deathward.has(branch.segment));
  const ordered = [...then.to].sort((a, b) => isDeathward(b) - isDeathward(a));
  const shown = options.all ? ordered : ordered.slice(0, BRANCHES_MAX);
  const hidden = ordered.length - shown.length;
  return [
    ...lines,
    ...shown.flatMap((branch, i) => [
      note('fork', `${forkWord(then.fork)} ${i + 1} of ${ordered.length} (${chanceText(branch.chance)})`),
      ...segmentLines(drawing, branch.segment),
    ]),
    ...(hidden > 0 ? [note('fork', `and ${hidden} more`)] : []),
  ];
}

function note(kind: PathLine['kind'], text: string): PathLine {
  return { kind, text };
}

/** The segments from which a dead end can be reached, found backwards from the dead ends, each looked at once. */
function deathward(trace: Trace, dead: ReadonlySet<number>): ReadonlySet<number> {
  const before = new Map<number, number[]>();
  trace.segments.forEach(({ then }, from) => {
    if ('fork' in then) for (const { segment } of then.to) before.set(segment, [...(before.get(segment) ?? []), from]);
  });
  const found = new Set<number>();
  const open = [...dead];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    if (found.has(at)) continue;
    found.add(at);
    open.push(...(before.get(at) ?? []));
  }
  return found;
}

function forkWord(fork: 'random' | 'multipath' | 'undecided'): string {
  return fork === 'random' ? 'backend' : fork === 'multipath' ? 'next hop' : 'undecided way';
}

export function chanceText(chance: { readonly min: number; readonly max: number }): string {
  const [min, max] = [Math.round(chance.min * 100), Math.round(chance.max * 100)];
  return min === max ? `${min} %` : `${min}–${max} %`;
}

function hopLines(hop: Hop, last: Step | undefined, options: PathOptions): PathLine[] {
  const telling = hop.steps.filter((step) => step !== last && isTelling(step));
  const shown = options.all ? telling : telling.slice(-STEPS_PER_HOP_MAX);
  const hidden = telling.length - shown.length;
  return [
    note('hop', `${hopPlace(hop)}${devicesText(hop)}`),
    ...(hidden > 0 ? [note('step', `… ${hidden} more (-v shows all)`)] : []),
    ...shown.map((step) => note('step', stepText(step))),
  ];
}

function hopPlace({ place }: Hop): string {
  return place.namespace === 'host' ? place.node || 'outside the cluster' : `${place.namespace} on ${place.node}`;
}

function devicesText({ input, output }: Hop): string {
  if (input === undefined && output === undefined) return '';
  return `:  ${[input, output].join(' → ').trim()}`;
}

/** Steps that changed the packet, chose its way, or could not be decided. */
function isTelling(step: Step): boolean {
  return (
    step.changes.length > 0 ||
    step.matched === 'unknown' ||
    step.kind === 'route' ||
    step.kind === 'tunnel' ||
    step.kind === 'neighbour'
  );
}

function stepText(step: Step): string {
  const untold = step.changes.filter((change) => !step.text.includes(String(change.to)));
  const changes = untold.map((change) => `${change.field} ${change.from} → ${change.to}`).join(', ');
  const owner = step.owner ? ` [${step.owner.by}]` : '';
  return `${step.text}${changes ? ` (${changes})` : ''}${owner}`;
}

function endLines(end: LeafEnd, step: Step | undefined, isDead: boolean): PathLine[] {
  const why = end.because ?? step?.text;
  const text = why ? `${end.end}: ${why}` : end.end;
  if (end.end === 'insufficient-information') return [note('open', text)];
  if (!isDead) return [note('end', text)];
  return [
    note('death', text),
    ...(step?.source.text ? [note('proof', step.source.text)] : []),
    note('note', `${step?.at ? `in ${step.at}; ` : ''}the sender sees ${senderText(end)}`),
  ];
}
