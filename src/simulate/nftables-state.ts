import type { L4, Meta, Packet } from '../net/packet.ts';
import type { NftTable } from '../parse/nft-json.ts';
import type { HookInput, HookOutcome, HookVerdict } from './hook.ts';
import { PROTOCOLS } from './nftables-symbols.ts';
import type { Step } from './trace.ts';

/** What a rule set's evaluation carries from rule to rule. */
export interface NftState {
  readonly packet: Packet;
  readonly meta: Meta;
  readonly nat?: NonNullable<HookOutcome['nat']>;
  readonly notrack?: true;
  readonly tproxy?: HookVerdict & { readonly kind: 'tproxy' };
  /** Marks that a rule set to a value that is not known: whoever looks at them is undecided. */
  readonly doubtfulMarks: readonly ('mark' | 'connmark')[];
  /** A rule has set the connection's label. */
  readonly labelled?: true;
  /** What rules of this evaluation have added to sets or deleted from them (nftables-touched.ts). */
  readonly touched: readonly string[];
}

export interface NftScope {
  readonly input: HookInput;
  readonly table: NftTable;
  readonly state: NftState;
}

export function protocolOf(l4: L4): number {
  return typeof l4.protocol === 'number' ? l4.protocol : PROTOCOLS[l4.protocol]!;
}

const keys = new WeakMap<NftState, string>();

/** Two states with the same key behave the same from here on. */
export function stateKey(state: NftState): string {
  const known = keys.get(state);
  if (known !== undefined) return known;
  const { packet, meta, nat, notrack, tproxy, doubtfulMarks, labelled, touched } = state;
  const key = JSON.stringify([packet, meta, nat, notrack, tproxy, doubtfulMarks, labelled, touched]);
  keys.set(state, key);
  return key;
}

/** What a rule changed in the packet and beside it. NAT is not a change here: the walk applies it. */
export function changesBetween(before: NftState, after: NftState): Step['changes'] {
  if (before.packet === after.packet && before.meta === after.meta) return [];
  const changes: Step['changes'][number][] = [];
  const from = fieldsOf(before);
  const to = fieldsOf(after);
  for (const [field, value] of Object.entries(to)) {
    if (from[field] !== value) changes.push({ field, from: from[field] ?? null, to: value });
  }
  return changes;
}

function fieldsOf(state: NftState): Record<string, string | number | null> {
  const { packet, meta } = state;
  const ports = 'sourcePort' in packet.l4 ? packet.l4 : undefined;
  return {
    mark: meta.mark,
    connmark: meta.connmark,
    zone: meta.zone,
    conntrack: meta.conntrack,
    source: packet.ip.source,
    destination: packet.ip.destination,
    ttl: packet.ip.ttl,
    tos: packet.ip.tos,
    sourcePort: ports?.sourcePort ?? null,
    destinationPort: ports?.destinationPort ?? null,
    mss: ports?.mss ?? null,
  };
}
