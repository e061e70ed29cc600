import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Host, Reply, Request } from '../../src/host/host.ts';
import { createLocalHost } from '../../src/host/local.ts';
import { hostOf } from '../../src/net/place.ts';
import { addNamespaces, cable, removeNamespaces, skipped, whyNot, within } from './collect-lab.ts';

/* Real probes between two namespaces; each way to fail is made by a real rule or route. */
const CLIENT = 'podtriage-client';
const SERVER = 'podtriage-server';
const why = whyNot('ping', 'iptables-nft');
const TO = '192.0.2.2';

describe.skipIf(why !== '')(`probes${skipped(why)}`, { timeout: 20_000 }, () => {
  let servers: ChildProcess;
  let host: Host;

  beforeAll(async () => {
    addNamespaces(CLIENT, SERVER);
    cable(CLIENT, SERVER);
    const rule = (namespace: string, line: string): string => within(namespace, 'iptables-nft', ...line.split(' '));
    rule(SERVER, '-A INPUT -p tcp --dport 81 -j DROP');
    rule(SERVER, '-A INPUT -p tcp --dport 82 -j REJECT --reject-with icmp-host-prohibited');
    rule(SERVER, '-A INPUT -p udp --dport 81 -j DROP');
    rule(CLIENT, '-A OUTPUT -p udp --dport 83 -j DROP');
    rule(CLIENT, '-A OUTPUT -p tcp --dport 53 -m owner --uid-owner 1000 -j REJECT --reject-with tcp-reset');
    within(CLIENT, 'ip', 'route', 'add', 'prohibit', '198.51.100.0/25');
    within(CLIENT, 'ip', 'route', 'add', 'blackhole', '198.51.100.128/25');
    const command = [`--net=/run/netns/${SERVER}`, process.execPath, join(import.meta.dirname, 'collect-servers.ts')];
    servers = spawn('nsenter', command, { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve) => servers.stdout!.once('data', resolve));
    host = createLocalHost({ nodes: { w1: { initPid: 1, namespaces: { 'w1|host': `/run/netns/${CLIENT}` } } } });
  }, 20_000);

  afterAll(async () => {
    servers?.kill('SIGKILL');
    await host?.close();
    removeNamespaces(CLIENT, SERVER);
  });

  /** The answers in the order of the questions. */
  async function probe(...asked: readonly (readonly [string, Request['args']])[]): Promise<readonly unknown[]> {
    const requests = asked.map(([action, args]) => ({ action, place: hostOf('w1'), args, round: 0 }));
    const answers = new Map<Request, Reply>();
    const limits = { deadlineMs: 15_000, maxBytes: 1 << 20 };
    for await (const reply of host.perform(requests, limits, new AbortController().signal)) {
      answers.set(reply.request, reply);
    }
    return requests.map((request) => {
      const reply = answers.get(request)!;
      return reply.got === 'raw' ? JSON.parse(Buffer.from(reply.raw).toString()) : reply;
    });
  }

  it('tell apart what a TCP connect can meet', async () => {
    const tcp = (address: string, port: number): [string, Request['args']] => [
      'probe.tcp',
      { address, port, timeoutMs: 700 },
    ];
    const answers = await probe(
      tcp(TO, 8080),
      tcp(TO, 80),
      tcp(TO, 81),
      tcp(TO, 82),
      tcp('203.0.113.1', 80),
      tcp('198.51.100.1', 80),
      tcp('198.51.100.200', 80),
    );
    expect(answers).toEqual([
      {
        outcome: 'connected',
        latencyMs: expect.any(Number),
        localAddress: '192.0.2.1',
        localPort: expect.any(Number),
      },
      expect.objectContaining({ outcome: 'refused', errno: 'ECONNREFUSED' }),
      expect.objectContaining({ outcome: 'timed-out' }),
      expect.objectContaining({ outcome: 'unreachable', errno: 'EHOSTUNREACH' }),
      expect.objectContaining({ outcome: 'unreachable', errno: 'ENETUNREACH' }),
      expect.objectContaining({ outcome: 'failed', errno: 'EACCES' }),
      expect.objectContaining({ outcome: 'failed', errno: 'EINVAL' }),
    ]);
  });

  it('wait for the neighbour that never answers', async () => {
    const [answer] = await probe(['probe.tcp', { address: '192.0.2.77', port: 80, timeoutMs: 3_900 }]);
    expect(answer).toMatchObject({ outcome: 'unreachable', errno: 'EHOSTUNREACH' });
  });

  it('tell apart what a datagram can meet', async () => {
    const udp = (port: number): [string, Request['args']] => [
      'probe.udp',
      { address: TO, port, timeoutMs: 400, payload: 'hello' },
    ];
    expect(await probe(udp(9000), udp(9), udp(81), udp(83))).toEqual([
      { outcome: 'answered', bytes: 5, latencyMs: expect.any(Number) },
      expect.objectContaining({ outcome: 'refused', errno: 'ECONNREFUSED' }),
      { outcome: 'silent' },
      expect.objectContaining({ outcome: 'failed', errno: 'EPERM' }),
    ]);
  });

  it('ask DNS servers by both transports', async () => {
    const dns = (name: string, more: Request['args'] = {}): [string, Request['args']] => [
      'probe.dns',
      { server: TO, name, type: 'A', transport: 'udp', timeoutMs: 1_000, ...more },
    ];
    const answers = await probe(
      dns('api.shop.svc.cluster.local.'),
      dns('api.shop.svc.cluster.local.', { transport: 'tcp' }),
      dns('api.shop.svc.cluster.local.', { type: 'AAAA' }),
      dns('apy.shop.svc.cluster.local.'),
      dns('api.', { port: 9 }),
      dns('api.', { port: 81, timeoutMs: 300 }),
    );
    expect(answers).toMatchObject([
      { outcome: 'answered', rcode: 'NOERROR', addresses: ['10.96.0.20'] },
      { outcome: 'answered', rcode: 'NOERROR', addresses: ['10.96.0.20'] },
      { outcome: 'no-data', addresses: [] },
      { outcome: 'nxdomain', rcode: 'NXDOMAIN' },
      { outcome: 'unreachable', errno: 'ECONNREFUSED' },
      { outcome: 'timed-out' },
    ]);
  });

  it('ping, with the size and the DF bit asked for', async () => {
    const ping = (args: Request['args']): [string, Request['args']] => [
      'probe.icmp',
      { address: TO, count: 1, timeoutMs: 500, ...args },
    ];
    const answers = await probe(
      ping({ sizeBytes: 1_472, df: true }),
      ping({ sizeBytes: 1_473, df: true }),
      ping({ sizeBytes: 3_000, df: false }),
      ping({ address: '203.0.113.1' }),
      ping({ address: '198.51.100.1' }),
    );
    expect(answers).toMatchObject([
      { outcome: 'answered', sent: 1, received: 1 },
      { outcome: 'too-big', received: 0, errors: [{ mtu: 1_500 }] },
      { outcome: 'answered' },
      { outcome: 'unreachable', detail: expect.stringContaining('unreachable') },
      { outcome: 'unreachable' },
    ]);
  });

  it('connect as another user where one is named', async () => {
    // As a mesh does it: what the application's user sends is treated apart.
    const args = { address: TO, port: 53, timeoutMs: 700 };
    const answers = await probe(['probe.tcp', args], ['probe.tcp', { ...args, uid: 1_000 }]);
    expect(answers).toMatchObject([{ outcome: 'connected' }, { outcome: 'refused' }]);
  });

  it('have a gap for what is no probe', async () => {
    const args = { address: 'example.com', port: 80, timeoutMs: 700 };
    expect(await probe(['probe.tcp', args], ['probe.icmp', args])).toMatchObject([
      { got: 'nothing', gap: 'failed', detail: expect.stringContaining('no address') },
      { got: 'nothing', gap: 'failed', detail: expect.stringContaining('no address') },
    ]);
  });
});
