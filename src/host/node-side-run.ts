import { type ChildProcess, spawn } from 'node:child_process';
import { constants, setPriority } from 'node:os';

/** One tool to run on the node: where, and within what. */
export interface RunOptions {
  readonly argv: readonly string[];
  readonly where: RunPlace;
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly maxBytes: number;
  readonly maxMemoryBytes?: number;
  readonly signal: AbortSignal;
  /** False for what measures time. */
  readonly nice?: boolean;
  /** Called with each piece of the output; it is then not kept. */
  readonly onOutput?: (bytes: Uint8Array) => void;
  /** Called with each piece of what it says on its standard error, which is kept as well. */
  readonly onErrorOutput?: (bytes: Uint8Array) => void;
  /** Called with the process's id once it runs. */
  readonly onStart?: (pid: number) => void;
  /** Asks the tool to come to its end by itself (SIGINT), as a person does with Ctrl-C. */
  readonly finish?: AbortSignal;
}

/** `net`: path of the network namespace, undefined for our own; `enter`: more options of nsenter(1). */
export interface RunPlace {
  readonly net?: string;
  readonly enter: readonly string[];
}

export type Ran =
  | {
      readonly ended: 'exited';
      readonly code: number;
      readonly stdout: Uint8Array;
      readonly stderr: string;
      readonly truncated: boolean;
    }
  | { readonly ended: 'timed-out' | 'cancelled'; readonly stderr: string }
  | { readonly ended: 'not-started'; readonly error: string };

export interface Runner {
  run(options: RunOptions): Promise<Ran>;
  /** Kills every process group that still runs. */
  endAll(): void;
}

const STDERR_MAX_BYTES = 1 << 20;
const NICE = 10;
const DIE_WITH_PARENT = ['setpriv', '--pdeathsig', 'KILL', '--'];
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export function createRunner(): Runner {
  const groups = new Set<number>();
  return {
    run: (options) => (options.signal.aborted ? Promise.resolve(CANCELLED) : runOne(options, groups)),
    endAll() {
      for (const group of groups) signalGroup(group, 'SIGKILL');
      groups.clear();
    },
  };
}

const CANCELLED: Ran = { ended: 'cancelled', stderr: '' };

/**
 * The whole command line: setpriv(1) so that the tool dies with us even if we are killed hard, nsenter(1) into the
 * place, prlimit(1) for its memory, the tool.
 */
export function commandLine(options: Pick<RunOptions, 'argv' | 'where' | 'maxMemoryBytes'>): readonly string[] {
  const { net, enter } = options.where;
  const namespaces = [...enter, ...(net === undefined ? [] : [`--net=${net}`])];
  return [
    ...DIE_WITH_PARENT,
    ...(namespaces.length > 0 ? ['nsenter', ...namespaces, '--'] : []),
    // Into a PID namespace nsenter goes with a child of its own.
    ...(enter.length > 0 ? DIE_WITH_PARENT : []),
    ...(options.maxMemoryBytes === undefined ? [] : ['prlimit', `--as=${options.maxMemoryBytes}`, '--']),
    ...options.argv,
  ];
}

function runOne(options: RunOptions, groups: Set<number>): Promise<Ran> {
  return new Promise((resolve) => {
    const [file, ...args] = commandLine(options);
    // A process group of its own (setsid), so that it can be ended with everything that it started.
    const child = spawn(file!, args, {
      detached: true,
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      env: { PATH, LC_ALL: 'C', ...options.env },
    });
    const { pid } = child;
    if (pid !== undefined) {
      groups.add(pid);
      options.onStart?.(pid);
      if (options.nice !== false) beNice(pid);
    }
    const output = new Output(options);
    const interrupt = (): void => {
      if (pid !== undefined) signalGroup(pid, 'SIGINT');
    };
    const finish = (ran: Ran): void => {
      clearTimeout(timer);
      options.signal.removeEventListener('abort', cancel);
      options.finish?.removeEventListener('abort', interrupt);
      if (pid !== undefined) groups.delete(pid);
      resolve(ran);
    };
    const end = (ran: Ran): void => {
      if (pid !== undefined) signalGroup(pid, 'SIGKILL');
      release(child);
      finish(ran);
    };
    const cancel = (): void => end({ ended: 'cancelled', stderr: output.stderr() });
    const timer = setTimeout(() => end({ ended: 'timed-out', stderr: output.stderr() }), options.timeoutMs);
    options.signal.addEventListener('abort', cancel, { once: true });
    child.once('error', (error) => finish({ ended: 'not-started', error: errorCode(error) }));
    child.stdout?.on('data', (bytes: Uint8Array) => {
      if (!output.take(bytes)) end(output.exited(0));
    });
    options.finish?.addEventListener('abort', interrupt, { once: true });
    child.stderr?.on('data', (bytes: Uint8Array) => {
      output.takeError(bytes);
      options.onErrorOutput?.(bytes);
    });
    // As a shell tells the death by a signal.
    child.once('close', (code, signal) => finish(output.exited(code ?? 128 + constants.signals[signal!])));
    // A tool that ends before it has read its input is told by its exit code.
    child.stdin?.on('error', () => {});
    child.stdin?.end(options.input);
  });
}

class Output {
  private readonly options: Pick<RunOptions, 'maxBytes' | 'onOutput'>;
  private readonly pieces: Uint8Array[] = [];
  private bytes = 0;
  private truncated = false;
  private readonly errorPieces: Uint8Array[] = [];
  private errorBytes = 0;

  constructor(options: Pick<RunOptions, 'maxBytes' | 'onOutput'>) {
    this.options = options;
  }

  /** False once there is more than may be kept. */
  take(bytes: Uint8Array): boolean {
    const room = this.options.maxBytes - this.bytes;
    const piece = bytes.length > room ? bytes.subarray(0, room) : bytes;
    this.bytes += piece.length;
    if (this.options.onOutput) this.options.onOutput(piece);
    else this.pieces.push(piece);
    this.truncated ||= piece.length < bytes.length;
    return !this.truncated;
  }

  takeError(bytes: Uint8Array): void {
    const piece = bytes.subarray(0, STDERR_MAX_BYTES - this.errorBytes);
    this.errorBytes += piece.length;
    this.errorPieces.push(piece);
  }

  stderr(): string {
    return Buffer.concat(this.errorPieces).toString('utf8').trim();
  }

  exited(code: number): Ran {
    return {
      ended: 'exited',
      code,
      stdout: Buffer.concat(this.pieces),
      stderr: this.stderr(),
      truncated: this.truncated,
    };
  }
}

function release(child: ChildProcess): void {
  child.stdout?.destroy();
  child.stderr?.destroy();
  child.stdin?.destroy();
  child.unref();
}

function signalGroup(group: number, signal: 'SIGKILL' | 'SIGINT'): void {
  try {
    process.kill(-group, signal);
  } catch {
    // ESRCH: it has ended by itself.
  }
}

function beNice(pid: number): void {
  try {
    setPriority(pid, NICE);
  } catch {
    // It has ended already, or we may not; neither matters to the answer.
  }
}

function errorCode(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}
