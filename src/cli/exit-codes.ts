/** Exit codes of every command (a contract; docs/commands.md). */
export const EXIT = {
  healthy: 0,
  fault: 1,
  usage: 2,
  inconclusive: 3,
  failed: 4,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Wrong usage or a target that is not there: one clear line, exit 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** No access, or the run failed: one clear line, exit 4. */
export class RunError extends Error {
  override readonly name = 'RunError';
}
