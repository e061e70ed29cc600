import { addressToBits, bitsToAddress, familyOf, parseAddress } from '../net/address.ts';
import type { Meta, Packet } from '../net/packet.ts';
import { networkOf, parsePrefix } from '../net/prefix.ts';
import type { IptablesTarget } from '../parse/iptables-save.ts';
import type { HookInput, HookOutcome, HookVerdict, NatRange } from './hook.ts';
import { maskedValue, numberOf } from './iptables-match-types.ts';

/** What a target does to a packet that its rule matched. */
export type TargetEffect =
  /** The packet goes on with the next rule. */
  | { readonly kind: 'continue'; readonly packet?: Packet; readonly meta?: Meta; readonly notrack?: boolean }
  | { readonly kind: 'verdict'; readonly verdict: HookVerdict; readonly meta?: Meta }
  | { readonly kind: 'nat'; readonly nat: NonNullable<HookOutcome['nat']> }
  | { readonly kind: 'return' }
  | { readonly kind: 'chain'; readonly name: string; readonly goto: boolean }
  /** NFQUEUE with --queue-bypass: accepted where nobody listens on the queue. */
  | { readonly kind: 'either'; readonly verdicts: readonly HookVerdict[] }
  | { readonly kind: 'unmodelled' };

export type TargetEvaluator = (input: HookInput) => TargetEffect;

/** Targets without an effect on this packet's way (iptables-extensions(8)). SET writes a set that we read as it was. */
const WITHOUT_EFFECT = new Set([
  'LOG',
  'NFLOG',
  'ULOG',
  'TRACE',
  'AUDIT',
  'CHECKSUM',
  'CLASSIFY',
  'SET',
  'TEE',
  'IDLETIMER',
  'RATEEST',
  'LED',
  'CONNSECMARK',
  'SECMARK',
  'TCPOPTSTRIP',
  'ECN',
]);

/** `-j` and `-g`; undefined where the target or one of its options is not modelled. A name that is a chain's is a jump. */
export function compileTarget(target: IptablesTarget | undefined, isChain: (name: string) => boolean): TargetEvaluator {
  if (!target) return constant({ kind: 'continue' });
  if (isChain(target.name)) return constant({ kind: 'chain', name: target.name, goto: target.goto });
  if (WITHOUT_EFFECT.has(target.name)) return constant({ kind: 'continue' });
  const compile = Object.hasOwn(TARGETS, target.name) ? TARGETS[target.name] : undefined;
  return compile?.(optionsOf(target)) ?? constant({ kind: 'unmodelled' });
}

type Options = ReadonlyMap<string, readonly string[]>;

function optionsOf(target: IptablesTarget): Options {
  return new Map(target.options.map((option) => [option.name, option.values]));
}

function constant(effect: TargetEffect): TargetEvaluator {
  return () => effect;
}

const TARGETS: Readonly<Record<string, (options: Options) => TargetEvaluator | undefined>> = {
  ACCEPT: () => constant({ kind: 'verdict', verdict: { kind: 'accept' } }),
  DROP: () => constant({ kind: 'verdict', verdict: { kind: 'drop' } }),
  RETURN: () => constant({ kind: 'return' }),
  QUEUE: () => constant({ kind: 'verdict', verdict: { kind: 'queue' } }),
  NFQUEUE: (options) =>
    options.has('queue-bypass')
      ? constant({ kind: 'either', verdicts: [{ kind: 'queue' }, { kind: 'accept' }] })
      : constant({ kind: 'verdict', verdict: { kind: 'queue' } }),
  REJECT: compileReject,
  DNAT: (options) => compileNat('destination', options.get('to-destination')?.[0]),
  SNAT: (options) => compileNat('source', options.get('to-source')?.[0]),
  MASQUERADE: (options) => compileMasquerade(options.get('to-ports')?.[0]),
  REDIRECT: (options) => compileRedirect(options.get('to-ports')?.[0]),
  NETMAP: (options) => compileNetmap(options.get('to')?.[0]),
  MARK: compileMark,
  CONNMARK: compileConnmark,
  CT: compileCt,
  NOTRACK: () => constant({ kind: 'continue', notrack: true }),
  TTL: (options) => compileHops('ttl', options),
  HL: (options) => compileHops('hl', options),
  TOS: compileTos,
  DSCP: compileDscp,
  TCPMSS: compileTcpMss,
  TPROXY: compileTproxy,
};

