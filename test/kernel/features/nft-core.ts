import type { CaseItem, CasePacket } from '../case.ts';
import type { Draw } from '../draw.ts';
import type { Feature } from '../feature.ts';
import type { HookPoint, Network } from '../network.ts';
import { type Aim, aimAt, endsAt } from './iptables-aim.ts';

/*
 * Rules of native nftables. Each stands in a base chain of its hook, or in a chain that a base chain calls, and carries a
 * counter right behind its matches.
 */

export const ALL_HOOKS: readonly HookPoint[] = ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'];

export interface NftWords {
  readonly name: string;
  readonly hooks?: readonly HookPoint[];
  readonly protocols?: readonly CasePacket['protocol'][];
  readonly isUndecidable?: boolean;
  readonly weight?: number;
  /** Nothing but its own counter tells of it. */
  readonly countsOnly?: true;
  readonly wants?: Feature['wants'];
  readonly onNodes?: true;
  /** 'none': the statement may leave the rule behind a counter, which would then have counted. */
  readonly counter?: 'none';
  /** Priorities that it makes sense at. */
  readonly priorities?: readonly number[];
  /** Statements; `add` puts what they need (a set, a chain) into the table before. Undefined: of no use for this packet. */
  readonly words: (aim: NftAim) => string | undefined;
}

export interface NftAim extends Aim {
  /** `ip t1` */
  readonly table: string;
  readonly ip: 'ip' | 'ip6';
  readonly ends: ReturnType<typeof endsAt>;
}

const PRIORITIES: Readonly<Record<HookPoint, readonly number[]>> = {
  PREROUTING: [-310, -150, -50, 10],
  INPUT: [-150, -10, 10, 110],
  FORWARD: [-150, -10, 10],
  OUTPUT: [-310, -150, -50, 10],
  POSTROUTING: [-150, -10, 110],
};

interface Kept {
  readonly tables: Map<string, string>;
  readonly chains: Set<string>;
}

const kept = new WeakMap<Network, Kept>();

/** One table for each namespace and family; base chains of one hook and priority are shared, so that no order is open. */
export function nftAim(network: Network, what: NftWords): { readonly aim: NftAim; readonly chain: string } | undefined {
  const aim = aimAt(network, what.hooks ?? ALL_HOOKS, what.protocols, what);
  if (!aim) return undefined;
  const { draw, stop, packet } = aim;
  const family = draw.pick(['inet', packet.family === 4 ? 'ip' : 'ip6']);
  const known = kept.get(network) ?? { tables: new Map(), chains: new Set() };
  kept.set(network, known);
  const key = `${stop.ns} ${family}`;
  const name = known.tables.get(key) ?? network.unique('t');
  const table = `${family} ${name}`;
  if (!known.tables.has(key)) network.add({ kind: 'nft', ns: stop.ns, line: `add table ${table}` });
  known.tables.set(key, name);
  const hook = stop.hook.toLowerCase();
  const priority = draw.pick(what.priorities ?? PRIORITIES[stop.hook]) + (family === 'inet' ? 1 : 0);
  const chain = `${hook}_${priority}`.replace('-', 'm');
  const chainKey = `${key} ${chain}`;
  if (!known.chains.has(chainKey)) {
    const type = hook === 'output' && draw.chance(0.5) ? 'route' : 'filter';
    const line = `add chain ${table} ${chain} { type ${type} hook ${hook} priority ${priority}; policy accept; }`;
    network.add({ kind: 'nft', ns: stop.ns, line });
  }
  known.chains.add(chainKey);
  return { aim: { ...aim, table, ip: packet.family === 4 ? 'ip' : 'ip6', ends: endsAt(aim) }, chain };
}

/** What a rule says first, so that it is about this packet and few others. */
export function nftAimed({ packet, draw, ends, ip, network }: NftAim, namesProtocol: boolean): string {
  const named = namesProtocol || (network.realNeighbours && packet.family === 6);
  const icmp = packet.family === 4 ? 'icmp' : 'icmpv6';
  const own = ends.sourcePort === packet.sourcePort ? 'sport' : 'dport';
  const ports = draw.weighted([
    { words: `${packet.protocol} dport ${ends.destinationPort}`, weight: 1 },
    { words: `${packet.protocol} ${own} ${packet.sourcePort}`, weight: 4 },
    { words: `meta l4proto ${packet.protocol} th ${own} ${packet.sourcePort}`, weight: 2 },
  ]).words;
  const parts = [
    draw.chance(0.5) ? `${ip} saddr ${ends.source}` : '',
    draw.chance(0.5) ? `${ip} daddr ${ends.destination}` : '',
    packet.protocol === 'icmp' ? `${icmp} type { echo-request, echo-reply }` : named || draw.chance(0.85) ? ports : '',
  ];
  const said = parts.filter((part) => part !== '');
  return said.length === 0 ? `${ip} saddr ${ends.source}` : said.join(' ');
}

