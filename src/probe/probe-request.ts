import type { Scalar } from '../host/host.ts';
import { type Address, parseAddress } from '../net/address.ts';
import type { ProbeFacts } from '../snapshot/probe-answers.ts';
import type { PingQuestion } from './ping.ts';
import { type ResolverQuestion, resolverQuestionOf } from './resolver-question.ts';
import type { SynQuestion } from './syn-question.ts';

/** What the prober is to do, as one line of JSON. `id` comes back with the answer. */
export type ProbeJob = { readonly id: number; readonly timeoutMs: number } & (
  | {
      readonly action: 'probe.tcp';
      readonly address: Address;
      readonly port: number;
      /** How long after the prober's start; 0 where it is not told. */
      readonly afterMs?: number;
      /** The port to connect from; the kernel chooses one where it is not told. */
      readonly sourcePort?: number;
    }
  | { readonly action: 'probe.udp'; readonly address: Address; readonly port: number; readonly payload: string }
  | {
      readonly action: 'probe.dns';
      readonly server: Address;
      readonly port: number;
      readonly name: string;
      readonly type: 'A' | 'AAAA';
      readonly transport: 'udp' | 'tcp';
      readonly ednsBytes?: number;
      readonly afterMs?: number;
    }
  | ({ readonly action: 'probe.lookup'; readonly afterMs?: number } & ResolverQuestion)
);

export type SocketProbe = ProbeJob['action'];

export const PROBE_NAMES = [
  'probe.tcp',
  'probe.udp',
  'probe.icmp',
  'probe.syn',
  'probe.dns',
  'probe.lookup',
] as const satisfies readonly (keyof ProbeFacts)[];

type Args = Readonly<Record<string, Scalar>>;

/** No probe lasts longer, whatever is asked; nor does one that begins later end later. */
export const TIMEOUT_MAX_MS = 30_000;
/** More would not fit an IP packet. */
const SIZE_MAX_BYTES = 65_507;
/** Of one ping(8). */
export const PING_COUNT_MAX = 100;
/** IPv6 and TCP header; an IP packet without a jumbo payload. */
const SYN_MIN_BYTES = 60;
const SYN_MAX_BYTES = 65_535;
/** Each is a process of its own. */
const SYN_COUNT_MAX = 10;
const INTERVAL_MS = { least: 10, usual: 200, most: 10_000 } as const;

/** A job from a request's arguments. Throws RangeError on what is no address, port or time. */
export function jobOf(id: number, action: SocketProbe, args: Args): ProbeJob {
  const timeoutMs = numberIn(args, 'timeoutMs', 1, TIMEOUT_MAX_MS);
  switch (action) {
    case 'probe.tcp':
      return {
        ...{ id, timeoutMs, action, address: addressIn(args, 'address'), port: portIn(args, 'port') },
        ...afterIn(args, timeoutMs),
        ...(args.sourcePort === undefined ? {} : { sourcePort: portIn(args, 'sourcePort') }),
      };
    case 'probe.udp':
      return {
        ...{ id, timeoutMs, action, address: addressIn(args, 'address'), port: portIn(args, 'port') },
        payload: typeof args.payload === 'string' ? args.payload : '',
      };
    case 'probe.dns':
      return {
        ...{ id, timeoutMs, action, server: addressIn(args, 'server'), name: nameIn(args) },
        port: args.port === undefined ? 53 : portIn(args, 'port'),
        type: args.type === 'AAAA' ? 'AAAA' : 'A',
        transport: args.transport === 'tcp' ? 'tcp' : 'udp',
        ...(args.ednsBytes === undefined ? {} : { ednsBytes: numberIn(args, 'ednsBytes', 512, 65_535) }),
        ...afterIn(args, timeoutMs),
      };
    case 'probe.lookup':
      return { id, action, ...resolverQuestionOf(nameIn(args, 'host'), args, timeoutMs), ...afterIn(args, timeoutMs) };
  }
}

function afterIn(args: Args, timeoutMs: number): { readonly afterMs?: number } {
  return args.afterMs === undefined ? {} : { afterMs: numberIn(args, 'afterMs', 0, TIMEOUT_MAX_MS - timeoutMs) };
}

export function pingQuestionOf(args: Args): PingQuestion {
  const { least, usual, most } = INTERVAL_MS;
  return {
    address: addressIn(args, 'address'),
    sizeBytes: numberIn({ sizeBytes: 56, ...args }, 'sizeBytes', 0, SIZE_MAX_BYTES),
    df: args.df === true,
    count: numberIn({ count: 3, ...args }, 'count', 1, PING_COUNT_MAX),
    intervalMs: numberIn({ intervalMs: usual, ...args }, 'intervalMs', least, most),
    timeoutMs: numberIn(args, 'timeoutMs', 1, TIMEOUT_MAX_MS),
  };
}

export function synQuestionOf(args: Args): SynQuestion {
  const { least, usual, most } = INTERVAL_MS;
  return {
    address: addressIn(args, 'address'),
    source: addressIn(args, 'source'),
    port: portIn(args, 'port'),
    sizeBytes: numberIn(args, 'sizeBytes', SYN_MIN_BYTES, SYN_MAX_BYTES),
    count: numberIn({ count: 3, ...args }, 'count', 1, SYN_COUNT_MAX),
    intervalMs: numberIn({ intervalMs: usual, ...args }, 'intervalMs', least, most),
    timeoutMs: numberIn(args, 'timeoutMs', 1, TIMEOUT_MAX_MS),
  };
}

/** The user to connect as; undefined for our own. */
export function userOf(args: Args): number | undefined {
  return args.uid === undefined || args.uid === null ? undefined : numberIn(args, 'uid', 0, 0xffff_fffe);
}

function addressIn(args: Args, key: string): Address {
  const address = parseAddress(String(args[key] ?? ''));
  if (address === undefined) throw new RangeError(`${key} is no address: ${args[key]}`);
  return address;
}

function portIn(args: Args, key: 'port' | 'sourcePort'): number {
  return numberIn(args, key, 1, 65_535);
}

function numberIn(args: Args, key: string, min: number, max: number): number {
  const value = args[key];
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
  throw new RangeError(`${key} is not a whole number from ${min} to ${max}: ${value}`);
}

function nameIn(args: Args, key: 'name' | 'host' = 'name'): string {
  const name = args[key];
  if (typeof name === 'string' && name.length > 0 && name.length <= 254 && !/\s/.test(name)) return name;
  throw new RangeError(`${key} is no DNS name: ${name}`);
}
