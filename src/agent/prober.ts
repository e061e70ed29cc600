import { createSocket } from 'node:dgram';
import { connect, isIPv6, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DnsQuestion } from '../probe/dns-message.ts';
import { tcpOutcomeOf, udpOutcomeOf } from '../probe/errno.ts';
import type { ProbeJob } from '../probe/probe-request.ts';
import type { DnsAnswer, LookupAnswer, TcpAnswer, UdpAnswer } from '../snapshot/probe-answers.ts';

export type ProbeAnswer = TcpAnswer | UdpAnswer | DnsAnswer | LookupAnswer;

/** Loads what these jobs need before the first of them starts, so that no probe's time counts it; nothing that none needs. */
export async function prepare(jobs: readonly ProbeJob[]): Promise<void> {
  if (jobs.some(({ action }) => action === 'probe.dns')) await import('../probe/dns-message.ts');
  const isPaced = (job: ProbeJob): boolean => job.action === 'probe.dns' && job.afterMs !== undefined;
  if (jobs.some((job) => job.action === 'probe.lookup' || isPaced(job))) await (await loadResolvers()).warmUpSockets();
  // Statistics are made of these: the first one must not count what Node loads and compiles when it connects at first.
  const repeated = jobs.find((job) => job.action === 'probe.tcp' && job.afterMs !== undefined);
  if (repeated) for (let turn = 0; turn < WARM_UP_TURNS; turn++) await connectNowhere();
}

const WARM_UP_TURNS = 5;
/** The kernel refuses to connect to it at once, and nothing is sent (tcp_v4_connect, net/ipv4/tcp_ipv4.c: ENETUNREACH). */
const NOWHERE: TcpJob = { id: 0, action: 'probe.tcp', address: '255.255.255.255', port: 9, timeoutMs: 100 };

async function connectNowhere(): Promise<void> {
  await connectOnce(NOWHERE);
}

/** Does one probe with real sockets of the namespace that it runs in. Always answers, within the job's time. */
export function probeOnce(job: ProbeJob): Promise<ProbeAnswer> {
  switch (job.action) {
    case 'probe.tcp':
      return probeTcp(job);
    case 'probe.udp':
      return probeUdp(job.address, job.port, Buffer.from(job.payload), job.timeoutMs);
    case 'probe.dns':
      return probeDns(job);
    case 'probe.lookup':
      return lookUp(job);
  }
}

type TcpJob = ProbeJob & { readonly action: 'probe.tcp' };

async function probeTcp(job: TcpJob): Promise<TcpAnswer> {
  if (job.afterMs !== undefined) await sleep(job.afterMs);
  return connectOnce(job);
}

function connectOnce({ address, port, timeoutMs, sourcePort }: TcpJob): Promise<TcpAnswer> {
  return new Promise((resolve) => {
    const startedMs = performance.now();
    const from = sourcePort === undefined ? {} : { localPort: sourcePort };
    const socket = connect({ host: address, port, autoSelectFamily: false, ...from });
    const finish = (answer: TcpAnswer): void => {
      clearTimeout(timer);
      // Gone with the socket.
      const local = localEnd(socket);
      // A port that is to be used again must not wait for a minute (TIME-WAIT): that connection ends with a reset.
      if (sourcePort === undefined) socket.destroy();
      else socket.resetAndDestroy();
      resolve({ ...answer, ...local });
    };
    const timer = setTimeout(() => finish({ outcome: 'timed-out' }), timeoutMs);
    socket.once('connect', () => finish({ outcome: 'connected', latencyMs: sinceMs(startedMs) }));
    socket.on('error', (error) => {
      const errno = errnoOf(error);
      finish({ outcome: tcpOutcomeOf(errno), errno, latencyMs: sinceMs(startedMs) });
    });
  });
}

function localEnd({ localAddress, localPort }: Socket): Pick<TcpAnswer, 'localAddress' | 'localPort'> {
  return { ...(localAddress ? { localAddress } : {}), ...(localPort ? { localPort } : {}) };
}

interface Exchange {
  readonly bytes?: Uint8Array;
  readonly errno?: string;
  readonly latencyMs?: number;
}

/**
 * One datagram there and the first one back that `accept`s. The socket is connected, so that the kernel takes answers
 * from that very address alone, as a resolver does, and ICMP errors are told.
 */
function exchangeDatagram(
  address: string,
  port: number,
  payload: Uint8Array,
  timeoutMs: number,
  accept: (bytes: Uint8Array) => boolean,
): Promise<Exchange> {
  return new Promise((resolve) => {
    const startedMs = performance.now();
    const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
    const finish = (exchange: Exchange): void => {
      clearTimeout(timer);
      socket.removeAllListeners();
      socket.on('error', () => {});
      socket.close();
      resolve(exchange);
    };
    const fail = (error: Error): void => finish({ errno: errnoOf(error), latencyMs: sinceMs(startedMs) });
    const timer = setTimeout(() => finish({}), timeoutMs);
    socket.on('error', fail);
    socket.on('message', (bytes) => {
      if (accept(bytes)) finish({ bytes, latencyMs: sinceMs(startedMs) });
    });
    socket.connect(port, address, (error?: Error) => {
      if (error) fail(error);
      else socket.send(payload, (sendError) => sendError && fail(sendError));
    });
  });
}

