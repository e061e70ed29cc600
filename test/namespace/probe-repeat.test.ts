import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Host, Request } from '../../src/host/host.ts';
import { createLocalHost } from '../../src/host/local.ts';
import { hostOf } from '../../src/net/place.ts';
import { backendShare } from '../../src/probe/backend-share.ts';
import type { ProbeSample } from '../../src/probe/probe-sample.ts';
import { repeatedSyns } from '../../src/probe/repeated-syn.ts';
import { createStateWatch, type StateChange } from '../../src/probe/state-watch.ts';
import { createTally, type TallyReading } from '../../src/probe/tally.ts';
import { type SendPlan, sendRepeatedly } from '../../src/triage/send-repeatedly.ts';
import { addNamespaces, cable, removeNamespaces, skipped, whyNot, within } from './collect-lab.ts';

/* Real connects and pings between two namespaces, sent again and again by the node side; what goes wrong is made by real rules. */
const CLIENT = 'podtriage-rep-client';
const SERVER = 'podtriage-rep-server';
const why = whyNot('ping', 'python3', 'iptables-nft');
const TO = '192.0.2.2';
/** 8080 and 8081 listen; 8082 has a queue for one connection and takes none out of it. */
const LISTENERS = `
import socket, threading, sys
def take(s):
    while True: s.accept()[0].close()
for port in (8080, 8081):
    s = socket.create_server(('0.0.0.0', port), backlog=128); threading.Thread(target=take, args=(s,), daemon=True).start()
full = socket.create_server(('0.0.0.0', 8082), backlog=0)
print('ready', flush=True); sys.stdin.read()
`;
/** Answers each ping once more than the kernel does. */
const SECOND_ANSWERS = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
print('ready', flush=True)
while True:
    packet, (sender, _) = s.recvfrom(2048)
    icmp = packet[20:]
    if icmp[0] != 8: continue
    # An echo reply is the request with type 0: its checksum is larger by 0x0800 (RFC 1624).
    total = int.from_bytes(icmp[2:4], 'big') + 0x0800
    checksum = (total & 0xffff) + (total >> 16)
    s.sendto(bytes([0, 0]) + checksum.to_bytes(2, 'big') + icmp[4:], (sender, 0))
