/** What a long run tells while it runs: to stderr, one line that is rewritten on a terminal, plain lines otherwise. */
export interface Progress {
  say(text: string): void;
  end(): void;
}

export function createProgress(options: {
  readonly quiet: boolean;
  readonly startedAtMs: number;
  readonly nowMs: () => number;
}): Progress {
  if (options.quiet) return { say: () => {}, end: () => {} };
  const { stderr } = process;
  const seconds = (): string => ((options.nowMs() - options.startedAtMs) / 1000).toFixed(1);
  if (!stderr.isTTY) return { say: (text) => void stderr.write(`${seconds()} s  ${text}\n`), end: () => {} };
  const clear = '\r\u001b[2K';
  return {
    say: (text) => void stderr.write(`${clear}${`${seconds()} s  ${text}`.slice(0, Math.max(20, stderr.columns - 1))}`),
    end: () => void stderr.write(clear),
  };
}
