import { type ChildProcess, spawn } from 'node:child_process';

export interface CommandOptions {
  /** Milliseconds after which the whole process group is killed. */
  readonly timeoutMs?: number;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Written to standard input; without it standard input is empty. */
  readonly input?: string | Uint8Array;
  /** Called with each line of standard error, for progress. */
  readonly onErrorLine?: (line: string) => void;
  readonly signal?: AbortSignal;
}

export interface CommandResult {
  /** Exit code, or 128 where a signal ended it. */
  readonly code: number;
  readonly timedOut: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

/** What was attempted and what came back, in one message. */
export class CommandFailed extends Error {
  readonly result: CommandResult;
  constructor(argv: readonly string[], result: CommandResult) {
    const how = result.timedOut ? 'did not end in time' : `ended with ${result.code}`;
    const said = (result.stderr.trim() || result.stdout.trim()).split('\n').slice(-6).join('\n');
    super(`${argv.join(' ').slice(0, 300)}: ${how}${said ? `: ${said}` : ''}`);
    this.result = result;
  }
}

/** A root shell may lack the folders of the system's own programs, iptables and ip among them. */
export const SYSTEM_PATH = `${process.env.PATH ?? '/usr/bin:/bin'}:/usr/sbin:/sbin`;

const DEFAULT_TIMEOUT_MS = 60_000;
const running = new Set<ChildProcess>();

const killGroup = (child: ChildProcess): void => {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // The group has ended by itself.
  }
};

/** Ends every command that still runs: for signal handlers, which cannot wait. */
export const killRunningCommands = (): void => {
  for (const child of running) killGroup(child);
};

const lineReader = (onLine: (line: string) => void): ((chunk: Buffer) => void) => {
  let rest = '';
  return (chunk) => {
    const lines = (rest + chunk.toString()).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
  };
};

/**
 * Runs one program and waits for its end, however it ends; rejects only when it cannot be started.
 * It leads its own process group, so that a time limit also ends what it started.
 */
export const command = (argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> =>
  new Promise((resolve, reject) => {
    const [program, ...args] = argv;
    const child = spawn(program!, args, {
      cwd: options.cwd,
      env: { ...process.env, PATH: SYSTEM_PATH, ...options.env },
      detached: true,
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    running.add(child);
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      killGroup(child);
    }, options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
    const onAbort = (): void => killGroup(child);
    options.signal?.addEventListener('abort', onAbort, { once: true });
    child.stdout!.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr!.on('data', (chunk: Buffer) => err.push(chunk));
    if (options.onErrorLine) child.stderr!.on('data', lineReader(options.onErrorLine));
    const finish = (): void => {
      clearTimeout(timer);
      running.delete(child);
      options.signal?.removeEventListener('abort', onAbort);
    };
    child.on('error', (error) => {
      finish();
      reject(new Error(`${program} could not be started: ${error.message}`));
    });
    child.on('close', (code) => {
      finish();
      const text = (chunks: Buffer[]): string => Buffer.concat(chunks).toString();
      resolve({ code: code ?? 128, timedOut, stdout: text(out), stderr: text(err) });
    });
    child.stdin?.on('error', () => {}); // a program that ends without reading its input
    if (options.input !== undefined) child.stdin?.end(options.input);
  });

/** Standard output of a program that must succeed; CommandFailed otherwise. */
export const output = async (argv: readonly string[], options: CommandOptions = {}): Promise<string> => {
  const result = await command(argv, options);
  if (result.code !== 0 || result.timedOut) throw new CommandFailed(argv, result);
  return result.stdout;
};
