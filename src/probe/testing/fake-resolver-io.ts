import type { Address } from '../../net/address.ts';
import type { DnsAnswer } from '../../snapshot/probe-answers.ts';
import type { AskedOnce, Received, ResolverIo } from '../resolver-io.ts';

/** What a fake server does with a question; undefined: it is silent. */
export type FakeServer = (
  asked: AskedOnce & { readonly server: Address; readonly transport: 'udp' | 'tcp'; readonly socket: number },
) => (Partial<DnsAnswer> & { readonly afterMs?: number }) | 'refused' | undefined;

/** Servers without a network, on a clock that goes on only while somebody waits. */
export function fakeResolverIo(serve: FakeServer): ResolverIo {
  let clockMs = 0;
  let sockets = 0;
  let ids = 0;
  const whole = (answer: Partial<DnsAnswer>): DnsAnswer => {
    const { afterMs: _, ...bare } = answer as Partial<DnsAnswer> & { afterMs?: number };
    return { outcome: 'nxdomain', rcode: 'NXDOMAIN', addresses: [], names: [], truncated: false, ...bare };
  };
  return {
    nowMs: () => clockMs,
    randomId: () => ids++,
    async openUdp(servers) {
      const socket = sockets++;
      const coming: { readonly atMs: number; readonly received: Received }[] = [];
      return {
        send(server, { id, name, type }) {
          const said = serve({ name, type, server, transport: 'udp', socket });
          if (said === undefined) return;
          if (said === 'refused') {
            if (servers.length === 1) coming.push({ atMs: clockMs, received: { errno: 'ECONNREFUSED' } });
          } else coming.push({ atMs: clockMs + (said.afterMs ?? 1), received: { server, id, answer: whole(said) } });
        },
        async next(timeoutMs) {
          coming.sort((a, b) => a.atMs - b.atMs);
          const first = coming[0];
          if (first === undefined || first.atMs > clockMs + timeoutMs) {
            clockMs += timeoutMs;
            return undefined;
          }
          coming.shift();
          clockMs = Math.max(clockMs, first.atMs);
          return first.received;
        },
        close() {},
      };
    },
    async askTcp(server, { name, type }, timeoutMs) {
      const said = serve({ name, type, server, transport: 'tcp', socket: -1 });
      if (said === undefined) {
        clockMs += timeoutMs;
        return undefined;
      }
      if (said === 'refused') return whole({ outcome: 'unreachable' });
      clockMs += said.afterMs ?? 1;
      return whole(said);
    },
  };
}

/** A server that knows these names, and denies all others. */
export function serverOf(zone: Readonly<Record<string, Address>>): FakeServer {
  return ({ name, type }) => {
    const address = zone[name];
    if (address === undefined) return { outcome: 'nxdomain', rcode: 'NXDOMAIN' };
    return type === 'A'
      ? { outcome: 'answered', rcode: 'NOERROR', addresses: [address] }
      : { outcome: 'no-data', rcode: 'NOERROR' };
  };
}
