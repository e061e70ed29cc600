import type { Budget } from './node-side.ts';

/** A file system that does not answer must not hold up the rest; the read itself cannot be ended. */
export async function within<T>(work: Promise<T>, { timeoutMs, signal }: Budget): Promise<T | 'late'> {
  let timer: NodeJS.Timeout | undefined;
  let abort: (() => void) | undefined;
  const late = new Promise<'late'>((resolve) => {
    abort = () => resolve('late');
    timer = setTimeout(abort, timeoutMs);
    signal.addEventListener('abort', abort, { once: true });
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    if (abort) signal.removeEventListener('abort', abort);
  }
}
