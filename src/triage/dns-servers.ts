import type { Request, Scalar } from '../host/host.ts';
import { type Address, familyOf } from '../net/address.ts';
import type { Place } from '../net/place.ts';
import { interpretDns } from '../probe/interpret.ts';
import type { DnsReportQuestion, DnsReportServer } from '../report/dns-report.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { clusterList, seenItems } from '../target/cluster-list.ts';
import { backendsOf, usableBackends } from '../target/service-backends.ts';
import { clusterAddresses, servicePortOf } from '../target/service-ports.ts';
import { dnsUpstreams } from './dns-upstreams.ts';
import { dnsPods } from './follow-ups.ts';
import type { Run } from './run.ts';

export interface ServersAsked {
  readonly place: { readonly sender: Place };
  readonly nameservers: readonly Address[];
  /** The fully qualified name. */
  readonly asked: string;
  readonly type: 'A' | 'AAAA';
  readonly signal: AbortSignal;
  /** Starts what these nodes need. */
  readonly pods: (nodes: readonly string[]) => void;
}

interface Server {
  readonly role: DnsReportServer['role'];
  readonly name: string;
  readonly from: Place;
  readonly address: Address;
  readonly port: number;
}

/** How a server is asked. The sizes: what the flag day of 2020 settled on, and what resolvers asked for before it. */
interface Way {
  readonly type: 'A' | 'AAAA';
  readonly transport: 'udp' | 'tcp';
  readonly ednsBytes?: number;
}

const ENDPOINTS_MAX = 8;
/** DNS servers of the cluster whose upstreams are asked. */
const DNS_PODS_MAX = 2;
const UPSTREAMS_MAX = 4;
/** One lost packet is no silent server. */
const TRIES_MAX = 3;
const TIMEOUT_MS = 2_000;
/** A DNS server whose own upstreams are silent says so only after 5 s (CoreDNS's plugin/forward, defaultTimeout): it is not silent itself. */
const LAST_TIMEOUT_MS = 6_000;
/** Between two questions of one namespace, so that they do not slow each other down. */
const PACE_MS = 15;
const EDNS_BYTES = [512, 1232, 4096] as const;

/** Each nameserver, each DNS server behind it, and whom those ask, each in every way that an answer could come. */
export async function askServers(
  run: Run,
  asked: ServersAsked,
): Promise<{ readonly servers: readonly DnsReportServer[]; readonly unasked: readonly string[] }> {
  if (asked.signal.aborted)
    return { servers: [], unasked: ['the run was ended before the servers were asked by themselves'] };
  const pods = dnsPods(run.snapshot(), asked.nameservers).slice(0, DNS_PODS_MAX);
  asked.pods([...new Set(pods.flatMap(({ spec }) => spec.nodeName ?? []))]);
  await run.collect(
    'reading whom the cluster’s DNS asks',
    pods.flatMap((pod) => dnsUpstreams(run.snapshot(), pod, asked.asked).wants),
  );
  const { servers, unasked } = serversOf(run.snapshot(), asked, pods);
  const read = await askAll(run, servers, asked);
  return { servers: read, unasked };
}

function serversOf(snapshot: Snapshot, asked: ServersAsked, pods: ReturnType<typeof dnsPods>) {
  const { sender } = asked.place;
  const nameservers = asked.nameservers.map(
    (address): Server => ({ role: 'nameserver', name: serverName(address, 53), from: sender, address, port: 53 }),
  );
  const behind = new Map(
    asked.nameservers.flatMap((address) => endpointsOf(snapshot, address, sender)).map((one) => [one.name, one]),
  );
  const upstreams = pods.map((pod) => ({ pod, of: dnsUpstreams(snapshot, pod, asked.asked) }));
  const above = upstreams.flatMap(({ of: { from, servers } }): Server[] =>
    from === undefined
      ? []
      : servers.slice(0, UPSTREAMS_MAX).map(({ address, port }) => ({
          ...{ role: 'upstream', name: serverName(address, port), from, address, port },
        })),
  );
  return {
    servers: [...nameservers, ...[...behind.values()].slice(0, ENDPOINTS_MAX), ...above],
    unasked: [
      ...upstreams.flatMap(({ pod, of: { because } }) =>
        because === undefined ? [] : [`upstreams of pod/${pod.metadata.namespace}/${pod.metadata.name}: ${because}`],
      ),
      ...(behind.size > ENDPOINTS_MAX ? [`only ${ENDPOINTS_MAX} of ${behind.size} DNS servers were asked`] : []),
    ],
  };
}

