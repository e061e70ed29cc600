import { type ChildProcess, spawn } from 'node:child_process';
import { SYSTEM_PATH } from '../../lab/command.ts';

const running = new Set<ChildProcess>();

/** Ends whatever `inherit` still runs; for signal handlers. */
export const killInherited = (): void => {
  for (const child of running) child.kill('SIGKILL');
};

/** Runs a program whose output goes where ours goes; its exit code, or 128 where a signal ended it. */
export const inherit = (argv: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<number> =>
  new Promise((resolve, reject) => {
    const [program, ...args] = argv;
    const child = spawn(program!, args, {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, PATH: SYSTEM_PATH, ...env },
    });
    running.add(child);
    child.on('error', (error) => reject(new Error(`${program} could not be started: ${error.message}`)));
    child.on('exit', (code) => {
      running.delete(child);
      resolve(code ?? 128);
    });
  });