export function addNftRule(
  network: Network,
  aim: NftAim,
  chain: string,
  rule: string,
  marks: Pick<CaseItem, 'feature' | 'countsOnly'>,
  witness?: string,
): void {
  const { draw, table, stop } = aim;
  const base = { kind: 'nft', ns: stop.ns } as const;
  if (draw.chance(0.7)) {
    network.add({ ...base, line: `add rule ${table} ${chain} ${rule}`, ...marks });
    if (witness !== undefined) network.add({ ...base, line: `add rule ${table} ${chain} ${witness} counter` });
    return;
  }
  const own = network.unique('c');
  const word = draw.pick(['jump', 'jump', 'goto']);
  network.add({ ...base, line: `add chain ${table} ${own}` });
  network.add({ ...base, line: `add rule ${table} ${own} ${rule}`, ...marks });
  network.add({ ...base, line: `add rule ${table} ${own} counter return`, feature: 'nft return' });
  // What nobody comes to, unless the rule before is left out.
  const ttl = aim.ip === 'ip' ? 'ip ttl' : 'ip6 hoplimit';
  network.add({ ...base, line: `add rule ${table} ${own} ${ttl} set ${draw.int(30, 60)} counter` });
  network.add({ ...base, line: `add rule ${table} ${chain} counter ${word} ${own}`, feature: `nft ${word}` });
}

/** What a matching rule then does; the packet's fields tell whether it did. */
const EFFECTS: readonly {
  readonly weight: number;
  readonly words: (aim: NftAim) => string | undefined;
  /** What a rule behind it asks for, whose counter shows what no cable shows. */
  readonly witness?: string;
}[] = [
  { weight: 1, words: () => 'meta mark set 0x1', witness: 'meta mark 0x1' },
  { weight: 1, words: () => 'meta mark set 0x40', witness: 'meta mark 0x40' },
  { weight: 1, words: () => 'meta mark set meta mark | 0x8', witness: 'meta mark & 0x8 == 0x8' },
  { weight: 1, words: () => 'meta mark set meta mark ^ 0x3', witness: 'meta mark & 0x3 != 0x0' },
  { weight: 5, words: ({ ip, draw }) => `${ip} ${ip === 'ip' ? 'ttl' : 'hoplimit'} set ${draw.int(30, 60)}` },
  { weight: 4, words: ({ ip, draw }) => `${ip} dscp set ${draw.pick(['ef', 'af11', 'cs1'])}` },
  { weight: 1, words: () => 'accept', witness: '' },
  { weight: 1, words: () => 'return', witness: '' },
  { weight: 0.7, words: () => 'drop' },
  { weight: 0.7, words: rejected },
];

export function effectOf(aim: NftAim): { readonly words: string; readonly witness?: string } {
  for (;;) {
    const { words, witness } = aim.draw.weighted(EFFECTS);
    const said = words(aim);
    if (said !== undefined) return { words: said, ...(witness !== undefined && { witness }) };
  }
}

export function rejected({ packet, draw, stop, table }: NftAim): string | undefined {
  if (!['INPUT', 'FORWARD', 'OUTPUT'].includes(stop.hook)) return undefined;
  if (packet.protocol === 'tcp' && draw.chance(0.4)) return 'meta l4proto tcp reject with tcp reset';
  const codes = packet.family === 4 ? ['host-prohibited', 'net-unreachable'] : ['addr-unreachable', 'admin-prohibited'];
  const own = `reject with ${packet.family === 4 ? 'icmp' : 'icmpv6'} ${draw.pick(codes)}`;
  return draw.pick([own, 'reject', table.startsWith('inet') ? 'reject with icmpx admin-prohibited' : own]);
}

/** A rule with this condition and some effect, where the packet passes. */
export function nftMatch(what: NftWords): Feature {
  const feature = `nft match ${what.name}`;
  return {
    name: feature,
    ...(what.isUndecidable ? { isUndecidable: true } : {}),
    ...(what.weight === undefined ? {} : { weight: what.weight }),
    add: (network) => {
      const found = nftAim(network, what);
      const words = found && what.words(found.aim);
      if (!found || words === undefined) return false;
      const aimed = nftAimed(found.aim, what.protocols !== undefined);
      const effect = effectOf(found.aim);
      const rule = `${aimed} ${words} counter ${effect.words}`;
      addNftRule(network, found.aim, found.chain, rule, { feature }, effect.witness);
      return true;
    },
  };
}

/** A rule for this packet with this statement. */
export function nftStatement(what: NftWords): Feature {
  const feature = `nft statement ${what.name}`;
  return {
    name: feature,
    ...(what.isUndecidable ? { isUndecidable: true } : {}),
    ...(what.weight === undefined ? {} : { weight: what.weight }),
    add: (network) => {
      const found = nftAim(network, what);
      const words = found && what.words(found.aim);
      if (!found || words === undefined) return false;
      const aimed = nftAimed(found.aim, true);
      const rule = what.counter === 'none' ? `${aimed} ${words}` : `${aimed} counter ${words}`;
      const own = { feature, ...(what.countsOnly && { countsOnly: what.countsOnly }) };
      addNftRule(network, found.aim, found.chain, rule, own);
      return true;
    },
  };
}

/** A hook behind all others of the namespace that the packet meets there: what is set before shows there. */
export function lastHookOf({ network, packet, stop }: Aim): 'input' | 'postrouting' {
  const ends = network
    .stops(packet)
    .some((one) => one.ns === stop.ns && one.isReply === stop.isReply && one.hook === 'INPUT');
  return ends && (stop.hook === 'PREROUTING' || stop.hook === 'INPUT') ? 'input' : 'postrouting';
}

/** Adds a named set or map to the aim's table. */
export function addNamed(aim: NftAim, kind: 'set' | 'map', definition: string): string {
  const name = aim.network.unique(kind === 'set' ? 's' : 'm');
  aim.network.add({ kind: 'nft', ns: aim.stop.ns, line: `add ${kind} ${aim.table} ${name} { ${definition} }` });
  return `@${name}`;
}

/** Mostly what holds of the packet. */
export function mostly<T>(draw: Draw, right: T, wrong: T): T {
  return draw.chance(0.75) ? right : wrong;
}
