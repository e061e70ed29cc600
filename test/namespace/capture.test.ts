import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CAPTURE_SECONDS_MAX, startRequest, stopRequest } from '../../src/capture/capture-request.ts';
import { readCaptures } from '../../src/capture/read-captures.ts';
import { sightingsOf } from '../../src/capture/sighting.ts';
import type { CapturePoint } from '../../src/capture/watch-plan.ts';
import type { Host, Reply, Request } from '../../src/host/host.ts';
import { createLocalHost } from '../../src/host/local.ts';
import { hostOf } from '../../src/net/place.ts';
import { addNamespaces, cable, removeNamespaces, skipped, whyNot, within } from './collect-lab.ts';

/* Real captures, by the node side as a cluster's nodes run it, of real packets between two namespaces. */
const CLIENT = 'podtriage-cap-client';
const SERVER = 'podtriage-cap-server';
const why = whyNot('ping', 'tcpdump', 'iptables-nft');
const TUPLE = { protocol: 'icmp', source: '192.0.2.1', destination: '192.0.2.2' } as const;
const POINTS: readonly CapturePoint[] = ['w1', 'w2'].map((node) => ({
  place: hostOf(node),
  device: 'eth0',
  tuples: [TUPLE],
}));
const LIMITS = { seconds: 20, packets: 100 };

describe.skipIf(why !== '')(`captures${skipped(why)}`, { timeout: 20_000 }, () => {
  let host: Host;

  beforeAll(() => {
    addNamespaces(CLIENT, SERVER);
    cable(CLIENT, SERVER);
    // The answer of who is asked for the first time is no part of what is counted here.
    within(CLIENT, 'ping', '-c1', '-W2', '192.0.2.2');
  });

  afterAll(() => removeNamespaces(CLIENT, SERVER));

  function open(): Host {
    const at = (node: string, namespace: string) => ({ [`${node}|host`]: `/run/netns/${namespace}` });
    host = createLocalHost({
      nodes: {
        w1: { initPid: 1, namespaces: at('w1', CLIENT) },
        w2: { initPid: 1, namespaces: at('w2', SERVER) },
      },
    });
    return host;
  }

  afterEach(async () => host.close());

  async function ask(requests: readonly Request[]): Promise<Reply[]> {
    const replies = new Map<Request, Reply>();
    const limits = { deadlineMs: 15_000, maxBytes: 32 << 20 };
    for await (const reply of host.perform(requests, limits, new AbortController().signal))
      replies.set(reply.request, reply);
    return requests.map((request) => replies.get(request)!);
  }

  const start = (limits = LIMITS): Promise<Reply[]> =>
    ask(POINTS.map((point, at) => startRequest(point, `c${at}`, limits)));
  const stop = (): Promise<Reply[]> => ask(POINTS.map((point, at) => stopRequest(point, `c${at}`)));
  const ping = (count: number): string => within(CLIENT, 'ping', `-c${count}`, '-i0.01', '-W1', '192.0.2.2');

  it('see every packet from the answer to "start" to that to "stop", at both ends of a cable', async () => {
    open();
    const started = await start();
    expect(started.map(({ got }) => got)).toEqual(['raw', 'raw']);
    ping(3);
    const { file, watches } = readCaptures(POINTS, started, await stop());
    expect(watches).toEqual([
      { frames: 6, isWhole: true },
      { frames: 6, isWhole: true },
    ]);
    const { seen, untold } = sightingsOf(file, POINTS);
    expect(untold).toEqual([0, 0]);
    const keys = (point: number): string[] => seen.filter((one) => one.point === point).map(({ key }) => key);
    expect(keys(0)).toHaveLength(6);
    expect(new Set(keys(0)).size).toBe(6);
    expect(keys(1)).toEqual(keys(0));
  });

  it('see what the receiver’s own rules drop, and not what the sender’s do', async () => {
    open();
    within(SERVER, 'iptables-nft', '-A', 'INPUT', '-p', 'icmp', '-j', 'DROP');
    const started = await start();
    expect(() => ping(2)).toThrow();
    const dropped = readCaptures(POINTS, started, await stop());
    within(SERVER, 'iptables-nft', '-F', 'INPUT');
    expect(dropped.watches.map(({ frames }) => frames)).toEqual([2, 2]);

    within(CLIENT, 'iptables-nft', '-A', 'OUTPUT', '-p', 'icmp', '-j', 'DROP');
    const again = await start();
    expect(() => ping(2)).toThrow();
    const unsent = readCaptures(POINTS, again, await stop());
    within(CLIENT, 'iptables-nft', '-F', 'OUTPUT');
    expect(unsent.watches.map(({ frames }) => frames)).toEqual([0, 0]);
  });

  it('end by themselves at their bounds, and say that more may have come', async () => {
    open();
    const started = await start({ seconds: 20, packets: 4 });
    ping(5);
    const { watches } = readCaptures(POINTS, started, await stop());
    expect(watches[0]).toMatchObject({ frames: 4, isWhole: false });
  });

  it('that time has ended are told as not whole', async () => {
    open();
    const started = await start({ seconds: 1, packets: 100 });
    ping(1);
    await sleep(1_500);
    ping(1);
    const { watches } = readCaptures(POINTS, started, await stop());
    expect(watches[0]).toMatchObject({ frames: 2, isWhole: false });
  });

  it('of a device that is not there are a gap with tcpdump’s own words', async () => {
    open();
    const [reply] = await ask([startRequest({ ...POINTS[0]!, device: 'nodev0' }, 'x', LIMITS)]);
    expect(reply).toMatchObject({ got: 'nothing' });
    expect(reply!.got === 'nothing' && reply!.detail).toMatch(/nodev0: No such device/);
  });

  it('that nobody started cannot be ended', async () => {
    open();
    expect((await stop()).map((reply) => reply.got === 'nothing' && reply.detail)).toEqual([
      'no capture c0 runs there',
      'no capture c1 runs there',
    ]);
  });

  it('leave no process behind when the node side is killed hard', async () => {
    open();
    const client = spawn(process.execPath, [join(import.meta.dirname, 'capture-client.ts'), `/run/netns/${CLIENT}`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [said] = (await once(client.stdout!, 'data')) as [Buffer];
    expect(said.toString().trim()).toBe('raw');
    expect(tcpdumpsAt('eth0')).toBe(1);
    client.kill('SIGKILL');
    for (let wait = 0; wait < 50 && tcpdumpsAt('eth0') > 0; wait++) await sleep(20);
    expect(tcpdumpsAt('eth0')).toBe(0);
  });

  it('leave no process behind when the node side is closed in their midst', async () => {
    open();
    await start({ seconds: CAPTURE_SECONDS_MAX, packets: 100 });
    expect(tcpdumpsAt('eth0')).toBe(2);
    await host.close();
    for (let wait = 0; wait < 50 && tcpdumpsAt('eth0') > 0; wait++) await sleep(20);
    expect(tcpdumpsAt('eth0')).toBe(0);
  });
});

/** tcpdumps that run with this test's own filter. */
function tcpdumpsAt(device: string): number {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return (
        argv[0] === 'tcpdump' && argv.includes(device) && argv.at(-2)!.includes('host 192.0.2.1 and host 192.0.2.2')
      );
    } catch {
      return false;
    }
  }).length;
}