/** iptables-extensions(8), REJECT: the names with their ICMP type and code (ipt_REJECT.c, ip6t_REJECT.c). */
const REJECTS: Readonly<Record<string, readonly [number, number]>> = {
  'icmp-net-unreachable': [3, 0],
  'icmp-host-unreachable': [3, 1],
  'icmp-proto-unreachable': [3, 2],
  'icmp-port-unreachable': [3, 3],
  'icmp-net-prohibited': [3, 9],
  'icmp-host-prohibited': [3, 10],
  'icmp-admin-prohibited': [3, 13],
  'icmp6-no-route': [1, 0],
  'icmp6-adm-prohibited': [1, 1],
  'icmp6-addr-unreachable': [1, 3],
  'icmp6-port-unreachable': [1, 4],
  'icmp6-policy-fail': [1, 5],
  'icmp6-reject-route': [1, 6],
};

function compileReject(options: Options): TargetEvaluator | undefined {
  const name = options.get('reject-with')?.[0];
  if (name === 'tcp-reset') return constant({ kind: 'verdict', verdict: { kind: 'reject', with: 'tcp-reset' } });
  if (name !== undefined && !Object.hasOwn(REJECTS, name)) return undefined;
  return (input) => {
    const fallback = input.family === 4 ? REJECTS['icmp-port-unreachable']! : REJECTS['icmp6-port-unreachable']!;
    const [type, code] = name === undefined ? fallback : REJECTS[name]!;
    return { kind: 'verdict', verdict: { kind: 'reject', with: { type, code } } };
  };
}

