import type { Ipset } from '../parse/ipset.ts';
import type { HookInput } from './hook.ts';
import { dimensionsOf, type IpsetDimension, type IpsetEntry, type IpsetPart, readIpsetEntry } from './ipset-entry.ts';
import { type IpsetDirection, type IpsetShown, shownTo } from './ipset-shown.ts';
import { PROTOCOLS } from './nftables-symbols.ts';
import type { Truth } from './trace.ts';
import { and, or, truth } from './truth.ts';

export type { IpsetDirection };

export interface IpsetLookup {
  /** What each dimension looks at: the `src,dst` of `-m set --match-set`. */
  readonly dimensions: readonly IpsetDirection[];
  readonly input: HookInput;
  /** `--return-nomatch`: of sets of networks only entries with `nomatch` count. */
  readonly returnsNomatch?: boolean;
}

/** Finds a list:set's members by name. Undefined: the set was not seen. */
export type IpsetResolver = (name: string) => Ipset | undefined;

/** What a lookup can come to. */
type Finding = 'match' | 'nomatch' | 'nothing';

interface Compiled {
  readonly dimensions: readonly IpsetDimension[];
  /** Entries of single values, by these: what is in all ports and networks the narrowest. */
  readonly exact: ReadonlyMap<string, IpsetEntry>;
  /** The others: the narrowest networks first, as the kernel tries them. */
  readonly wide: readonly IpsetEntry[];
}

const compiledSets = new WeakMap<Ipset, Compiled>();

/** As with rules about ports (ephemeral-port.ts): a share of the ports that counts for none. */
const NEGLIGIBLE = 0.01;

/** A set in a set is as deep as the kernel goes; more is a loop in the text. */
const LISTS_MAX = 4;

/**
 * Is the packet in the set, as `-m set --match-set` asks (ip_set_test in net/netfilter/ipset/ip_set_core.c)? An entry that is
 * there counts, however short its timeout. `nomatch` entries are exceptions; the narrowest entry that matches decides.
 */
export function ipsetContains(set: Ipset, lookup: IpsetLookup, resolve?: IpsetResolver): Truth {
  return containsWithin(set, lookup, resolve, 0);
}

function containsWithin(set: Ipset, lookup: IpsetLookup, resolve: IpsetResolver | undefined, depth: number): Truth {
  if (set.type === 'list:set') return listContains(set, lookup, resolve, depth);
  const dimensions = dimensionsOf(set.type);
  if (!dimensions) return 'unknown';
  const addressed = dimensions.some((dimension) => dimension === 'ip' || dimension === 'net');
  // The kernel takes neither a set of the other family nor too few directions for a match.
  if ((addressed && set.family !== lookup.input.family) || lookup.dimensions.length < dimensions.length) return 'no';
  const shown = shownTo(set, dimensions, lookup.dimensions, lookup.input);
  const findings = find(compiledFor(set, dimensions), shown);
  const wanted: Finding = lookup.returnsNomatch && dimensions.includes('net') ? 'nomatch' : 'match';
  if (!findings.has(wanted)) return 'no';
  return findings.size === 1 ? 'yes' : 'unknown';
}

function listContains(set: Ipset, lookup: IpsetLookup, resolve: IpsetResolver | undefined, depth: number): Truth {
  if (depth >= LISTS_MAX) return 'unknown';
  const members = set.entries.map((entry): Truth => {
    const member = resolve?.(entry.fields[0] ?? '');
    return member ? containsWithin(member, lookup, resolve, depth + 1) : 'unknown';
  });
  return or('no', ...members);
}

function compiledFor(set: Ipset, dimensions: readonly IpsetDimension[]): Compiled {
  const known = compiledSets.get(set);
  if (known) return known;
  const exact = new Map<string, IpsetEntry>();
  const wide: IpsetEntry[] = [];
  for (const text of set.entries) {
    const entry = readIpsetEntry(text, dimensions, set.family);
    const key = keyOf(entry.parts);
    if (key === undefined) wide.push(entry);
    else exact.set(key, entry);
  }
  const compiled = { dimensions, exact, wide: wide.sort(narrowestFirst) };
  compiledSets.set(set, compiled);
  return compiled;
}

/** Undefined where some part is not one value. */
function keyOf(parts: readonly (IpsetPart | IpsetShown | undefined)[]): string | undefined {
  const keys = parts.map(partKey);
  return keys.includes(undefined) ? undefined : keys.join(' ');
}

