import type { StateChange } from '../probe/state-watch.ts';
import { plainText } from '../report/plain-text.ts';

/** Lets through only so many of the lines that say how it stands: one that is rewritten may be so often; a log may not be filled. */
export function throttled(tell: (text: string) => void, nowMs: () => number): (text: string) => void {
  const everyMs = process.stderr.isTTY ? 200 : 10_000;
  let toldAtMs = Number.NEGATIVE_INFINITY;
  return (text) => {
    if (nowMs() - toldAtMs < everyMs) return;
    toldAtMs = nowMs();
    tell(text);
  };
}

/** The line for the moment at which a target begins, or ceases, to answer; it stands above the live line. */
export function stateChangeLine(change: StateChange & { readonly target: string }): string {
  const { target, atMs, to, statement } = plainText(change);
  const clear = process.stderr.isTTY ? '\r\u001b[2K' : '';
  const said = to === 'answering' ? 'answers again' : `no longer answers: ${statement}`;
  return `${clear}${new Date(atMs).toISOString()} ${target} ${said}\n`;
}
