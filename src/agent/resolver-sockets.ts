import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { Address } from '../net/address.ts';
import { parseAddress } from '../net/address.ts';
import { type DnsQuestion, encodeDnsQuery, readDnsResponse } from '../probe/dns-message.ts';
import type { AskedOnce, Received, ResolverIo, UdpChannel } from '../probe/resolver-io.ts';
import type { DnsAnswer } from '../snapshot/probe-answers.ts';

const DNS_PORT = 53;
/** Of one look-up; a server that says more is not listened to. */
const RECEIVED_MAX = 1_000;

/** A resolver's real sockets, in the namespace that this runs in. */
export function resolverSockets(
  askTcp: (server: Address, question: AskedOnce, timeoutMs: number) => Promise<DnsAnswer>,
): ResolverIo {
  return {
    nowMs: () => performance.now(),
    randomId: () => Math.floor(Math.random() * 0x1_0000),
    openUdp,
    async askTcp(server, question, timeoutMs) {
      const answer = await askTcp(server, question, timeoutMs);
      return answer.outcome === 'timed-out' ? undefined : answer;
    },
  };
}

/** Opens what the first look-up would otherwise be the first to open. Connecting a UDP socket sends nothing. */
export async function warmUpSockets(): Promise<void> {
  const channel = await openUdp([LOOPBACK]);
  await channel.next(1);
  channel.close();
  encodeDnsQuery({ id: 0, name: 'localhost', type: 'A' });
}

const LOOPBACK: Address = '127.0.0.1';

async function openUdp(servers: readonly Address[]): Promise<UdpChannel> {
  const isV6 = servers.some((server) => isIPv6(server));
  const only = servers.length === 1 ? servers[0] : undefined;
  const socket = createSocket(isV6 ? { type: 'udp6', ipv6Only: false } : { type: 'udp4' });
  const sent = new Map<number, DnsQuestion>();
  const received: Received[] = [];
  let wake = (): void => {};
  let count = 0;
  const push = (one: Received): void => {
    if (count++ >= RECEIVED_MAX) return;
    received.push(one);
    wake();
  };
  const fail = (error: Error | null): void => {
    if (error) push({ errno: 'code' in error ? String(error.code) : error.message });
  };
  socket.on('error', fail);
  socket.on('message', (bytes, from) => {
    const question = bytes.length >= 2 ? sent.get(bytes.readUInt16BE(0)) : undefined;
    const answer = question && readDnsResponse(bytes, question);
    const server = only ?? parseAddress(from.address.replace(/^::ffff:(?=\d)/, ''));
    if (question && answer && server && servers.includes(server)) push({ server, id: question.id, answer });
  });
  // A refusal by ICMP is told to a connected socket alone (udp(7)).
  if (only !== undefined) await connected(socket, only).catch(fail);
  return {
    send(server, question) {
      sent.set(question.id, question);
      const message = encodeDnsQuery(question);
      try {
        if (only !== undefined) socket.send(message, fail);
        else socket.send(message, DNS_PORT, isV6 && !isIPv6(server) ? `::ffff:${server}` : server, fail);
      } catch (error) {
        fail(error instanceof Error ? error : new Error(String(error)));
      }
    },
    async next(timeoutMs) {
      if (received.length === 0) await waitFor(timeoutMs, (done) => (wake = done));
      return received.shift();
    },
    close() {
      socket.removeAllListeners();
      socket.on('error', () => {});
      socket.close();
    },
  };
}

function connected(socket: ReturnType<typeof createSocket>, server: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.connect(DNS_PORT, server, (error?: Error) => (error ? reject(error) : resolve()));
  });
}

function waitFor(timeoutMs: number, register: (done: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, timeoutMs);
    register(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