export async function probeUdp(
  address: string,
  port: number,
  payload: Uint8Array,
  timeoutMs: number,
): Promise<UdpAnswer> {
  const { bytes, errno, latencyMs } = await exchangeDatagram(address, port, payload, timeoutMs, () => true);
  if (errno !== undefined) return { outcome: udpOutcomeOf(errno), errno, latencyMs: latencyMs! };
  if (!bytes) return { outcome: 'silent' };
  return { outcome: 'answered', bytes: bytes.length, latencyMs: latencyMs! };
}

type DnsJob = ProbeJob & { readonly action: 'probe.dns' };
type LookupJob = ProbeJob & { readonly action: 'probe.lookup' };

async function loadResolvers() {
  const [glibc, musl, sockets] = await Promise.all([
    import('../probe/resolve-like-glibc.ts'),
    import('../probe/resolve-like-musl.ts'),
    import('./resolver-sockets.ts'),
  ]);
  return { ...glibc, ...musl, ...sockets };
}

async function lookUp(job: LookupJob): Promise<LookupAnswer> {
  const { resolveLikeGlibc, resolveLikeMusl, resolverSockets } = await loadResolvers();
  if (job.afterMs !== undefined) await sleep(job.afterMs);
  const io = resolverSockets((server, question, timeoutMs) =>
    probeDns({ ...question, id: 0, action: 'probe.dns', server, port: 53, transport: 'tcp', timeoutMs }),
  );
  return job.style === 'musl' ? resolveLikeMusl(job, io) : resolveLikeGlibc(job, io);
}

async function probeDns(job: DnsJob): Promise<DnsAnswer> {
  const { encodeDnsQuery, readDnsResponse, messageIn, withLength } = await import('../probe/dns-message.ts');
  if (job.afterMs !== undefined) await sleep(job.afterMs);
  const { name, type, ednsBytes } = job;
  const id = Math.floor(Math.random() * 0x1_0000);
  const question: DnsQuestion = { id, name, type, ...(ednsBytes === undefined ? {} : { ednsBytes }) };
  const query = encodeDnsQuery(question);
  const isAnswer = (bytes: Uint8Array): boolean => readDnsResponse(bytes, question) !== undefined;
  const exchange =
    job.transport === 'udp'
      ? await exchangeDatagram(job.server, job.port, query, job.timeoutMs, isAnswer)
      : await exchangeStream(job.server, job.port, withLength(query), job.timeoutMs, messageIn);
  const { bytes, errno, latencyMs } = exchange;
  const timing = latencyMs === undefined ? {} : { latencyMs };
  const answer = bytes && readDnsResponse(bytes, question);
  if (answer) return { ...answer, ...timing };
  return {
    outcome: dnsOutcomeOf(exchange),
    addresses: [],
    names: [],
    truncated: false,
    ...timing,
    ...(errno ? { errno } : {}),
  };
}

/** The outcome of an exchange that brought no DNS message. */
function dnsOutcomeOf({ errno, bytes }: Exchange): DnsAnswer['outcome'] {
  if (bytes) return 'failed';
  if (errno === undefined || errno === 'ETIMEDOUT') return 'timed-out';
  const outcome = udpOutcomeOf(errno);
  return outcome === 'refused' || outcome === 'unreachable' ? 'unreachable' : 'failed';
}

function exchangeStream(
  address: string,
  port: number,
  payload: Uint8Array,
  timeoutMs: number,
  messageIn: (stream: Uint8Array) => Uint8Array | undefined,
): Promise<Exchange> {
  return new Promise((resolve) => {
    const startedMs = performance.now();
    const socket = connect({ host: address, port, autoSelectFamily: false });
    let stream = Buffer.alloc(0);
    const finish = (exchange: Exchange): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(exchange);
    };
    const timer = setTimeout(() => finish({}), timeoutMs);
    socket.on('error', (error) => finish({ errno: errnoOf(error), latencyMs: sinceMs(startedMs) }));
    socket.on('end', () => finish({ errno: 'ECONNRESET', latencyMs: sinceMs(startedMs) }));
    socket.on('data', (bytes: Buffer) => {
      stream = Buffer.concat([stream, bytes]);
      const message = messageIn(stream);
      if (message) finish({ bytes: message, latencyMs: sinceMs(startedMs) });
    });
    socket.write(payload);
  });
}

function sinceMs(startedMs: number): number {
  return Math.round((performance.now() - startedMs) * 100) / 100;
}

function errnoOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}
