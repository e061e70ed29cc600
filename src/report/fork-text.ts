import type { Chance, Fork, Trace } from '../simulate/trace.ts';
import type { BranchShapes } from './branch-shape.ts';
import { chanceText } from './path-lines.ts';
import { ruleName } from './rule-name.ts';

/** Names of folded branches that are listed. */
const FOLDED_MAX = 8;

export interface Branch {
  readonly segment: number;
  readonly chance: Chance;
}

/** Branches that fare alike together, in the order of the walk. */
export function groupsOf(
  to: readonly Branch[],
  { allBranches, shapes }: { readonly allBranches: boolean; readonly shapes: BranchShapes },
): readonly (readonly Branch[])[] {
  if (allBranches) return to.map((branch) => [branch]);
  return [...Map.groupBy(to, (branch) => shapes(branch.segment)).values()];
}

/** Why there are several ways. */
export function forkText(trace: Trace, fork: Fork): string {
  const count = fork.to.length;
  if (fork.fork === 'multipath') return `${count} next hops: each connection takes one of them`;
  if (fork.fork === 'random') return `${count} ways: each connection takes one of them by chance`;
  const causes = undecidedBy(trace, fork);
  return `${count} ways may be taken, since something is not decided${causes.length > 0 ? `: ${causes.join('; ')}` : ''}`;
}

/** What could not be decided at a fork stands first on the ways out of it. */
function undecidedBy(trace: Trace, fork: Fork): string[] {
  const steps = fork.to.flatMap(({ segment }) => trace.segments[segment]?.hops[0]?.steps ?? []);
  const open = steps.filter((step) => step.matched === 'unknown');
  const ends = fork.to.flatMap(({ segment }) => {
    const then = trace.segments[segment]?.then;
    return then && 'end' in then && then.end === 'insufficient-information' && then.because ? [then.because] : [];
  });
  // Of ways that came to the same, what only one of them met is open as well, and no reason.
  const reasons = open.filter((step) => step.kind !== 'rule' || step.values['undecided'] !== undefined);
  const names = reasons.map((step) => {
    const what = step.values['undecided'] ?? step.values['reason'] ?? step.text;
    return step.kind === 'rule' ? `${ruleName(step)} (${String(what)})` : String(what);
  });
  return [...new Set(names.length > 0 ? names : ends)];
}

export function labelText(trace: Trace, branch: Branch): string {
  const label = labelOf(trace, branch);
  return label === undefined ? '' : `: to ${label}`;
}

/** What a branch is known by: the address that it was translated to, the next hop, or where it ends. */
function labelOf(trace: Trace, { segment }: Branch): string | undefined {
  const steps = trace.segments[segment]?.hops.flatMap((hop) => hop.steps) ?? [];
  const nat = steps.find(
    ({ kind, values, changes }) => kind === 'nat' && (values['nat'] === 'destination' || changes.some(isDestination)),
  );
  const to = nat?.changes.find(isDestination)?.to ?? nat?.values['to'];
  if (to !== undefined && to !== null) return String(to);
  const via = steps.find((step) => step.kind === 'route' && step.values['via'] !== undefined)?.values;
  return via ? `${String(via['via'])} by ${String(via['device'])}` : undefined;
}

function isDestination({ field }: { readonly field: string }): boolean {
  return field === 'destination';
}

/** The branches that are not drawn, in a sentence. */
export function foldedText(trace: Trace, folded: readonly Branch[]): string {
  const chances = new Set(folded.map((branch) => chanceText(branch.chance)));
  const each = chances.size === 1 ? `${folded.length > 1 ? 'each ' : ''}${[...chances][0]}` : [...chances].join(', ');
  const names = folded.flatMap((branch) => labelOf(trace, branch) ?? []);
  const listed = names.slice(0, FOLDED_MAX).join(', ');
  const rest = names.length > FOLDED_MAX ? ` and ${names.length - FOLDED_MAX} more` : '';
  return `so ${folded.length === 1 ? 'does' : 'do'} ${folded.length} more (${each})${listed === '' ? '' : `: ${listed}${rest}`}; --all-branches shows them`;
}
