import type { Unseen } from '../snapshot/snapshot.ts';
import type { TargetProblem } from './question.ts';

export function usageProblem(problem: string, near: readonly string[] = []): TargetProblem {
  return { kind: 'usage', problem, near };
}

export function notFound(problem: string, near: readonly string[] = []): TargetProblem {
  return { kind: 'not-found', problem, near };
}

export function ambiguous(problem: string, candidates: readonly string[]): TargetProblem {
  return { kind: 'ambiguous', problem, near: candidates };
}

/** The objects that would tell could not be read: `what` names them, the gap says why. */
export function noAccess(what: string, unseen: Unseen): TargetProblem {
  const detail = unseen.detail === '' ? '' : `: ${unseen.detail.split('\n', 1)[0]}`;
  return { kind: 'no-access', problem: `${what} could not be read (${unseen.gap}${detail})`, near: [] };
}
