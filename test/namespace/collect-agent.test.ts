import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Request } from '../../src/host/host.ts';
import { createRunner, type Ran } from '../../src/host/node-side-run.ts';
import { hostOf } from '../../src/net/place.ts';
import { addNamespaces, cable, removeNamespaces, skipped, whyNot, within } from './collect-lab.ts';

/*
 * Whatever happens to the client, the agent and what it started are gone 12 s later; and a tool that hangs is ended.
 * The agent runs in a namespace whose only neighbour answers nothing, so that its probes wait as long as they may.
 */
const HERE = 'podtriage-agent';
const THERE = 'podtriage-deaf';
const MAIN = join(import.meta.dirname, '../../src/agent/main.ts');
const CLIENT = join(import.meta.dirname, 'collect-client.ts');
const why = whyNot('ping', 'iptables-nft');

/** Both kinds of process that a probe makes: a ping, and a prober. Each would last half a minute. */
const WAITING: readonly Request[] = [waiting('probe.icmp', { count: 3 }), waiting('probe.tcp', { port: 80 })];

function waiting(action: string, args: Request['args']): Request {
  const more = { address: '192.0.2.2', timeoutMs: 30_000 };
  return { action, place: hostOf('here'), args: { ...args, ...more }, round: 0 };
}

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

function processes(): readonly Process[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
        const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        // A process that ended and was not yet waited for runs no more.
        if (fields[0] === 'Z') return [];
        const command = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
        return [{ pid: Number(name), parent: Number(fields[1]), command }];
      } catch {
        return [];
      }
    });
}

function below(pid: number): readonly Process[] {
  const all = processes();
  const children = all.filter(({ parent }) => parent === pid);
  return children.flatMap((child) => [child, ...below(child.pid)]);
}

function isAlive(pid: number): boolean {
  return processes().some((one) => one.pid === pid);
}

async function until(condition: () => boolean, limitMs: number): Promise<number> {
  const startedMs = performance.now();
  while (!condition()) {
    if (performance.now() - startedMs > limitMs) return Number.POSITIVE_INFINITY;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return performance.now() - startedMs;
}

describe.skipIf(why !== '')(`the agent${skipped(why)}`, { timeout: 40_000 }, () => {
  const started: ChildProcess[] = [];
  let init: ChildProcess | undefined;

  beforeAll(() => {
    addNamespaces(HERE, THERE);
    cable(HERE, THERE);
    // Stands for the node's first process; the agent takes its namespaces for the node's.
    init = spawn('nsenter', [`--net=/run/netns/${HERE}`, 'sleep', '300'], { stdio: 'ignore' });
    within(THERE, 'iptables-nft', '-A', 'INPUT', '-j', 'DROP');
  });
  afterEach(() => {
    for (const child of started.splice(0)) child.kill('SIGKILL');
  });
  afterAll(() => {
    init?.kill('SIGKILL');
    removeNamespaces(HERE, THERE);
  });

  /** An agent and a client, and between them this process, as the API server is: it hangs up on neither. */
  async function startBoth(): Promise<{ agent: ChildProcess; client: ChildProcess; children: readonly Process[] }> {
    const agent = spawn(process.execPath, [MAIN, '--init-pid', String(init!.pid)], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    const client = spawn(process.execPath, [CLIENT, JSON.stringify(WAITING)], { stdio: ['pipe', 'pipe', 'ignore'] });
    started.push(agent, client);
    for (const { stdin } of [agent, client]) stdin!.on('error', () => {});
    agent.stdout!.on('data', (bytes: Uint8Array) => client.stdin!.write(bytes));
    client.stdout!.on('data', (bytes: Uint8Array) => agent.stdin!.write(bytes));
    const busy = (): boolean => {
      const commands = below(agent.pid!).map(({ command }) => command);
      return commands.includes('ping') && commands.length >= WAITING.length;
    };
    expect(await until(busy, 10_000)).toBeLessThan(10_000);
    return { agent, client, children: below(agent.pid!) };
  }

  const allGone = (agent: ChildProcess, children: readonly Process[]) => (): boolean =>
    agent.exitCode !== null && children.every(({ pid }) => !isAlive(pid));

  it('is gone with all that it started 12 s after its client was killed, though its input stays open', async () => {
    const { agent, client, children } = await startBoth();
    client.kill('SIGKILL');
    const tookMs = await until(allGone(agent, children), 14_000);
    expect(tookMs).toBeLessThan(12_000);
    expect(tookMs).toBeGreaterThan(6_000);
  });

  it('is gone at once when its input ends', async () => {
    const { agent, children } = await startBoth();
    agent.stdin!.end();
    expect(await until(allGone(agent, children), 5_000)).toBeLessThan(3_000);
  });

  it('is gone at once when it is told to', async () => {
    const { agent, children } = await startBoth();
    agent.kill('SIGTERM');
    expect(await until(allGone(agent, children), 5_000)).toBeLessThan(3_000);
  });

  it('leaves nothing even when it is killed itself', async () => {
    const { agent, children } = await startBoth();
    agent.kill('SIGKILL');
    expect(await until(() => children.every(({ pid }) => !isAlive(pid)), 5_000)).toBeLessThan(3_000);
  });
});

describe.skipIf(why !== '')(`a tool that hangs${skipped(why)}`, () => {
  const runner = createRunner();
  const limits = { timeoutMs: 300, maxBytes: 1_000, where: { enter: [] }, signal: new AbortController().signal };
  /** Marks its own processes by an argument that nobody else uses. */
  const hang = (seconds: string): readonly string[] => ['sh', '-c', `sleep ${seconds} & sleep ${seconds}; echo`];
  const left = (seconds: string): readonly number[] =>
    processes()
      .filter(({ command }) => command === 'sleep')
      .map(({ pid }) => pid)
      .filter((pid) => argumentsOf(pid).includes(seconds));

  function argumentsOf(pid: number): readonly string[] {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    } catch {
      return [];
    }
  }

  it('is ended with its children when its time is up', async () => {
    const startedMs = performance.now();
    const running = runner.run({ ...limits, argv: hang('61.25') });
    expect(await until(() => left('61.25').length === 2, 250)).toBeLessThan(250);
    expect(await running).toMatchObject({ ended: 'timed-out' });
    expect(performance.now() - startedMs).toBeLessThan(2_000);
    expect(await until(() => left('61.25').length === 0, 1_000)).toBeLessThan(1_000);
  });

  it('is ended when the run is', async () => {
    const abort = new AbortController();
    const running = runner.run({ ...limits, timeoutMs: 60_000, signal: abort.signal, argv: hang('62.25') });
    expect(await until(() => left('62.25').length === 2, 2_000)).toBeLessThan(2_000);
    abort.abort();
    expect(await running).toMatchObject({ ended: 'cancelled' });
    expect(await until(() => left('62.25').length === 0, 1_000)).toBeLessThan(1_000);
  });

  it('is cut where it says too much', async () => {
    const ran: Ran = await runner.run({ ...limits, timeoutMs: 10_000, argv: ['sh', '-c', 'yes'] });
    expect(ran).toMatchObject({ ended: 'exited', truncated: true });
    expect(ran.ended === 'exited' && ran.stdout.length).toBe(1_000);
  });

  it('may not take more memory than it is given', async () => {
    const greedy = ['sh', '-c', 'x=$(head -c 100000000 /dev/zero | tr "\\0" x); echo "$x"'];
    const ran = await runner.run({ ...limits, timeoutMs: 10_000, maxMemoryBytes: 32 << 20, argv: greedy });
    expect(ran.ended === 'exited' && ran.code).not.toBe(0);
  });
});
