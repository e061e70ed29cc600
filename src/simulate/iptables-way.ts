import { mergeWays, sum } from './chances.ts';
import type { HookInput, HookOutcome, HookVerdict } from './hook.ts';
import { joinSteps } from './join-steps.ts';
import type { Chance, Step } from './trace.ts';

/** One way through the table so far. `input` carries the packet and meta as the rules have changed them. */
export interface Way {
  readonly chance: Chance;
  readonly fork: 'random' | 'undecided' | undefined;
  readonly input: HookInput;
  readonly notrack: boolean;
  readonly steps: readonly Step[];
  readonly end: End;
}

export type End =
  | { readonly kind: 'next' }
  /** The chain is left: by RETURN, by its end, or by the end of a chain that it went to. */
  | { readonly kind: 'return' }
  | { readonly kind: 'verdict'; readonly verdict: HookVerdict }
  | { readonly kind: 'nat'; readonly nat: NonNullable<HookOutcome['nat']> };

export const NEXT: End = { kind: 'next' };
export const RETURN: End = { kind: 'return' };

/** Equal ways as one. Where no rule has changed the packet for some of them only, their ends alone tell them apart. */
export function merged(ways: readonly Way[], total: Chance): readonly Way[] {
  const [first] = ways;
  if (ways.length === 1 && first!.chance.min === total.min && first!.chance.max === total.max) return ways;
  return mergeWays(ways, total, haveOnePacket(ways) ? endKey : keyOf, join);
}

function haveOnePacket(ways: readonly Way[]): boolean {
  const first = ways[0];
  return ways.every(
    (way) =>
      way.input.packet === first?.input.packet &&
      way.input.meta === first.input.meta &&
      way.notrack === first.notrack &&
      way.input.touched === first.input.touched &&
      way.input.hasTemplate === first.input.hasTemplate,
  );
}

function keyOf(way: Way): string {
  const { packet, meta, touched = [], hasTemplate } = way.input;
  return `${endKey(way)} ${JSON.stringify([way.notrack, packet, meta, touched, hasTemplate === true])}`;
}

const endKeys = new WeakMap<object, string>();

function endKey({ end }: Way): string {
  const content = end.kind === 'nat' ? end.nat : end.kind === 'verdict' ? end.verdict : undefined;
  if (content === undefined) return end.kind;
  const key = endKeys.get(content) ?? `${end.kind} ${JSON.stringify(content)}`;
  endKeys.set(content, key);
  return key;
}

function join(a: Way, b: Way): Way {
  const fork = a.fork === 'undecided' || b.fork === 'undecided' ? 'undecided' : (a.fork ?? b.fork);
  return { ...a, ...(fork ? { fork } : {}), steps: joinSteps(a.steps, b.steps) };
}

/** Ways of different origin that stand alike before the next rule. */
export function mergeLive(ways: readonly Way[]): Way[] {
  const key = haveOnePacket(ways) ? endKey : keyOf;
  const groups = new Map<string, Way>();
  for (const way of ways) {
    const name = key(way);
    const former = groups.get(name);
    groups.set(name, former ? { ...join(former, way), chance: sum(former.chance, way.chance) } : way);
  }
  return [...groups.values()];
}
