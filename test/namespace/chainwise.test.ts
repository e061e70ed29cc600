import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { iptablesLayout } from '../../bench/kube-proxy/iptables-layout.ts';
import { NFTABLES_END, nftablesLayout } from '../../bench/kube-proxy/nftables-layout.ts';
import { type BenchService, makeServices, SERVICE_PORT } from '../../bench/kube-proxy/services.ts';
import { BACKENDS, CLIENT, CLIENT_ADDRESS, NODE, NODE_ADDRESS, oneNode } from '../../bench/one-node.ts';
import type { Host, Reply, Request } from '../../src/host/host.ts';
import { createLocalHost } from '../../src/host/local.ts';
import type { Trace } from '../../src/simulate/trace.ts';
import { simulateTrace } from '../../src/simulate/walk.ts';
import { createSnapshot } from '../../src/snapshot/create-snapshot.ts';
import { addNamespaces, removeNamespaces, skipped, whyNot } from './collect-lab.ts';

/*
 * kube-proxy's rules in the kernel, in either of its layouts, read whole and chain by chain: the walk must come to the same,
 * by the same rules, and ask for no chain that the packet does not come to.
 */
const IPTABLES = 'podtriage-chains-ipt';
const NFTABLES = 'podtriage-chains-nft';
const why = whyNot('nft', 'iptables-nft');
const services = makeServices(60, BACKENDS);

/** As the node's listing names them, but chains before the maps that lead to them, as they can be loaded. */
function loadable(): string {
  const text = [...nftablesLayout(services, NODE_ADDRESS)].join(', ') + NFTABLES_END;
  const { nftables } = JSON.parse(text) as { nftables: Record<string, { handle?: number }>[] };
  const order = ['metainfo', 'table', 'chain', 'set', 'map', 'rule'];
  const rank = (item: object): number => order.indexOf(Object.keys(item)[0]!);
  for (const item of nftables) delete Object.values(item)[0]!.handle;
  return JSON.stringify({ nftables: nftables.toSorted((a, b) => rank(a) - rank(b)) });
}

function load(namespace: string, command: readonly string[], input: string): void {
  execFileSync('nsenter', [`--net=/run/netns/${namespace}`, ...command], { input });
}

function hostOn(namespace: string): Host {
  return createLocalHost({ nodes: { node: { initPid: 1, namespaces: { 'node|host': `/run/netns/${namespace}` } } } });
}

async function ask(host: Host, requests: readonly Request[]): Promise<Reply[]> {
  const replies: Reply[] = [];
  const limits = { deadlineMs: 30_000, maxBytes: 32 << 20 };
  for await (const reply of host.perform(requests, limits, new AbortController().signal)) replies.push(reply);
  return replies;
}

function question(action: string, args: Request['args']): Request {
  return { action, place: NODE, args, round: 0 };
}

function tooMuch(request: Request): Reply {
  return { request, startedAtMs: 0, tookMs: 10_000, got: 'nothing', gap: 'timed-out', detail: 'ended after 10000 ms' };
}

function walkTo(replies: readonly Reply[], service: BenchService): Trace {
  const snapshot = createSnapshot([...oneNode('routed'), ...replies]);
  const l4 = { protocol: 'tcp', sourcePort: 'ephemeral', destinationPort: SERVICE_PORT, flags: ['syn'] } as const;
  const ip = { source: CLIENT_ADDRESS, destination: service.address, ttl: 64, tos: 0, df: true };
  const world = { snapshot, gate: { parts: [], podAddressesRoutable: 'no' } } as const;
  return simulateTrace(world, { from: CLIENT, packet: { ip, l4, lengthBytes: 60 } });
}

/** What a trace says, without whence it is known. */
function saidBy({ segments }: Trace): unknown {
  return segments.map(({ hops, then }) => ({
    steps: hops.flatMap((hop) => hop.steps.map(({ at, text, matched, values }) => ({ at, text, matched, values }))),
    end: 'end' in then ? { end: then.end, packet: then.packet } : then,
  }));
}

interface Asked {
  readonly trace: Trace;
  readonly requests: readonly Request[];
  readonly rounds: number;
}

