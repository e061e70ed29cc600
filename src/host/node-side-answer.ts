import type { Answer } from './node-side.ts';

/** What a tool wrote. `truncated`: it may have had more to say. */
export function raw(output: string | Uint8Array, tool: string, truncated = false): Answer {
  const bytes = typeof output === 'string' ? new TextEncoder().encode(output) : output;
  return { got: 'raw', raw: bytes, exitCode: 0, truncated, tool };
}

export function nothing(gap: (Answer & { got: 'nothing' })['gap'], detail: string): Answer {
  return { got: 'nothing', gap, detail };
}

/** After that time, or when the asker gives up. Keeps no program alive. */
export function late(ms: number, signal: AbortSignal): Promise<'late'> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve('late'), ms);
    timer.unref();
    signal.addEventListener('abort', () => resolve('late'), { once: true });
  });
}
