import { type Address, parseAddress } from '../net/address.ts';
import type { Parsed } from './parsed.ts';
import { parseLines } from './text-lines.ts';

/*
 * Format: `ss -H -l -n -t -u -p -e` (several protocols asked, so the first column is the protocol).
 * Source of truth: ss(8), iproute2's misc/ss.c.
 * Versions seen: iproute2 6.1; 4.15 and 5.x by their source (a socket of any address is `*:53` or `[::]:53`).
 * Not understood: services printed by name (without -n), raw, packet and unix sockets: such a line is unparsed.
 */

/** One bound socket: `ss -H -l -n -t -u -p -e` (ss(8)). */
export interface Socket {
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly state: string; // LISTEN, UNCONN
  /** `*` (dual-stack any) is `undefined`; `0.0.0.0` and `::` are themselves. */
  readonly address?: Address;
  readonly port: number;
  /** SO_BINDTODEVICE (`%eth0`). */
  readonly device?: string;
  readonly v6only?: boolean;
  /** `*` stands for `::` alone or for IPv4 as well: where ss had to read /proc, it does not tell (see SsOptions). */
  readonly mayBeV6only?: true;
  /** Of a listener of TCP: connections that are made and wait for accept(2) (sk_ack_backlog). */
  readonly receiveQueue: number;
  /** Of a listener of TCP: how many may wait (sk_max_ack_backlog); not told where ss had to read /proc. */
  readonly sendQueue?: number;
  readonly processes: readonly { readonly name: string; readonly pid: number }[];
  readonly text: string;
}

const LINE =
  /^(?<protocol>tcp|udp|sctp)\s+(?<state>[A-Z][A-Z0-9-]*)\s+(?<receiveQueue>\d+)\s+(?<sendQueue>\d+)\s+(?<local>\S+)\s+(?<peer>\S+)(?:\s+(?<rest>.*))?$/;
const LOCAL = /^(?:\[(?<six>[^\]]*)\]|(?<plain>.*?))(?:%(?<device>[^:%\]]+))?:(?<port>\d+)$/;
const PROCESS = /\("(?<name>(?:[^"\\]|\\.)*)",pid=(?<pid>\d+),fd=\d+\)/g;

export interface SsOptions {
  /**
   * ss read /proc/net/tcp, tcp6 … and not sock_diag: of a socket of `::` these don't tell whether it is IPV6_V6ONLY, and
   * of a listener not how many connections may wait (0 is printed: get_tcp4_sock in net/ipv4/tcp_ipv4.c).
   */
  readonly byProc?: boolean;
}

export function parseSs(text: string, { byProc = false }: SsOptions = {}): Parsed<readonly Socket[]> {
  const parsed = parseLines(text, parseSsLine);
  return byProc ? { ...parsed, value: parsed.value.map(asOfProc) } : parsed;
}

function asOfProc({ sendQueue: _, ...socket }: Socket): Socket {
  return socket.address === undefined && socket.v6only === undefined ? { ...socket, mayBeV6only: true } : socket;
}

/** One line of `ss`; the columns after the peer's address are optional. */
export function parseSsLine(line: string): Socket | undefined {
  const columns = LINE.exec(line.trim())?.groups;
  const local = columns && localOf(columns.local!);
  if (!columns || !local) return undefined;
  const rest = columns.rest ?? '';
  const v6only = /\bv6only:(?<value>[01])\b/.exec(rest)?.groups?.value;
  return {
    protocol: columns.protocol as Socket['protocol'],
    state: columns.state!,
    ...local,
    ...(v6only !== undefined && { v6only: v6only === '1' }),
    receiveQueue: Number(columns.receiveQueue),
    sendQueue: Number(columns.sendQueue),
    processes: processesOf(rest),
    text: line.trim().replaceAll(/\s+/g, ' '),
  };
}

function localOf(text: string): Pick<Socket, 'address' | 'port' | 'device'> | undefined {
  const parts = LOCAL.exec(text)?.groups;
  if (!parts) return undefined;
  const port = Number(parts.port);
  const written = parts.six ?? parts.plain!;
  // ss prints a link-local socket's zone inside of the brackets in some versions: `[fe80::1%eth0]:80`.
  const [host, zone] = written.split('%');
  const device = parts.device ?? zone;
  const address = host === '*' ? undefined : parseAddress(host!);
  if ((host !== '*' && !address) || port > 65535) return undefined;
  return { ...(address && { address }), port, ...(device !== undefined && { device }) };
}

/** A process with several descriptors of one socket is named once. */
function processesOf(rest: string): Socket['processes'] {
  const processes = new Map<number, { name: string; pid: number }>();
  for (const match of rest.matchAll(PROCESS)) {
    const pid = Number(match.groups!.pid);
    processes.set(pid, { name: match.groups!.name!, pid });
  }
  return [...processes.values()];
}
