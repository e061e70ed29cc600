import { type ExecSignal, encodeExecFrames } from '../agent/exec-frames.ts';
import type { ExecChannel, ExecEnd, ExecOutput } from '../host/kubernetes-exec.ts';

/** This program's own streams, signals and terminal, as those of a command that runs elsewhere. */
export interface AttachedStreams {
  /** What the command writes goes to our standard output and error. */
  readonly output: ExecOutput;
  /**
   * Hands our input and our signals to the command until it ends. Ctrl-C is the command's; pressed again it is killed, and
   * once more hangs up. After `limitMs` it is asked to end, and hung up.
   */
  run(channel: ExecChannel, limitMs: number): Promise<ExecEnd>;
}

/** Between a signal that ends a command, and hanging up. */
const END_MS = 2_000;
/** 128 + SIGPIPE, as a shell tells it where nobody reads any more. */
const BROKEN_PIPE_CODE = 141;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export function attachStreams(how: { readonly isTerminal: boolean }): AttachedStreams {
  let channel: ExecChannel | undefined;
  const write =
    (stream: NodeJS.WriteStream) =>
    (bytes: Uint8Array): void => {
      if (stream.write(bytes)) return;
      channel?.pause();
      stream.once('drain', () => channel?.resume());
    };
  return {
    output: { onBytes: write(process.stdout), onErrorBytes: write(process.stderr) },
    async run(opened, limitMs) {
      channel = opened;
      const hungUp = Promise.withResolvers<ExecEnd>();
      const detach = [
        attachInput(opened, how.isTerminal),
        attachSignals(opened, (detail) => hungUp.resolve({ detail })),
        attachLimit(opened, limitMs, (detail) => hungUp.resolve({ detail })),
      ];
      // This one stays: what is still on its way must not end the program by an error that nobody hears.
      process.stdout.on('error', () =>
        hungUp.resolve({ exitCode: BROKEN_PIPE_CODE, detail: 'nobody reads the output' }),
      );
      try {
        return await Promise.race([opened.ended, hungUp.promise]);
      } finally {
        for (const one of detach) one();
        opened.close();
      }
    },
  };
}

function attachInput(channel: ExecChannel, isTerminal: boolean): () => void {
  const { stdin } = process;
  const onData = (bytes: Uint8Array): void => {
    // One piece at a time: a fast writer must not fill our memory.
    stdin.pause();
    channel.send(encodeExecFrames({ kind: 'input', bytes }), () => stdin.resume());
  };
  const onEnd = (): void => channel.send(encodeExecFrames({ kind: 'end-of-input' }));
  if (isTerminal) stdin.setRawMode(true);
  stdin.on('data', onData).once('end', onEnd).once('error', onEnd);
  return () => {
    stdin.off('data', onData).off('end', onEnd).off('error', onEnd);
    if (isTerminal) stdin.setRawMode(false);
    // Or a terminal, or a pipe that nobody closes, would keep this program alive.
    stdin.destroy();
  };
}

function attachSignals(channel: ExecChannel, hangUp: (detail: string) => void): () => void {
  let heard = 0;
  const onSignal = (name: NodeJS.Signals): void => {
    heard += 1;
    if (heard > 2) {
      hangUp(`interrupted by ${name}`);
      return;
    }
    sendSignal(channel, heard === 2 ? 'SIGKILL' : (name as ExecSignal));
    if (name !== 'SIGINT') setTimeout(() => hangUp(`interrupted by ${name}`), END_MS).unref();
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  return () => {
    for (const name of SIGNALS) process.off(name, onSignal);
  };
}

function attachLimit(channel: ExecChannel, limitMs: number, hangUp: (detail: string) => void): () => void {
  let timer = setTimeout(() => {
    sendSignal(channel, 'SIGTERM');
    timer = setTimeout(() => hangUp(`it ran longer than ${Math.round(limitMs / 1_000)} s (--timeout)`), END_MS);
  }, limitMs);
  return () => clearTimeout(timer);
}

function sendSignal(channel: ExecChannel, name: ExecSignal): void {
  channel.send(encodeExecFrames({ kind: 'signal', name }));
}
