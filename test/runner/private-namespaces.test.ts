import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { capabilities, lacking } from '../capabilities.ts';
import { inPrivateNamespaces } from './private-namespaces.ts';

const without = lacking(await capabilities(), ['root', 'netns']);

describe.skipIf(without)(`private namespaces${without ? ` (skipped: ${without})` : ''}`, () => {
  let folder: string;
  const children: ChildProcess[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'podtriage-private-'));
  });

  afterEach(async () => {
    for (const child of children) child.kill('SIGKILL');
    await rm(folder, { recursive: true });
  });

  const start = async (script: string): Promise<ChildProcess> => {
    const [program, ...args] = await inPrivateNamespaces(['sh', '-c', script, 'sh', folder]);
    const child = spawn(program!, args, { stdio: 'inherit' });
    children.push(child);
    return child;
  };

  const ended = (child: ChildProcess): Promise<number | null> => new Promise((resolve) => child.on('exit', resolve));

  test('the exit code is handed on, and named namespaces are its own', async () => {
    const child = await start('ip netns add podtriage-inner && ls /run/netns > "$1/inside"; exit 7');
    expect(await ended(child)).toBe(7);
    expect(await readFile(join(folder, 'inside'), 'utf8')).toBe('podtriage-inner\n');
  });

  test('a hard kill ends everything inside', async () => {
    // A mark that no other process has on its command line.
    const mark = `86399.${process.pid}`;
    const marked = async (): Promise<number> => {
      const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
      const lines = pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''));
      return (await Promise.all(lines)).filter((line) => line.split('\0').includes(mark)).length;
    };
    const child = await start(`setsid sleep ${mark} & setsid sleep ${mark} & wait`);
    await expect.poll(marked, { timeout: 5_000 }).toBe(2);
    child.kill('SIGKILL');
    await expect.poll(marked, { timeout: 5_000 }).toBe(0);
  });
});