async function walkAsking(host: Host, start: readonly Reply[], service: BenchService): Promise<Asked> {
  const replies = [...start];
  const requests: Request[] = [];
  for (let rounds = 1; rounds < 10; rounds++) {
    const trace = walkTo(replies, service);
    const wants = trace.segments.flatMap(({ then }) => ('wants' in then ? then.wants : []));
    const fresh = [...new Map(wants.map((want) => [JSON.stringify(want), want])).values()];
    if (fresh.length === 0) return { trace, requests, rounds };
    requests.push(...fresh);
    replies.push(...(await ask(host, fresh)));
  }
  throw new Error('the walk never has enough');
}

const WHOLE = question('iptables.nft', { family: 4, table: '' });
const TABLES = question('nft.tables', {});
const LEGACY = question('iptables.legacy', { family: 4 });
const TABLE = question('nft.table', { family: 'ip', name: 'kube-proxy' });

describe.skipIf(why !== '')(`a rule set that is read chain by chain${skipped(why)}`, () => {
  const hosts = { iptables: hostOn(IPTABLES), nftables: hostOn(NFTABLES) };

  beforeAll(() => {
    addNamespaces(IPTABLES, NFTABLES);
    load(IPTABLES, ['iptables-nft-restore'], `${[...iptablesLayout(services)].join('\n')}\n`);
    // nft opens its standard input anew, which a socket does not allow.
    load(NFTABLES, ['sh', '-c', 'cat | nft -j -f -'], loadable());
  });

  afterAll(async () => {
    await Promise.all(Object.values(hosts).map((host) => host.close()));
    removeNamespaces(IPTABLES, NFTABLES);
  });

  it.each([
    { layout: 'iptables', whole: WHOLE, others: [LEGACY, TABLES] },
    { layout: 'nftables', whole: TABLE, others: [LEGACY, TABLES, WHOLE] },
  ] as const)('in the $layout layout of kube-proxy', async ({ layout, whole, others }) => {
    const host = hosts[layout];
    const around = await ask(host, others);
    const inWhole = walkTo([...around, ...(await ask(host, [whole]))], services[7]!);
    const { trace, requests, rounds } = await walkAsking(host, [...around, tooMuch(whole)], services[7]!);
    expect(inWhole.segments.filter(({ then }) => 'end' in then && then.end === 'delivered')).toHaveLength(5);
    expect(saidBy(trace)).toEqual(saidBy(inWhole));
    expect(rounds).toBeLessThan(7);
    const chains = requests.filter(({ action }) => /^(iptables|nft)\.chain$/.test(action));
    const named = (pattern: RegExp): unknown[] => chains.filter(({ args }) => pattern.test(String(args['chain'])));
    expect(new Set(chains.map(({ args }) => `${args['table']} ${args['chain']}`)).size).toBe(chains.length);
    expect(chains.length).toBeLessThan(40);
    expect(named(/^(KUBE-SVC-|service-[0-9A-Z]{8}-)/)).toHaveLength(1);
    expect(named(/^(KUBE-SEP-|endpoint-)/)).toHaveLength(BACKENDS.length);
  });

  it('goes by the list of chains alone, which does not tell whether a table is dormant', async () => {
    const [legacy, whole] = await ask(hosts.nftables, [LEGACY, WHOLE]);
    const start = [legacy!, whole!, tooMuch(TABLES), tooMuch(TABLE)];
    const { trace } = await walkAsking(hosts.nftables, start, services[7]!);
    const delivered = trace.segments.filter(({ then }) => 'end' in then && then.end === 'delivered');
    expect(delivered).toHaveLength(BACKENDS.length);
    expect(trace.segments[0]!.then).toMatchObject({ fork: 'undecided' });
  });

  it('says what it lacks where a chain cannot be had', async () => {
    const around = await ask(hosts.iptables, [LEGACY, TABLES]);
    const chains = await ask(hosts.iptables, [question('nft.chains', {})]);
    const bases = await walkAsking(hosts.iptables, [...around, tooMuch(WHOLE)], services[7]!);
    const services1 = bases.requests.find(({ args }) => args['table'] === 'nat' && args['chain'] === 'KUBE-SERVICES')!;
    const replies = await ask(
      hosts.iptables,
      bases.requests.filter((request) => request !== services1),
    );
    const { segments } = walkTo([...around, ...chains, tooMuch(WHOLE), ...replies, tooMuch(services1)], services[7]!);
    expect(segments.at(-1)!.then).toMatchObject({
      end: 'insufficient-information',
      because: "chain KUBE-SERVICES of iptables' table nat: timed-out ended after 10000 ms",
      wants: [],
    });
  });
});
