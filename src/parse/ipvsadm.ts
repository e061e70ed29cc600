import { type Address, type Family, familyOf, parseAddress } from '../net/address.ts';
import type { Parsed, UnparsedLine } from './parsed.ts';

/*
 * Format: `ipvsadm -Sn` (the same as `ipvsadm-save -n`): one line for each virtual service (`-A`), below it one for each of
 * its real servers (`-a`).
 * Source of truth: ipvsadm(8), ipvsadm's ipvsadm.c (print_service_entry with FMT_RULE, fwd_switch).
 * Versions seen: 1.31 by its source and its man page.
 * Not understood: names instead of numbers (without -n): such a line is unparsed.
 */

/** How a packet gets to a real server: with its destination exchanged, unchanged by the next hop's MAC, or wrapped. */
export type IpvsForwarding = 'masquerading' | 'routing' | 'tunnel';

export interface IpvsDestination {
  readonly address: Address;
  readonly port: number;
  readonly forwarding: IpvsForwarding;
  readonly weight: number;
  /** Connections above which none is given to it any more (`-x`); absent: no bound. */
  readonly upperThreshold?: number;
  /** `--tun-type`: ipip unless told. */
  readonly tunnel?: string;
  readonly text: string;
}

export interface IpvsService {
  readonly protocol?: 'tcp' | 'udp' | 'sctp';
  readonly address?: Address;
  readonly port?: number;
  /** Instead of protocol, address and port: packets that bear this mark. */
  readonly mark?: number;
  readonly family: Family;
  readonly scheduler: string; // rr, wrr, lc, wlc, lblc, lblcr, dh, sh, sed, nq, mh, fo, ovf, twos …
  /** Seconds for which a client keeps its real server. */
  readonly persistentSeconds?: number;
  /** `-o`: each datagram is scheduled for itself, and no answer is expected. */
  readonly onePacket: boolean;
  readonly destinations: readonly IpvsDestination[];
  readonly text: string;
}

type Draft = Omit<IpvsService, 'destinations'> & { readonly destinations: IpvsDestination[] };

export function parseIpvsadm(text: string): Parsed<readonly IpvsService[]> {
  const services = new Map<string, Draft>();
  const unparsed: UnparsedLine[] = [];
  text.split('\n').forEach((line, index) => {
    if (line.trim() !== '' && !readLine(line.trim(), services)) unparsed.push({ line: index + 1, text: line });
  });
  return { value: [...services.values()], unparsed };
}

const PROTOCOLS: Readonly<Record<string, NonNullable<IpvsService['protocol']>>> = {
  '-t': 'tcp',
  '-u': 'udp',
  '--sctp-service': 'sctp',
};

function readLine(line: string, services: Map<string, Draft>): boolean {
  const words = line.split(/\s+/);
  const at = serviceOf(words);
  if (!at) return false;
  if (words[0] === '-A') {
    const scheduler = optionOf(words, '-s');
    if (scheduler === undefined) return false;
    const persistent = numberOf(optionOf(words, '-p'));
    services.set(at.key, {
      ...at.what,
      scheduler,
      ...(persistent === undefined ? {} : { persistentSeconds: persistent }),
      onePacket: words.includes('-o'),
      destinations: [],
      text: line,
    });
    return true;
  }
  const service = words[0] === '-a' ? services.get(at.key) : undefined;
  const destination = service && destinationOf(words, line);
  if (!service || !destination) return false;
  service.destinations.push(destination);
  return true;
}

interface Named {
  readonly key: string;
  readonly what: Pick<IpvsService, 'protocol' | 'address' | 'port' | 'mark' | 'family'>;
}

function serviceOf(words: readonly string[]): Named | undefined {
  const mark = numberOf(optionOf(words, '-f'));
  if (mark !== undefined) {
    const family = words.includes('-6') ? 6 : 4;
    return { key: `mark ${mark} ${family}`, what: { mark, family } };
  }
  for (const [option, protocol] of Object.entries(PROTOCOLS)) {
    const end = endOf(optionOf(words, option));
    if (end) {
      const { address, port } = end;
      return { key: `${protocol} ${address} ${port}`, what: { protocol, address, port, family: familyOf(address) } };
    }
  }
  return undefined;
}

function destinationOf(words: readonly string[], text: string): IpvsDestination | undefined {
  const end = endOf(optionOf(words, '-r'));
  const weight = numberOf(optionOf(words, '-w'));
  if (!end || weight === undefined) return undefined;
  const forwarding = words.includes('-m') ? 'masquerading' : words.includes('-i') ? 'tunnel' : 'routing';
  const upperThreshold = numberOf(optionOf(words, '-x'));
  const tunnel = optionOf(words, '--tun-type');
  return {
    ...end,
    forwarding,
    weight,
    ...(upperThreshold ? { upperThreshold } : {}),
    ...(tunnel === undefined ? {} : { tunnel }),
    text,
  };
}

/** `10.0.0.1:80`, `[fd00::1]:80`, or without a port (of services by mark), which is port 0. */
function endOf(text: string | undefined): { readonly address: Address; readonly port: number } | undefined {
  const parts = /^(?:\[(?<six>[^\]]+)\]|(?<four>[\d.]+))(?::(?<port>\d+))?$/.exec(text ?? '')?.groups;
  const address = parts && parseAddress(parts.six ?? parts.four!);
  const port = Number(parts?.port ?? 0);
  return address === undefined || port > 65535 ? undefined : { address, port };
}

function optionOf(words: readonly string[], option: string): string | undefined {
  const index = words.indexOf(option);
  return index < 0 ? undefined : words[index + 1];
}

function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}
