import type { HookPoint } from '../network.ts';
import type { Aim } from './iptables-aim.ts';
import type { MatchWords } from './iptables-core.ts';

/** Tables behind conntrack, where a packet has its connection. */
export const TRACKED = ['mangle', 'filter', 'security'] as const;
export const RECEIVING: readonly HookPoint[] = ['PREROUTING', 'INPUT', 'FORWARD'];

/** An option in a module: as it is and turned round. */
export function option(module: string, words: string): MatchWords {
  return { match: `-m ${module} ${words}`, negated: `-m ${module} ! ${words}` };
}

export function near({ draw }: Aim, value: number): number {
  return draw.chance(0.75) ? value : value + draw.pick([-1, 1]);
}

export function isIpv6({ packet }: Aim): boolean {
  return packet.family === 6;
}

/** The host part of an address turned: one that no packet has. */
export function otherAddress(address: string): string {
  return address.includes(':') ? `${address}9` : address.replace(/\d+$/, (last) => String(Number(last) + 100));
}

export function someAddress(aim: Aim, address: string): string {
  return aim.draw.chance(0.75) ? address : otherAddress(address);
}
