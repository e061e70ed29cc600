import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A cluster whose nodes have the image; its nodes' processes are seen from here. Empty where there is none. */
export const kubeconfig = process.env.PODTRIAGE_TEST_KUBECONFIG ?? '';
export const skipped = kubeconfig ? '' : ' (skipped: PODTRIAGE_TEST_KUBECONFIG names no cluster)';
const image = process.env.PODTRIAGE_TEST_IMAGE;
const PROGRAM = join(import.meta.dirname, '../../src/main.ts');
/** The node side ends 10 s after the last word that it heard, and the container with it. */
export const GONE_MS = 20_000;

export interface Ended {
  readonly code: number | null;
  readonly out: Buffer;
  readonly err: string;
}

/** Starts `podtriage COMMAND … ` against that cluster; the command's own arguments come last, as `exec` wants them. */
export function startPodtriage(command: readonly string[], args: readonly string[]) {
  const argv = [PROGRAM, ...command, '-q', '--kubeconfig', kubeconfig, ...(image ? ['--image', image] : []), ...args];
  const child = spawn(process.execPath, argv);
  const out: Buffer[] = [];
  let err = '';
  child.stdout.on('data', (bytes: Buffer) => out.push(bytes));
  child.stderr.on('data', (bytes: Buffer) => {
    err += bytes.toString('utf8');
  });
  const ended = new Promise<Ended>((resolve) =>
    child.once('close', (code) => resolve({ code, out: Buffer.concat(out), err })),
  );
  return { child, ended };
}

/** How many processes of this machine, and so of the nodes on it, have a command line that fits. */
export function running(fits: (argv: readonly string[]) => boolean): number {
  return readdirSync('/proc').filter((name) => {
    try {
      return /^\d+$/.test(name) && fits(readFileSync(`/proc/${name}/cmdline`, 'latin1').split('\0').slice(0, -1));
    } catch {
      return false;
    }
  }).length;
}
