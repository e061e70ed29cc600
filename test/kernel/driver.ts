import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { DriverStep } from './steps-of-case.ts';

export interface DriverAnswer {
  readonly results: readonly Readonly<Record<string, unknown>>[];
  /** Why it went no further, where it did not. */
  readonly failed?: string;
}

/** The process that makes networks real (driver.py), in mount, PID and network namespaces of its own. */
export interface Driver {
  readonly run: (steps: readonly DriverStep[]) => Promise<DriverAnswer>;
  readonly stop: () => Promise<void>;
}

/** Nothing more can be asked of it. */
export class DriverEnded extends Error {}

const SCRIPT = join(import.meta.dirname, 'driver.py');
const PYTHON = ['/usr/bin/python3', 'python3'].find((path) => path === 'python3' || existsSync(path))!;

/** In its own mount namespace: `ss -e` goes through every control group of the machine to name one. */
const HIDE_CGROUPS = 'mount -t tmpfs none /sys/fs/cgroup 2>/dev/null';

/** `processor`: all packets go on this one, so that a fence orders them. Needs root. */
export function startDriver(processor: number): Driver {
  const child = spawn(
    'setpriv',
    [
      ...['--pdeathsig', 'KILL', '--'],
      ...['unshare', '--mount', '--pid', '--net', '--fork', '--kill-child', '--mount-proc', '--propagation', 'private'],
      ...['--', 'sh', '-c', `${HIDE_CGROUPS}; ip link set lo up && exec "$@"`, 'sh', PYTHON, SCRIPT, String(processor)],
    ],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const waiting: { done: (answer: DriverAnswer) => void; failed: (error: Error) => void }[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    waiting.shift()?.done(JSON.parse(line) as DriverAnswer);
  });
  child.on('exit', (code, signal) => {
    for (const one of waiting.splice(0)) one.failed(new DriverEnded(`the driver ended: ${signal ?? code}`));
  });
  return {
    run: (steps) =>
      new Promise((done, failed) => {
        waiting.push({ done, failed });
        child.stdin.write(`${JSON.stringify({ steps })}\n`);
      }),
    stop: () => ended(child),
  };
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((done) => {
    child.once('exit', () => done());
    child.stdin?.end();
  });
}
