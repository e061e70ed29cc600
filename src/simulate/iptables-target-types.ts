import type { Meta, Packet } from '../net/packet.ts';
import type { HookInput, HookOutcome, HookVerdict } from './hook.ts';
import { numberOf } from './iptables-match-types.ts';

/** What a target does to a packet that its rule matched. */
export type TargetEffect =
  /** The packet goes on with the next rule. */
  | {
      readonly kind: 'continue';
      readonly packet?: Packet;
      readonly meta?: Meta;
      readonly notrack?: boolean;
      /** The packet has its template of a connection: a later CT or NOTRACK is ignored (xt_ct_target). */
      readonly template?: boolean;
      /** A set that was written, as HookInput.touched names it. */
      readonly touched?: string;
    }
  | { readonly kind: 'verdict'; readonly verdict: HookVerdict; readonly meta?: Meta }
  | { readonly kind: 'nat'; readonly nat: NonNullable<HookOutcome['nat']> }
  | { readonly kind: 'return' }
  | { readonly kind: 'chain'; readonly name: string; readonly goto: boolean }
  /** NFQUEUE with --queue-bypass: accepted where nobody listens on the queue; TPROXY: dropped where the socket is not transparent. */
  | { readonly kind: 'either'; readonly verdicts: readonly HookVerdict[]; readonly meta?: Meta }
  | { readonly kind: 'unmodelled' };

export type TargetEvaluator = (input: HookInput) => TargetEffect;
export type TargetOptions = ReadonlyMap<string, readonly string[]>;
/** Undefined where an option or value is not modelled. */
export type TargetCompiler = (options: TargetOptions) => TargetEvaluator | undefined;
export type TargetTable = Readonly<Record<string, TargetCompiler>>;

/** One object each, so that what is said of a rule can be kept (decidedStep in iptables-traverse.ts). */
export const CONTINUE: TargetEffect = { kind: 'continue' };
export const UNMODELLED: TargetEffect = { kind: 'unmodelled' };
export const DROP: TargetEffect = { kind: 'verdict', verdict: { kind: 'drop' } };

export function constant(effect: TargetEffect): TargetEvaluator {
  return () => effect;
}

/** Whether only these options are there. */
export function onlyOptions(options: TargetOptions, ...names: readonly string[]): boolean {
  return [...options.keys()].every((name) => names.includes(name));
}

export function numberOption(options: TargetOptions, name: string): number | undefined {
  return numberOf(options.get(name)?.[0]);
}

/** `(field & ~mask) ^ value`, as the kernel changes marks and the TOS field. */
export function masked(field: number, { value, mask }: { readonly value: number; readonly mask: number }): number {
  return ((field & ~mask) ^ value) >>> 0;
}
