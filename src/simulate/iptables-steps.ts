import type { Scalar } from '../host/host.ts';
import type { Meta, Packet } from '../net/packet.ts';
import type { IptablesRule } from '../parse/iptables-save.ts';
import type { Source } from '../snapshot/snapshot.ts';
import type { HookInput } from './hook.ts';
import type { CompiledChain } from './iptables-compile.ts';
import type { MatchOutcome } from './iptables-match.ts';
import type { TargetEffect } from './iptables-target.ts';
import { observedOf, type TableContext } from './iptables-traverse.ts';
import type { Step } from './trace.ts';
import { formatEnd } from './tuple.ts';

export function ruleStep(
  context: TableContext,
  chain: CompiledChain,
  rule: IptablesRule,
  match: MatchOutcome,
  effect: TargetEffect,
  input: HookInput,
): Step {
  const values: Record<string, Scalar> = {
    ...tableValues(context, chain, input),
    ruleNumber: rule.number,
    ruleText: rule.text,
    target: rule.target?.name ?? '',
  };
  const verdict = verdictName(effect);
  if (verdict) values.verdict = verdict;
  if (rule.packets !== undefined) values.packets = rule.packets;
  if (rule.bytes !== undefined) values.bytes = rule.bytes;
  if (match.undecided.length > 0) values.undecided = match.undecided.join(', ');
  if (match.probability !== undefined) values.probability = match.probability;
  return {
    kind: 'rule',
    at: `${input.hook} ${context.table.name} ${chain.name}#${rule.number}`,
    matched: match.undecided.length > 0 ? 'unknown' : 'yes',
    source: sourceOf(context, chain, rule.line, rule.text),
    values,
    text: textOf(rule, match, effect),
    changes: changesOf(input, effect),
    features: [...new Set([...rule.matches.map((one) => `-m ${one.module}`), `-j ${rule.target?.name ?? ''}`])],
  };
}

export function policyStep(context: TableContext, chain: CompiledChain, input: HookInput): Step {
  const policy = chain.policy ?? 'ACCEPT';
  const values: Record<string, Scalar> = { ...tableValues(context, chain, input), policy };
  if (chain.packets !== undefined) values.packets = chain.packets;
  return {
    kind: 'policy',
    at: `${input.hook} ${context.table.name} ${chain.name}`,
    matched: 'yes',
    source: sourceOf(context, chain, undefined, `:${chain.name} ${policy}`),
    values,
    text: `no rule decided; the policy of ${chain.name} is ${policy}`,
    changes: [],
    features: ['policy'],
  };
}

export function unparsedStep(context: TableContext, chain: CompiledChain, line: Source): Step {
  return {
    kind: 'filter',
    at: `${context.table.name} ${chain.name}`,
    matched: 'unknown',
    source: line,
    values: { backend: context.backend, reason: 'unparsed', table: context.table.name, chain: chain.name },
    text: `a line that may be a rule of ${chain.name} was not understood`,
    changes: [],
    features: [],
  };
}

export function tableValues(context: TableContext, chain: CompiledChain, input: HookInput): Record<string, Scalar> {
  return {
    backend: context.backend,
    family: input.family,
    hook: input.hook,
    table: context.table.name,
    chain: chain.name,
  };
}

export function sourceOf(context: TableContext, chain: CompiledChain, line: number | undefined, text: string): Source {
  return { ...observedOf(context, chain).source, ...(line === undefined ? {} : { line }), text };
}

function verdictName(effect: TargetEffect): string | undefined {
  if (effect.kind === 'verdict') return effect.verdict.kind;
  if (effect.kind === 'nat' || effect.kind === 'return') return effect.kind;
  return undefined;
}

function textOf(rule: IptablesRule, match: MatchOutcome, effect: TargetEffect): string {
  const what = effectText(rule, effect);
  if (match.undecided.length > 0) return `not decided (${match.undecided.join(', ')}); if it matches: ${what}`;
  if (match.probability !== undefined) return `${what}, with a chance of ${match.probability}`;
  return what;
}

function effectText(rule: IptablesRule, effect: TargetEffect): string {
  switch (effect.kind) {
    case 'chain':
      return `${effect.goto ? 'goes to' : 'calls'} ${effect.name}`;
    case 'return':
      return 'returns';
    case 'verdict':
      return effect.verdict.kind;
    case 'nat': {
      const { to, masquerade, redirect, kind } = effect.nat;
      if (masquerade) return `masquerade as ${to.address ?? 'the address of the output device'}`;
      if (redirect) return `redirect to this host${to.port === undefined ? '' : `, port ${to.port}`}`;
      const end = to.address === undefined ? `port ${to.port}` : formatEnd(to.address, to.port);
      return `${kind} becomes ${end}`;
    }
    default:
      return rule.target?.name ?? 'counts';
  }
}

function changesOf(input: HookInput, effect: TargetEffect): Step['changes'] {
  const changes: Step['changes'][number][] = [];
  if (effect.kind !== 'continue' && effect.kind !== 'verdict') return changes;
  const meta: Meta = effect.meta ?? input.meta;
  const packet: Packet = (effect.kind === 'continue' ? effect.packet : undefined) ?? input.packet;
  const compare = (field: string, from: Scalar, to: Scalar): void => {
    if (from !== to) changes.push({ field, from, to });
  };
  compare('mark', input.meta.mark, meta.mark);
  compare('connmark', input.meta.connmark, meta.connmark);
  compare('zone', input.meta.zone, meta.zone);
  compare('ttl', input.packet.ip.ttl, packet.ip.ttl);
  compare('tos', input.packet.ip.tos, packet.ip.tos);
  compare('source', input.packet.ip.source, packet.ip.source);
  compare('destination', input.packet.ip.destination, packet.ip.destination);
  compare('mss', mssOf(input.packet), mssOf(packet));
  compare('lengthBytes', input.packet.lengthBytes, packet.lengthBytes);
  return changes;
}

/** '' stands for a segment size that is not known. */
function mssOf({ l4 }: Packet): Scalar {
  return 'sourcePort' in l4 ? (l4.mss ?? '') : '';
}
