import type { TargetProblem } from '../target/question.ts';

/** A target problem as one line: what is wrong, and near names. */
export function problemLine(problem: TargetProblem): string {
  if (problem.near.length === 0) return problem.problem;
  return `${problem.problem}; did you mean ${problem.near.join(', ')}?`;
}
