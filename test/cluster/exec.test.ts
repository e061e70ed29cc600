import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

/** A cluster whose nodes have the image; its nodes' processes are seen from here. */
const kubeconfig = process.env.PODTRIAGE_TEST_KUBECONFIG ?? '';
const image = process.env.PODTRIAGE_TEST_IMAGE;
const PROGRAM = join(import.meta.dirname, '../../src/main.ts');
/** The node side ends 10 s after the last word that it heard, and the container with it. */
const GONE_MS = 20_000;

const why = kubeconfig ? '' : ' (skipped: PODTRIAGE_TEST_KUBECONFIG names no cluster)';

interface Ended {
  readonly code: number | null;
  readonly out: Buffer;
  readonly err: string;
}

function start(args: readonly string[]) {
  const argv = [PROGRAM, 'exec', '-q', '--kubeconfig', kubeconfig, ...(image ? ['--image', image] : []), ...args];
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

/** Runs a command to its end, with this input. */
function exec(args: readonly string[], input: Uint8Array = Buffer.alloc(0)): Promise<Ended> {
  const { child, ended } = start(args);
  child.stdin.end(input);
  return ended;
}

/** How many processes run exactly this command line. */
function running(...argv: readonly string[]): number {
  const wanted = `${argv.join('\0')}\0`;
  return readdirSync('/proc').filter((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/cmdline`, 'latin1') === wanted;
    } catch {
      return false;
    }
  }).length;
}

describe.skipIf(!kubeconfig)(`exec${why}`, { timeout: 60_000 }, () => {
  test('a tool sees the pod’s network, not the node’s', async () => {
    const [pod, node] = await Promise.all([
      exec(['ds/demo/client', '--', 'ip', '-o', 'link']),
      exec(['node/w1', '--', 'ip', '-o', 'link']),
    ]);
    expect(pod.code).toBe(0);
    expect(pod.out.toString()).toMatch(/ eth0@/);
    expect(pod.out.toString()).not.toContain('flannel.1');
    expect(node.out.toString()).toContain('flannel.1');
  });

  test('input, output, errors and the exit code pass through as they are', async () => {
    const bytes = randomBytes(3_000_000);
    const copy = await exec(['node/w1', '--', 'cat'], bytes);
    expect(copy.code).toBe(0);
    expect(copy.out.equals(bytes)).toBe(true);
    expect(await exec(['node/w1', '--', 'sh', '-c', 'echo said; echo wrong >&2; exit 7'])).toEqual({
      code: 7,
      out: Buffer.from('said\n'),
      err: 'wrong\n',
    });
    expect((await exec(['node/w1', '--', 'no-such-tool'])).code).toBe(127);
  });

  test('Ctrl-C is the command’s', async () => {
    const { child, ended } = start(['node/w1', '--', 'sleep', '7431']);
    await expect.poll(() => running('sleep', '7431'), { timeout: 15_000 }).toBe(1);
    child.kill('SIGINT');
    expect((await ended).code).toBe(130);
    expect(running('sleep', '7431')).toBe(0);
  });

  test('a client that is killed hard leaves nothing running', async () => {
    const { child, ended } = start(['ds/demo/client', '--', 'sleep', '7432']);
    await expect.poll(() => running('sleep', '7432'), { timeout: 15_000 }).toBe(1);
    child.kill('SIGKILL');
    await ended;
    await expect.poll(() => running('sleep', '7432'), { timeout: GONE_MS, interval: 300 }).toBe(0);
  });

  test('what runs longer than it may is ended', async () => {
    expect((await exec(['--timeout', '2', 'node/w1', '--', 'sleep', '7433'])).code).toBe(143);
    expect(running('sleep', '7433')).toBe(0);
  });
});
