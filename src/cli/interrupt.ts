/**
 * Ends a run on its deadline, on SIGINT, SIGTERM or SIGHUP. The first signal aborts, so that what was created is removed
 * and what was learnt is still reported; a second one exits at once, and the deadlines in the cluster do the rest.
 */
export interface Interrupt {
  readonly signal: AbortSignal;
  /** The signal that ended the run, if one did. */
  interruptedBy(): NodeJS.Signals | undefined;
  release(): void;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const EXIT_BASE = 128;
const SIGNAL_NUMBERS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

export function createInterrupt(timeoutS: number): Interrupt {
  const controller = new AbortController();
  let by: NodeJS.Signals | undefined;
  const timer = setTimeout(
    () => controller.abort(new Error(`the run took longer than ${timeoutS} s (--timeout)`)),
    timeoutS * 1000,
  );
  timer.unref();
  const onSignal = (signal: NodeJS.Signals): void => {
    if (by !== undefined) process.exit(EXIT_BASE + SIGNAL_NUMBERS[signal as keyof typeof SIGNAL_NUMBERS]);
    by = signal;
    process.stderr.write('\npodtriage: stopping and removing what was created; once more to stop at once\n');
    controller.abort(new Error(`interrupted by ${signal}`));
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return {
    signal: controller.signal,
    interruptedBy: () => by,
    release: () => {
      clearTimeout(timer);
      for (const signal of SIGNALS) process.off(signal, onSignal);
    },
  };
}