function endpointsOf(snapshot: Snapshot, nameserver: Address, from: Place): Server[] {
  const service = seenItems(clusterList(snapshot, 'api.services')).find((one) =>
    clusterAddresses(one).includes(nameserver),
  );
  const port = service && servicePortOf(service, '53', 'udp');
  if (!service || !port) return [];
  const slices = seenItems(clusterList(snapshot, 'api.endpointslices', service.metadata.namespace ?? 'default'));
  return usableBackends(backendsOf(slices, service, port))
    .filter(({ address }) => familyOf(address) === familyOf(nameserver))
    .map((one) => ({
      ...{ role: 'endpoint', from, address: one.address, port: one.port },
      name: `${one.pod === undefined ? '' : `pod/${one.pod.namespace}/${one.pod.name} `}${serverName(one.address, one.port)}`,
    }));
}

function serverName(address: Address, port: number): string {
  if (port === 53) return address;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function waysOf(role: Server['role'], type: Way['type']): readonly Way[] {
  const other = type === 'A' ? 'AAAA' : 'A';
  const plain: Way[] = [
    { type, transport: 'udp' },
    { type, transport: 'tcp' },
  ];
  const sizes = EDNS_BYTES.map((ednsBytes): Way => ({ type, transport: 'udp', ednsBytes }));
  return role === 'nameserver'
    ? [...plain, { type: other, transport: 'udp' }, ...sizes]
    : [...plain, ...sizes.slice(1)];
}

/** Silent ones are asked again: three times in all. */
async function askAll(run: Run, servers: readonly Server[], asked: ServersAsked): Promise<DnsReportServer[]> {
  const all = servers.map((server) => ({ server, ways: waysOf(server.role, asked.type) }));
  const rows = all.flatMap(({ server, ways }) => ways.map((way) => ({ server, way })));
  const done = new Map<(typeof rows)[number], DnsReportQuestion>();
  for (let turn = 1; turn <= TRIES_MAX; turn++) {
    const left = rows.filter((row) => isOpen(done.get(row)));
    if (left.length === 0 || asked.signal.aborted) break;
    const paces = new Map<string, number>();
    const requests = left.map((row) => requestFor(row.server, row.way, asked.asked, turn, paces));
    await run.collect('asking each server', requests);
    for (const [at, row] of left.entries())
      done.set(row, readQuestion(run.snapshot(), requests[at]!, row.way, asked.asked, turn));
  }
  return all.map(({ server }) => ({
    ...{ role: server.role, name: server.name, from: placeName(server.from) },
    questions: rows.filter((row) => row.server === server).flatMap((row) => done.get(row) ?? []),
  }));
}

function isOpen(question: DnsReportQuestion | undefined): boolean {
  return question === undefined || question.outcome === 'timed-out';
}

function placeName({ node, namespace }: Place): string {
  return namespace === 'host' ? `node/${node}` : namespace;
}

function requestFor(
  { address: server, port, from }: Server,
  way: Way,
  name: string,
  attempt: number,
  paces: Map<string, number>,
): Request {
  const key = placeName(from);
  const turn = paces.get(key) ?? 0;
  paces.set(key, turn + 1);
  const args: Record<string, Scalar> = {
    server,
    port,
    name,
    ...way,
    timeoutMs: attempt === TRIES_MAX ? LAST_TIMEOUT_MS : TIMEOUT_MS,
    afterMs: turn * PACE_MS,
    attempt,
  };
  return { action: 'probe.dns', place: { node: from.node, namespace: from.namespace }, args, round: 0 };
}

function readQuestion(snapshot: Snapshot, request: Request, way: Way, name: string, tries: number): DnsReportQuestion {
  const seen = snapshot.fact('probe.dns', request.place, request.args);
  const base = { name, ...way, tries };
  if (seen.state === 'unseen')
    return {
      ...base,
      outcome: 'untold',
      passed: 'unknown',
      truncated: false,
      statement: `${seen.gap}: ${seen.detail}`,
    };
  const { outcome, truncated, latencyMs, bytes } = seen.value;
  const { passed, statement } = interpretDns(request.args, seen.value);
  return {
    ...{ ...base, outcome, passed, truncated, statement },
    ...(latencyMs === undefined ? {} : { latencyMs }),
    ...(bytes === undefined ? {} : { bytes }),
  };
}
