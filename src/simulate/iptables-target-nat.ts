import { type Address, addressToBits, bitsToAddress, familyOf, parseAddress } from '../net/address.ts';
import { parsePrefix } from '../net/prefix.ts';
import type { HookInput, HookOutcome, NatRange } from './hook.ts';
import { numberOf } from './iptables-match-types.ts';
import {
  constant,
  onlyOptions,
  type TargetEvaluator,
  type TargetOptions,
  type TargetTable,
} from './iptables-target-types.ts';

/** DNAT, SNAT, MASQUERADE, REDIRECT, NETMAP (net/netfilter/xt_nat.c, xt_MASQUERADE.c, xt_REDIRECT.c, xt_NETMAP.c). */
export const NAT_TARGETS: TargetTable = {
  DNAT: (options) => compileNat('destination', options.get('to-destination'), options),
  SNAT: (options) => compileNat('source', options.get('to-source'), options),
  MASQUERADE: compileMasquerade,
  REDIRECT: compileRedirect,
  NETMAP: (options) => compileNetmap(options.get('to')?.[0]),
};

type Nat = NonNullable<HookOutcome['nat']>;

const FLAGS = ['random', 'random-fully', 'persistent'];

function flagsOf(options: TargetOptions): Pick<Nat, 'random' | 'fullyRandom' | 'persistent'> {
  return {
    ...(options.has('random') ? { random: true } : {}),
    ...(options.has('random-fully') ? { fullyRandom: true } : {}),
    ...(options.has('persistent') ? { persistent: true } : {}),
  };
}

/** `A`, `A-B`, `A:P`, `A-B:P-Q`, `A:P-Q/BASE`, `:P`, `[v6]:P`, `[v6-v6]:P`. */
export function parseNatRange(text: string | undefined): NatRange | undefined {
  if (text === undefined) return undefined;
  const shape =
    /^(?:\[(?<six>[^\]]+)\]|(?<bare>[0-9a-fA-F]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.-]*)|(?<four>[\d.-]*))(?::(?<ports>\d+(?:-\d+)?(?:\/\d+)?))?$/.exec(
      text,
    )?.groups;
  if (!shape) return undefined;
  const addresses = shape.six ?? shape.bare ?? shape.four ?? '';
  const [from, to] = addresses === '' ? [] : addresses.split('-').map((address) => parseAddress(address));
  if (addresses !== '' && (from === undefined || (addresses.includes('-') && to === undefined))) return undefined;
  return {
    ...(from === undefined ? {} : { address: from }),
    ...(to === undefined || to === from ? {} : { addressTo: to }),
    ...portsOf(shape.ports),
  };
}

function portsOf(text: string | undefined): Pick<NatRange, 'port' | 'portTo' | 'portBase'> {
  const [range, base] = (text ?? '').split('/');
  const [port, portTo] = range!.split('-').map((part) => numberOf(part));
  const portBase = numberOf(base);
  return {
    ...(port === undefined ? {} : { port }),
    ...(portTo === undefined || portTo === port ? {} : { portTo }),
    ...(portBase === undefined ? {} : { portBase }),
  };
}

/** Several ranges, which kernels before 2.6.11 took, are not modelled. */
function compileNat(
  kind: Nat['kind'],
  texts: readonly string[] | undefined,
  options: TargetOptions,
): TargetEvaluator | undefined {
  if (!onlyOptions(options, 'to-destination', 'to-source', ...FLAGS)) return undefined;
  const to = texts?.length === 1 ? parseNatRange(texts[0]) : undefined;
  return to && constant({ kind: 'nat', nat: { kind, to, ...flagsOf(options) } });
}

function compileMasquerade(options: TargetOptions): TargetEvaluator | undefined {
  if (!onlyOptions(options, 'to-ports', ...FLAGS)) return undefined;
  const ports = portsOf(options.get('to-ports')?.[0]);
  const flags = flagsOf(options);
  return (input) => {
    const address = input.masqueradeAddress();
    const to = { ...(address === undefined ? {} : { address }), ...ports };
    return { kind: 'nat', nat: { kind: 'source', to, masquerade: true, ...flags } };
  };
}

/** To this host: 127.0.0.1 for its own packets, else the address of the device they came in by (nf_nat_redirect.c). */
function compileRedirect(options: TargetOptions): TargetEvaluator | undefined {
  if (!onlyOptions(options, 'to-ports', ...FLAGS)) return undefined;
  const ports = portsOf(options.get('to-ports')?.[0]);
  const flags = flagsOf(options);
  return (input) => {
    const own = input.family === 4 ? '127.0.0.1' : '::1';
    const to = { ...(input.hook === 'output' ? { address: own } : {}), ...ports };
    return { kind: 'nat', nat: { kind: 'destination', to, redirect: true, ...flags } };
  };
}

/** Keeps the host bits: of the destination in prerouting and output, else of the source. */
function compileNetmap(text: string | undefined): TargetEvaluator | undefined {
  const network = networkOf(text);
  if (!network) return undefined;
  return (input: HookInput) => {
    const kind = input.hook === 'prerouting' || input.hook === 'output' ? 'destination' : 'source';
    const address = kind === 'destination' ? input.packet.ip.destination : input.packet.ip.source;
    const mapped = (network.bits & network.mask) | (addressToBits(address) & ~network.mask & network.full);
    return { kind: 'nat', nat: { kind, to: { address: bitsToAddress(mapped, familyOf(address)) } } };
  };
}

/** `A/24`, or a mask that is no prefix, `A/255.0.255.0`. */
function networkOf(
  text: string | undefined,
): { readonly bits: bigint; readonly mask: bigint; readonly full: bigint } | undefined {
  const [address, maskText] = (text ?? '').split('/');
  const prefix = parsePrefix(text ?? '');
  const own: Address | undefined = prefix?.address ?? parseAddress(address ?? '');
  if (!own) return undefined;
  const width = familyOf(own) === 4 ? 32n : 128n;
  const full = (1n << width) - 1n;
  const dotted = prefix ? undefined : parseAddress(maskText ?? '');
  if (!prefix && !dotted) return undefined;
  const mask = prefix ? full ^ ((1n << (width - BigInt(prefix.length))) - 1n) : addressToBits(dotted!);
  return { bits: addressToBits(own), mask, full };
}
