import type { Hop, LeafEnd, Segment, Step, Trace } from '../simulate/trace.ts';

export interface PathLine {
  readonly kind: 'hop' | 'step' | 'death' | 'end' | 'fork';
  readonly text: string;
}

/** Branches of a fork that are drawn; the rest is counted. */
const BRANCHES_MAX = 3;
const STEPS_PER_HOP_MAX = 6;

/** A trace drawn hop by hop, the way to the first dead end first. `dead` are the segments in which the packet is lost. */
export function pathLines(trace: Trace, dead: ReadonlySet<number>): PathLine[] {
  return segmentLines(trace, 0, dead, new Set());
}

function segmentLines(trace: Trace, index: number, dead: ReadonlySet<number>, drawn: Set<number>): PathLine[] {
  const segment = trace.segments[index];
  if (!segment) return [];
  if (drawn.has(index)) return [{ kind: 'fork', text: '(joins a way drawn above)' }];
  drawn.add(index);
  const lines = segment.hops.flatMap((hop) => hopLines(hop));
  if ('end' in segment.then) return [...lines, endLine(segment, segment.then, dead.has(index))];
  const { fork, to } = segment.then;
  const ordered = [...to].sort(
    (a, b) => Number(leadsToDeath(trace, b.segment, dead)) - Number(leadsToDeath(trace, a.segment, dead)),
  );
  const shown = ordered
    .slice(0, BRANCHES_MAX)
    .flatMap((branch, i): PathLine[] => [
      { kind: 'fork', text: `${forkWord(fork)} ${i + 1} of ${to.length}, ${chanceText(branch.chance)}` },
      ...segmentLines(trace, branch.segment, dead, drawn),
    ]);
  const hidden = to.length - Math.min(to.length, BRANCHES_MAX);
  return [...lines, ...shown, ...(hidden > 0 ? [{ kind: 'fork', text: `and ${hidden} more` } as const] : [])];
}

function leadsToDeath(trace: Trace, index: number, dead: ReadonlySet<number>): boolean {
  if (dead.has(index)) return true;
  const then = trace.segments[index]?.then;
  return (
    then !== undefined &&
    'fork' in then &&
    then.to.some((branch) => branch.segment > index && leadsToDeath(trace, branch.segment, dead))
  );
}

function forkWord(fork: 'random' | 'multipath' | 'undecided'): string {
  return fork === 'random' ? 'backend' : fork === 'multipath' ? 'next hop' : 'undecided way';
}

function chanceText(chance: { readonly min: number; readonly max: number }): string {
  const percent = (value: number): string => `${Math.round(value * 100)} %`;
  return chance.min === chance.max ? percent(chance.min) : `${percent(chance.min)}–${percent(chance.max)}`;
}

function hopLines(hop: Hop): PathLine[] {
  const where =
    hop.place.namespace === 'host' ? hop.place.node || 'outside' : `${hop.place.namespace} on ${hop.place.node}`;
  const devices = [hop.input, hop.output].filter((device) => device !== undefined);
  const telling = hop.steps.filter(isTelling);
  const shown = telling.length > STEPS_PER_HOP_MAX ? telling.slice(-STEPS_PER_HOP_MAX) : telling;
  return [
    { kind: 'hop', text: `${where}${devices.length > 0 ? `  ${devices.join(' → ')}` : ''}` },
    ...shown.map((step): PathLine => ({ kind: 'step', text: stepText(step) })),
  ];
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
  const changes = step.changes.map((change) => `${change.field} ${change.from} → ${change.to}`).join(', ');
  return `${step.text}${changes && !step.text.includes('→') ? ` (${changes})` : ''}`;
}

function endLine(segment: Segment, end: LeafEnd, isDead: boolean): PathLine {
  const step = segment.hops.at(-1)?.steps.at(-1);
  const why = end.because ?? step?.text ?? '';
  if (end.end === 'delivered') return { kind: 'end', text: `delivered${why ? `: ${why}` : ''}` };
  return { kind: isDead ? 'death' : 'end', text: `${end.end}${why ? `: ${why}` : ''}` };
}