/** `A`, `A-B`, `A:P`, `A-B:P-Q`, `:P`, `[v6]:P`; a base port behind `/` is not modelled. */
export function parseNatRange(text: string | undefined): NatRange | undefined {
  if (text === undefined) return undefined;
  const shape =
    /^(?:\[(?<six>[^\]]+)\]|(?<bare>[0-9a-fA-F]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.-]*)|(?<four>[\d.-]*))(?::(?<ports>\d+(?:-\d+)?))?$/.exec(
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

function portsOf(text: string | undefined): Pick<NatRange, 'port' | 'portTo'> {
  const [port, portTo] = (text ?? '').split('-').map((part) => numberOf(part));
  return {
    ...(port === undefined ? {} : { port }),
    ...(portTo === undefined || portTo === port ? {} : { portTo }),
  };
}

function compileNat(kind: 'source' | 'destination', text: string | undefined): TargetEvaluator | undefined {
  const to = parseNatRange(text);
  return to && constant({ kind: 'nat', nat: { kind, to } });
}

function compileMasquerade(ports: string | undefined): TargetEvaluator {
  return (input) => {
    const address = input.masqueradeAddress();
    const to = { ...(address === undefined ? {} : { address }), ...portsOf(ports) };
    return { kind: 'nat', nat: { kind: 'source', to, masquerade: true } };
  };
}

/** To this host: 127.0.0.1 for its own packets, else the address of the device they came in by (nf_nat_redirect.c). */
function compileRedirect(ports: string | undefined): TargetEvaluator {
  return (input) => {
    const own = input.family === 4 ? '127.0.0.1' : '::1';
    const to = { ...(input.hook === 'output' ? { address: own } : {}), ...portsOf(ports) };
    return { kind: 'nat', nat: { kind: 'destination', to, redirect: true } };
  };
}

/** Keeps the host bits (xt_NETMAP.c): the destination in prerouting and output, else the source. */
function compileNetmap(text: string | undefined): TargetEvaluator | undefined {
  const prefix = parsePrefix(text ?? '');
  if (!prefix) return undefined;
  const network = networkOf(prefix);
  return (input) => {
    const kind = input.hook === 'prerouting' || input.hook === 'output' ? 'destination' : 'source';
    const address = kind === 'destination' ? input.packet.ip.destination : input.packet.ip.source;
    const family = familyOf(address);
    const hostBits = (1n << BigInt((family === 4 ? 32 : 128) - network.length)) - 1n;
    const mapped = addressToBits(network.address) | (addressToBits(address) & hostBits);
    return { kind: 'nat', nat: { kind, to: { address: bitsToAddress(mapped, family) } } };
  };
}

/** `(mark & ~mask) ^ value` (xt_MARK.c); iptables-save prints every form as --set-xmark. */
function compileMark(options: Options): TargetEvaluator | undefined {
  const wanted = maskedValue(options.get('set-xmark')?.[0]);
  if (!wanted || options.size !== 1) return undefined;
  return ({ meta }) => ({ kind: 'continue', meta: { ...meta, mark: xmark(meta.mark, wanted) } });
}

function xmark(mark: number, wanted: { readonly value: number; readonly mask: number }): number {
  return ((mark & ~wanted.mask) ^ wanted.value) >>> 0;
}

/** xt_connmark.c. A packet without a connection is left alone. */
function compileConnmark(options: Options): TargetEvaluator | undefined {
  const set = options.get('set-xmark');
  if (set) {
    const wanted = maskedValue(set[0]);
    return wanted && onConnection((meta) => ({ ...meta, connmark: xmark(meta.connmark, wanted) }));
  }
  const both = options.get('mask')?.[0];
  const nfmask = masked(options.get('nfmask')?.[0] ?? both);
  const ctmask = masked(options.get('ctmask')?.[0] ?? both);
  if (nfmask === undefined || ctmask === undefined) return undefined;
  if (options.has('save-mark')) {
    return onConnection((meta) => ({
      ...meta,
      connmark: xmark(meta.connmark, { value: (meta.mark & nfmask) >>> 0, mask: ctmask }),
    }));
  }
  if (!options.has('restore-mark')) return undefined;
  return onConnection((meta) => ({
    ...meta,
    mark: xmark(meta.mark, { value: (meta.connmark & ctmask) >>> 0, mask: nfmask }),
  }));
}

function masked(text: string | undefined): number | undefined {
  return text === undefined ? 0xffff_ffff : numberOf(text);
}

function onConnection(change: (meta: Meta) => Meta): TargetEvaluator {
  return ({ meta }) => {
    const has = meta.conntrack !== 'none' && meta.conntrack !== 'untracked' && meta.conntrack !== 'invalid';
    return { kind: 'continue', meta: has ? change(meta) : meta };
  };
}

/** Helpers, events and time-outs do not change the way. */
function compileCt(options: Options): TargetEvaluator | undefined {
  if (options.has('notrack')) return constant({ kind: 'continue', notrack: true });
  const zone = options.get('zone')?.[0];
  if (zone === undefined) return constant({ kind: 'continue' });
  const number = numberOf(zone);
  return number === undefined ? undefined : ({ meta }) => ({ kind: 'continue', meta: { ...meta, zone: number } });
}

function compileHops(name: 'ttl' | 'hl', options: Options): TargetEvaluator | undefined {
  const [option, values] = [...options][0] ?? [];
  const amount = numberOf(values?.[0]);
  if (amount === undefined) return undefined;
  const change = {
    [`${name}-set`]: () => amount,
    [`${name}-inc`]: (ttl: number) => Math.min(255, ttl + amount),
    [`${name}-dec`]: (ttl: number) => Math.max(0, ttl - amount),
  }[option ?? ''];
  return (
    change &&
    (({ packet }) => ({ kind: 'continue', packet: { ...packet, ip: { ...packet.ip, ttl: change(packet.ip.ttl) } } }))
  );
}

function compileTos(options: Options): TargetEvaluator | undefined {
  const wanted = maskedValue(options.get('set-tos')?.[0]);
  if (!wanted) return undefined;
  return ({ packet }) =>
    withTos(packet, xmark(packet.ip.tos, { value: wanted.value, mask: wanted.mask & 0xff }) & 0xff);
}

function compileDscp(options: Options): TargetEvaluator | undefined {
  const wanted = numberOf(options.get('set-dscp')?.[0]);
  if (wanted === undefined) return undefined;
  return ({ packet }) => withTos(packet, (wanted << 2) | (packet.ip.tos & 3));
}

function withTos(packet: Packet, tos: number): TargetEffect {
  return { kind: 'continue', packet: { ...packet, ip: { ...packet.ip, tos } } };
}

/** --clamp-mss-to-pmtu needs the route's MTU, which the rule set does not see: the value is then dropped, not guessed. */
function compileTcpMss(options: Options): TargetEvaluator | undefined {
  const wanted = numberOf(options.get('set-mss')?.[0]);
  if (wanted === undefined && !options.has('clamp-mss-to-pmtu')) return undefined;
  return ({ packet }) => {
    const { l4 } = packet;
    if (!('sourcePort' in l4) || !l4.flags?.includes('syn')) return { kind: 'continue' };
    const { mss, ...rest } = l4;
    if (wanted === undefined) return { kind: 'continue', packet: { ...packet, l4: rest } };
    return { kind: 'continue', packet: { ...packet, l4: { ...rest, mss: Math.min(mss ?? wanted, wanted) } } };
  };
}

function compileTproxy(options: Options): TargetEvaluator | undefined {
  const port = numberOf(options.get('on-port')?.[0]);
  const address = parseAddress(options.get('on-ip')?.[0] ?? '');
  const mark = maskedValue(options.get('tproxy-mark')?.[0] ?? '0/0');
  if (port === undefined || !mark) return undefined;
  return ({ meta }) => ({
    kind: 'verdict',
    verdict: { kind: 'tproxy', ...(address && address !== '0.0.0.0' ? { address } : {}), ...(port ? { port } : {}) },
    meta: { ...meta, mark: xmark(meta.mark, mark) },
  });
}