`;
const PLAN: SendPlan = { count: 12, intervalMs: 50, waitMs: 700 };

describe.skipIf(why !== '')(`repeated probes${skipped(why)}`, { timeout: 30_000 }, () => {
  let servers: ChildProcess;
  let host: Host;

  beforeAll(async () => {
    addNamespaces(CLIENT, SERVER);
    cable(CLIENT, SERVER);
    const command = [`--net=/run/netns/${SERVER}`, 'python3', '-c', LISTENERS];
    servers = spawn('nsenter', command, { stdio: ['pipe', 'pipe', 'inherit'] });
    await new Promise((resolve) => servers.stdout!.once('data', resolve));
    host = createLocalHost({ nodes: { w1: { initPid: 1, namespaces: { 'w1|host': `/run/netns/${CLIENT}` } } } });
  }, 20_000);

  afterEach(() => {
    for (const namespace of [CLIENT, SERVER]) {
      within(namespace, 'iptables-nft', '-F');
      within(namespace, 'iptables-nft', '-t', 'nat', '-F');
    }
  });

  afterAll(async () => {
    servers?.kill('SIGKILL');
    await host?.close();
    removeNamespaces(CLIENT, SERVER);
  });

  const rule = (namespace: string, line: string): string => within(namespace, 'iptables-nft', ...line.split(' '));
  const tcp = (port: number, address = TO): Request => ({
    ...{ action: 'probe.tcp', place: hostOf('w1'), round: 0 },
    args: { address, port },
  });
  const ping = (args: Request['args'] = {}): Request => ({
    ...{ action: 'probe.icmp', place: hostOf('w1'), round: 0 },
    args: { address: TO, sizeBytes: 56, df: false, ...args },
  });

  /** Everything that was sent to each destination. */
  async function send(
    requests: readonly Request[],
    plan: SendPlan,
    signal: AbortSignal = new AbortController().signal,
  ): Promise<{ samples: ProbeSample[][]; readings: TallyReading[] }> {
    const samples: ProbeSample[][] = requests.map(() => []);
    const sleep = (ms: number): Promise<void> => wait(ms, undefined, { signal }).catch(() => undefined);
    const targets = requests.map((request) => ({ request, circumstances: {} }));
    await sendRepeatedly(host, targets, plan, { signal, sleep }, (at, sample) => samples[at]!.push(sample));
    const readings = samples.map((list) => {
      const tally = createTally();
      for (const sample of list) tally.add(sample);
      return tally.read();
    });
    return { samples, readings };
  }

  it('connect as often as asked, at the interval asked for, each from a port of its own', async () => {
    // A rule counts the SYNs that really came: the server's own word.
    rule(SERVER, '-A INPUT -p tcp --dport 8080 --syn');
    // And the client's: nothing else leaves, whatever a prober does to be warm.
    rule(CLIENT, '-A OUTPUT -p tcp ! -d 192.0.2.2');
    const startedMs = performance.now();
    const { samples, readings } = await send([tcp(8080)], { ...PLAN, count: 20, intervalMs: 100 });
    const tookMs = performance.now() - startedMs;
    expect(readings[0]).toMatchObject({ sent: 20, passed: 20, failed: 0, unknown: 0 });
    expect(samples[0]!.map(({ attempt }) => attempt).toSorted((a, b) => a - b)).toEqual([...Array(20).keys()]);
    expect(tookMs).toBeGreaterThan(1_850);
    expect(tookMs).toBeLessThan(6_000);
    expect(within(SERVER, 'iptables-nft', '-vnL', 'INPUT')).toMatch(/^ +20 /m);
    expect(within(CLIENT, 'iptables-nft', '-vnL', 'OUTPUT')).toMatch(/^ +0 .*!192\.0\.2\.2/m);
  });

  it('tell apart refused, timed out and unreachable', async () => {
    rule(SERVER, '-A INPUT -p tcp --dport 81 -j DROP');
    rule(SERVER, '-A INPUT -p tcp --dport 82 -j REJECT --reject-with icmp-host-prohibited');
    rule(SERVER, '-A INPUT -p tcp --dport 83 -j REJECT --reject-with tcp-reset');
    const { readings } = await send([tcp(80), tcp(81), tcp(82), tcp(83)], { ...PLAN, count: 3 });
    expect(
      readings.map(({ failed, outcomes }) => [failed, outcomes.map(({ outcome, count }) => [outcome, count])]),
    ).toEqual([
      [3, [['refused', 3]]],
      [3, [['timed-out', 3]]],
      [3, [['unreachable', 3]]],
      [3, [['refused', 3]]],
    ]);
  });

  it('find every third SYN that a rule drops by the time that the kernel takes to send it again', async () => {
    rule(SERVER, '-A INPUT -p tcp --dport 8080 --syn -m statistic --mode nth --every 3 --packet 0 -j DROP');
    const { samples, readings } = await send([tcp(8080)], { ...PLAN, count: 30, intervalMs: 100, waitMs: 3_500 });
    // Nothing fails; it is the times that tell.
    expect(readings[0]).toMatchObject({ sent: 30, passed: 30 });
    const times = samples[0]!.flatMap(({ latencyMs }) => latencyMs ?? []);
    const repeated = repeatedSyns(times).reduce((sum, { count }) => sum + count, 0);
    const dropped = Number(/^ +(\d+) .*DROP/m.exec(within(SERVER, 'iptables-nft', '-vnL', 'INPUT'))![1]);
    expect(dropped).toBeGreaterThanOrEqual(10);
    expect(repeated).toBeGreaterThanOrEqual(8);
    // All others took no time worth speaking of.
    expect(times.filter((time) => time < 500).length + repeated).toBe(30);
  });

  it('count the same loss as the rule where nobody waits for a second SYN', async () => {
    rule(SERVER, '-A INPUT -p tcp --dport 8080 --syn -m statistic --mode nth --every 3 --packet 0 -j DROP');
    const { readings } = await send([tcp(8080)], { ...PLAN, count: 30, intervalMs: 20 });
    expect(readings[0]).toMatchObject({ sent: 30, passed: 20, failed: 10 });
  });

  it('meet a listener whose queue is full', async () => {
    const { readings, samples } = await send([tcp(8082)], { ...PLAN, count: 8, waitMs: 1_500 });
    // What the queue has room for connects; all else is not taken, and never refused.
    expect(readings[0]!.passed).toBeLessThanOrEqual(2);
    expect(readings[0]!.failed).toBeGreaterThanOrEqual(6);
    expect(new Set(samples[0]!.map(({ outcome }) => outcome))).toEqual(new Set(['connected', 'timed-out']));
  });

  it('explain what fails through a Service by the one backend that always fails', async () => {
    // As kube-proxy's rules spread connections: every third one goes to a backend that drops.
    const service = '203.0.113.80';
    within(CLIENT, 'ip', 'route', 'replace', `${service}/32`, 'via', TO);
    rule(SERVER, '-A INPUT -p tcp --dport 8083 -j DROP');
    const nat = `-t nat -A OUTPUT -p tcp -d ${service} --dport 80`;
    rule(CLIENT, `${nat} -m statistic --mode nth --every 3 --packet 0 -j DNAT --to-destination ${TO}:8083`);
    rule(CLIENT, `${nat} -m statistic --mode nth --every 2 --packet 0 -j DNAT --to-destination ${TO}:8081`);
    rule(CLIENT, `${nat} -j DNAT --to-destination ${TO}:8080`);
    const requests = [tcp(80, service), tcp(8080), tcp(8081), tcp(8083)];
    const { readings } = await send(requests, { ...PLAN, count: 30, intervalMs: 60 });
    const [asked, ...backends] = readings.map(({ sent, failed }, at) => ({ name: String(at), sent, failed }));
    expect(asked).toEqual({ name: '0', sent: 30, failed: 10 });
    expect(backends.map(({ failed }) => failed)).toEqual([0, 0, 30]);
    expect(backendShare(asked!, backends)).toMatchObject({ explains: 'backend', expected: 1 / 3 });
  });

  it('use one source port again and again', async () => {
    rule(SERVER, '-A INPUT -p tcp --dport 8080 --sport 41000 --syn');
    const { readings } = await send([tcp(8080)], { ...PLAN, count: 5, sourcePort: 41_000 });
    expect(readings[0]).toMatchObject({ sent: 5, passed: 5 });
    expect(within(SERVER, 'iptables-nft', '-vnL', 'INPUT')).toMatch(/^ +5 /m);
  });

  it('mark when a destination ceases to answer, and when it answers again', async () => {
    const startedAtMs = Date.now();
    const sending = send([tcp(8080)], { count: 60, intervalMs: 50, waitMs: 300 });
    await wait(1_500);
    rule(SERVER, '-I INPUT -p tcp --dport 8080 -j DROP');
    const downAtMs = Date.now() - startedAtMs;
    await wait(800);
    within(SERVER, 'iptables-nft', '-F');
    const upAtMs = Date.now() - startedAtMs;
    const { samples } = await sending;
    const watch = createStateWatch();
    const changes: StateChange[] = samples[0]!.flatMap((sample) => watch.take(sample));
    expect(changes.map(({ to }) => to)).toEqual(['not-answering', 'answering']);
    // To the moment, but for the start of a prober.
    expect(Math.abs(changes[0]!.atMs - startedAtMs - downAtMs)).toBeLessThan(700);
    expect(Math.abs(changes[1]!.atMs - startedAtMs - upAtMs)).toBeLessThan(700);
  });

  it('ping: each reply, what is lost, duplicates, and who sends errors', async () => {
    const fine = await send([ping()], { ...PLAN, count: 10 });
    expect(fine.readings[0]).toMatchObject({ sent: 10, passed: 10, duplicates: 0 });
    expect(fine.readings[0]!.timesMs).toHaveLength(10);

    rule(SERVER, '-A INPUT -p icmp -m statistic --mode nth --every 2 --packet 0 -j DROP');
    const halved = await send([ping()], { ...PLAN, count: 10 });
    expect(halved.readings[0]).toMatchObject({ sent: 10, passed: 5, failed: 5 });
    expect(halved.readings[0]!.outcomes).toContainEqual(expect.objectContaining({ outcome: 'unanswered', count: 5 }));
    within(SERVER, 'iptables-nft', '-F');

    rule(SERVER, '-A INPUT -p icmp -j REJECT --reject-with icmp-host-prohibited');
    const rejected = await send([ping()], { ...PLAN, count: 4 });
    expect(rejected.readings[0]).toMatchObject({ passed: 0, failed: 4 });
    expect(rejected.readings[0]!.outcomes[0]!.statement).toMatch(/^192\.0\.2\.2: /);
  });

  it('ping: requests that are answered twice are told', async () => {
    const command = [`--net=/run/netns/${SERVER}`, 'python3', '-c', SECOND_ANSWERS];
    const doubling = spawn('nsenter', command, { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve) => doubling.stdout!.once('data', resolve));
    const { readings } = await send([ping()], { ...PLAN, count: 6 });
    doubling.kill('SIGKILL');
    expect(readings[0]).toMatchObject({ sent: 6, passed: 6, failed: 0 });
    // ping(8) waits for no second answer to its last request.
    expect(readings[0]!.duplicates).toBeGreaterThanOrEqual(5);
  });

  it('ping: larger than the device may send, unfragmented', async () => {
    const { readings } = await send([ping({ sizeBytes: 1_473, df: true })], { ...PLAN, count: 3 });
    expect(readings[0]).toMatchObject({ passed: 0, failed: 3 });
    expect(readings[0]!.outcomes[0]!.statement).toMatch(/message too long, mtu[=:] ?1500/);
  });

  it('end at once with the signal, and leave no process', async () => {
    const abort = new AbortController();
    const sending = send([tcp(8080), tcp(8081)], { count: 100_000, intervalMs: 50, waitMs: 3_000 }, abort.signal);
    await wait(1_500);
    expect(probersFor('8081')).toBeGreaterThan(0);
    abort.abort();
    const endedMs = performance.now();
    const { readings } = await sending;
    expect(performance.now() - endedMs).toBeLessThan(1_000);
    expect(readings[0]!.passed).toBeGreaterThan(5);
    expect(readings[0]).toMatchObject({ failed: 0, unknown: 0 });
    for (let tries = 0; tries < 50 && probersFor('8081') > 0; tries++) await wait(20);
    expect(probersFor('8081')).toBe(0);
  });

  it('leave no process when the node side is closed in their midst, and stop where it answers no more', async () => {
    const own = createLocalHost({ nodes: { w1: { initPid: 1, namespaces: { 'w1|host': `/run/netns/${CLIENT}` } } } });
    const samples: ProbeSample[] = [];
    const options = { signal: new AbortController().signal, sleep: (ms: number) => wait(ms) };
    const targets = [{ request: tcp(8085), circumstances: {} }];
    rule(SERVER, '-A INPUT -p tcp --dport 8085 -j DROP');
    const plan = { count: 20, intervalMs: 50, waitMs: 20_000 };
    const sending = sendRepeatedly(own, targets, plan, options, (_, sample) => samples.push(sample));
    await wait(1_000);
    expect(probersFor('8085')).toBeGreaterThan(0);
    await own.close();
    await sending;
    expect(new Set(samples.map(({ outcome }) => outcome))).toEqual(new Set(['untold']));
    expect(probersFor('8085')).toBe(0);
  });
});

/** Probers that run with a job for this port. */
function probersFor(port: string): number {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      return argv.includes('prober-main') && argv.includes(`"port":${port}`);
    } catch {
      return false;
    }
  }).length;
}