function partKey(part: IpsetPart | IpsetShown | undefined): string | undefined {
  if (part === undefined || typeof part === 'string') return undefined;
  switch (part.kind) {
    case 'addresses':
      return part.from === part.to ? String(part.from) : undefined;
    case 'ports':
      return part.from === part.to && part.protocol !== undefined ? `${part.protocol}:${part.from}` : undefined;
    case 'device':
      return part.prefix || part.bridgePort ? undefined : part.name;
    case 'mark':
      return String(part.value);
    case 'mac':
      return part.mac;
    case 'any':
      return undefined;
  }
}

function narrowestFirst(a: IpsetEntry, b: IpsetEntry): number {
  for (let index = 0; index < a.lengths.length; index++) {
    const difference = (b.lengths[index] ?? 0) - a.lengths[index]!;
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The first entry that matches decides; what may match before it leaves open only what would differ. */
function find({ exact, wide }: Compiled, shown: readonly IpsetShown[]): ReadonlySet<Finding> {
  const key = keyOf(shown);
  const hit = key === undefined ? undefined : exact.get(key);
  if (hit) return new Set([findingOf(hit)]);
  const possible = new Set<Finding>();
  // What is shown as a range may be any of the single values.
  const entries = key === undefined ? [...exact.values(), ...wide] : wide;
  let share = 0;
  for (const entry of entries) {
    const match = and(...entry.parts.map((part, index) => matches(part, shown[index]!)));
    if (match === 'no') continue;
    possible.add(findingOf(entry));
    if (match === 'yes') return possible;
    share += shareOf(entry, shown);
  }
  return share <= NEGLIGIBLE ? new Set(['nothing']) : possible.add('nothing');
}

/** How much of the ports that a packet's own may be chosen from an entry holds; 1 where something else is not known. */
function shareOf({ parts }: IpsetEntry, shown: readonly IpsetShown[]): number {
  const shares = parts.map((part, index) => {
    const one = shown[index]!;
    if (typeof one === 'string' || part === undefined || part.kind === 'any') return 1;
    if (part.kind !== 'ports' || one.kind !== 'ports' || !one.isChosen) return 1;
    return (Math.min(part.to, one.to) - Math.max(part.from, one.from) + 1) / (one.to - one.from + 1);
  });
  return Math.min(...shares);
}

function findingOf({ nomatch }: IpsetEntry): Finding {
  return nomatch ? 'nomatch' : 'match';
}

function matches(part: IpsetPart | undefined, shown: IpsetShown): Truth {
  if (shown === 'absent') return 'no';
  if (part?.kind === 'any') return 'yes';
  if (shown === 'unknown' || part === undefined) return 'unknown';
  switch (part.kind) {
    case 'addresses':
      return shown.kind === 'addresses' ? truth(part.from <= shown.from && shown.to <= part.to) : 'unknown';
    case 'ports':
      return shown.kind === 'ports' ? matchesPorts(part, shown) : 'unknown';
    case 'device':
      return shown.kind === 'device' ? matchesDevice(part, shown.name) : 'unknown';
    case 'mark':
      return shown.kind === 'mark' ? truth(part.value === shown.value) : 'unknown';
    case 'mac':
      return shown.kind === 'mac' ? truth(part.mac === shown.mac) : 'unknown';
  }
}

type Ports = IpsetPart & { readonly kind: 'ports' };

/** bitmap:port holds ports of TCP and UDP alike, and of nothing else (ip_set_bitmap_port.c). */
function matchesPorts(part: Ports, shown: Ports & { readonly isChosen?: true }): Truth {
  const isOfKind =
    part.protocol === undefined
      ? shown.protocol === PROTOCOLS.tcp || shown.protocol === PROTOCOLS.udp
      : part.protocol === shown.protocol;
  if (!isOfKind) return 'no';
  if (shown.to < part.from || shown.from > part.to) return 'no';
  return part.from <= shown.from && shown.to <= part.to ? 'yes' : 'unknown';
}

/**
 * `physdev:` entries are met by lookups that ask for a bridge port, which no rule of iptables can (IPSET_FLAG_PHYSDEV,
 * ip_set_hash_netiface.c).
 */
function matchesDevice(part: IpsetPart & { kind: 'device' }, name: string): Truth {
  if (part.bridgePort) return 'no';
  return truth(part.prefix ? name.startsWith(part.name) : part.name === name);
}
