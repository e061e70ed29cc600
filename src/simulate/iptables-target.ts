import type { IptablesTarget } from '../parse/iptables-save.ts';
import type { HookInput } from './hook.ts';
import { HEADER_TARGETS } from './iptables-target-header.ts';
import { MARK_TARGETS } from './iptables-target-mark.ts';
import { NAT_TARGETS } from './iptables-target-nat.ts';
import { compileTproxy } from './iptables-target-tproxy.ts';
import {
  CONTINUE,
  constant,
  DROP,
  type TargetEvaluator,
  type TargetOptions,
  type TargetTable,
  UNMODELLED,
} from './iptables-target-types.ts';

export type { TargetEffect, TargetEvaluator } from './iptables-target-types.ts';

/** Targets without an effect on this packet's way (iptables-extensions(8)). TEE sends a copy elsewhere. */
const WITHOUT_EFFECT = new Set([
  'LOG',
  'NFLOG',
  'ULOG',
  'TRACE',
  'AUDIT',
  'CHECKSUM',
  'CLASSIFY',
  'TEE',
  'IDLETIMER',
  'RATEEST',
  'LED',
  'CONNSECMARK',
  'SECMARK',
]);

/** `-j` and `-g`; unmodelled where the target or one of its options is. A name that is a chain's is a jump. */
export function compileTarget(target: IptablesTarget | undefined, isChain: (name: string) => boolean): TargetEvaluator {
  if (!target) return constant(CONTINUE);
  if (isChain(target.name)) return constant({ kind: 'chain', name: target.name, goto: target.goto });
  if (WITHOUT_EFFECT.has(target.name)) return constant(CONTINUE);
  const compile = Object.hasOwn(TARGETS, target.name) ? TARGETS[target.name] : undefined;
  return compile?.(optionsOf(target)) ?? constant(UNMODELLED);
}

/** Every target that the walk knows, whether with an effect on the packet or without; not those of chains. */
export function targetNames(): readonly string[] {
  return [...Object.keys(TARGETS), ...WITHOUT_EFFECT];
}

function optionsOf(target: IptablesTarget): TargetOptions {
  return new Map(target.options.map((option) => [option.name, option.values]));
}

const ACCEPT = { kind: 'accept' } as const;
const QUEUE = { kind: 'queue' } as const;

const TARGETS: TargetTable = {
  ACCEPT: () => constant({ kind: 'verdict', verdict: ACCEPT }),
  DROP: () => constant(DROP),
  RETURN: () => constant({ kind: 'return' }),
  QUEUE: () => constant({ kind: 'verdict', verdict: QUEUE }),
  NFQUEUE: (options) =>
    options.has('queue-bypass')
      ? constant({ kind: 'either', verdicts: [QUEUE, ACCEPT] })
      : constant({ kind: 'verdict', verdict: QUEUE }),
  REJECT: compileReject,
  TPROXY: compileTproxy,
  SYNPROXY: () => synproxy,
  ...NAT_TARGETS,
  ...MARK_TARGETS,
  ...HEADER_TARGETS,
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

function compileReject(options: TargetOptions): TargetEvaluator | undefined {
  const name = options.get('reject-with')?.[0];
  if (name === 'tcp-reset') return constant({ kind: 'verdict', verdict: { kind: 'reject', with: 'tcp-reset' } });
  if (name !== undefined && !Object.hasOwn(REJECTS, name)) return undefined;
  return (input) => {
    const fallback = input.family === 4 ? REJECTS['icmp-port-unreachable']! : REJECTS['icmp6-port-unreachable']!;
    const [type, code] = name === undefined ? fallback : REJECTS[name]!;
    return { kind: 'verdict', verdict: { kind: 'reject', with: { type, code } } };
  };
}

/** nf_synproxy_core.c: answers a client's SYN itself and takes the handshake's last packet; the rest goes on. */
function synproxy({ packet: { l4 } }: HookInput): ReturnType<TargetEvaluator> {
  const flags = l4.protocol === 'tcp' && 'sourcePort' in l4 ? l4.flags : [];
  const isTaken =
    !flags || (!flags.includes('fin') && !flags.includes('rst') && flags.includes('syn') !== flags.includes('ack'));
  return isTaken ? SYNPROXIED : CONTINUE;
}

const SYNPROXIED = {
  kind: 'verdict',
  verdict: { kind: 'unknown', because: 'SYNPROXY answers the handshake itself, and opens the connection afterwards' },
} as const;

/** For tests and reports: whether a target is modelled with these options. */
export function isTargetModelled(target: IptablesTarget): boolean {
  if (WITHOUT_EFFECT.has(target.name)) return true;
  return Object.hasOwn(TARGETS, target.name) && TARGETS[target.name]!(optionsOf(target)) !== undefined;
}
