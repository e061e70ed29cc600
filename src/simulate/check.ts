import type { End } from './cursor.ts';
import type { Step } from './trace.ts';

/** What one of the kernel's checks says: steps worth telling, and the walk's end where it refuses. */
export interface Check {
  readonly steps: readonly Step[];
  readonly end?: End;
}

export const PASSED: Check = { steps: [] };
