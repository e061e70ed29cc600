import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { type Ended, GONE_MS, kubeconfig, running, skipped, startPodtriage } from './run-podtriage.ts';

const start = (args: readonly string[]) => startPodtriage(['exec'], args);

/** Runs a command to its end, with this input. */
function exec(args: readonly string[], input: Uint8Array = Buffer.alloc(0)): Promise<Ended> {
  const { child, ended } = start(args);
  child.stdin.end(input);
  return ended;
}

/** How many sleep so long: nobody else does. */
const sleeping = (seconds: string): number => running((argv) => argv[0] === 'sleep' && argv[1] === seconds);

describe.skipIf(!kubeconfig)(`exec${skipped}`, { timeout: 60_000 }, () => {
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
    await expect.poll(() => sleeping('7431'), { timeout: 15_000 }).toBe(1);
    child.kill('SIGINT');
    expect((await ended).code).toBe(130);
    expect(sleeping('7431')).toBe(0);
  });

  test('a client that is killed hard leaves nothing running', async () => {
    const { child, ended } = start(['ds/demo/client', '--', 'sleep', '7432']);
    await expect.poll(() => sleeping('7432'), { timeout: 15_000 }).toBe(1);
    child.kill('SIGKILL');
    await ended;
    await expect.poll(() => sleeping('7432'), { timeout: GONE_MS, interval: 300 }).toBe(0);
  });

  test('what runs longer than it may is ended', async () => {
    expect((await exec(['--timeout', '2', 'node/w1', '--', 'sleep', '7433'])).code).toBe(143);
    expect(sleeping('7433')).toBe(0);
  });
});
