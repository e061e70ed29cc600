import type { Request } from '../host/host.ts';
import type { Family } from '../net/address.ts';
import { formatPlace, type Place } from '../net/place.ts';
import type { NftChain, NftTable, NftTableName } from '../parse/nft-json.ts';
import { asRecord, nftNode } from '../parse/nft-node.ts';
import { isComplete, type Seen, type Snapshot, type Source } from '../snapshot/snapshot.ts';
import { isTooMuch, whyNotWhole } from './chainwise.ts';
import type { HookEntry, HookInput, HookName, HookOutcome } from './hook.ts';
import { walkBaseChain } from './nftables-chain.ts';
import { chainwiseTable } from './nftables-chainwise.ts';
import { dormancyOf, holdsNativeRules, iptablesOwner, isIptablesChain } from './nftables-owner.ts';
import { nftTableNames } from './nftables-tables.ts';
import type { Truth } from './trace.ts';
import { CERTAIN } from './truth.ts';

export type NftEntryFamily = 4 | 6 | 'inet' | 'bridge' | 'netdev' | 'arp';

export type NftHookEntry = HookEntry & {
  readonly hook: HookName;
  readonly family: NftEntryFamily;
  /** Of ingress and egress chains: the devices. */
  readonly devices?: readonly string[];
  /** Of bridge chains: whether a rule of the table looks at connections, so that bridged frames are tracked. */
  readonly tracks?: () => boolean;
};

export interface NftHookEntries {
  readonly entries: readonly NftHookEntry[];
  /** What has to be collected before the entries are all there. */
  readonly wants: readonly Request[];
  /** Why the entries may not be all there, or not be right; empty where they are. */
  readonly incomplete: readonly string[];
}

/** Whom the entries are asked for: IP packets of one family, frames on devices and bridges, ARP; undefined: all. */
export type NftAsker = Family | 'frames' | 'arp';

const ASKED: Readonly<Record<NftAsker, ReadonlySet<string>>> = {
  4: new Set(['ip', 'inet']),
  6: new Set(['ip6', 'inet']),
  frames: new Set(['bridge', 'netdev', 'inet']),
  arp: new Set(['arp']),
};

/**
 * The base chains of this namespace's nftables tables, without those of iptables-nft, which simulate/iptables.ts walks from
 * iptables-nft-save. Reads `nft.tables` and then, for each table, `nft.table`. With an asker, tables of families that it
 * does not meet are neither read nor asked for.
 */
export function nftHookEntries(snapshot: Snapshot, place: Place, asker?: NftAsker): NftHookEntries {
  const listed = nftTableNames(snapshot, place);
  if (listed.state === 'unseen') {
    return { entries: [], wants: [listed.want], incomplete: [`nftables of ${formatPlace(place)}: ${listed.detail}`] };
  }
  const all: { entries: NftHookEntry[]; wants: Request[]; incomplete: string[] } = {
    entries: [],
    wants: [],
    incomplete: [],
  };
  if (!isComplete(listed)) all.incomplete.push(`the list of nftables tables of ${formatPlace(place)} is not complete`);
  for (const table of listed.value) {
    if (asker !== undefined && !ASKED[asker].has(table.family)) continue;
    const found = entriesOfTable(table, snapshot, place, asker);
    all.entries.push(...found.entries);
    all.wants.push(...found.wants);
    all.incomplete.push(...found.incomplete);
  }
  return all;
}

const NOTHING: NftHookEntries = { entries: [], wants: [], incomplete: [] };

function entriesOfTable(
  name: NftTableName,
  snapshot: Snapshot,
  place: Place,
  asker: NftAsker | undefined,
): NftHookEntries {
  const owner = iptablesOwner(name, snapshot, place);
  const title = `table ${name.family} ${name.name} of ${formatPlace(place)}`;
  const misread = owner.listed === 'no' ? [] : misreadRules(name, snapshot, place, title);
  if (owner.listed === 'whole') return misread.length === 0 ? NOTHING : { ...NOTHING, incomplete: misread };
  const observed = snapshot.fact('nft.table', place, { family: name.family, name: name.name });
  if (isTooMuch(observed)) return chainwiseEntries(name, snapshot, place, asker, `${title}: ${whyNotWhole(observed)}`);
  if (observed.state === 'unseen') {
    const wants = owner.want ? [observed.want, owner.want] : [observed.want];
    return { entries: [], wants, incomplete: [`${title}: ${observed.detail}`] };
  }
  const incomplete: string[] = isComplete(observed) ? misread : [...misread, `${title} was not read whole`];
  const table = observed.value.tables.find((known) => known.family === name.family && known.name === name.name);
  if (!table) return { entries: [], wants: [], incomplete: [...incomplete, `${title} is gone or was not read`] };
  if (owner.want && (table.hasXt || hasRules(table))) {
    return {
      entries: [],
      wants: [owner.want],
      incomplete: [`${title} may be iptables-nft's, whose rules were not read`],
    };
  }
  const outline = outlineOf(table, snapshot, place, asker);
  if (outline.missing) incomplete.push(`${title}: ${outline.missing}`);
  const found = read(table, observed, title, { ...outline, partly: owner.listed === 'partly', asker });
  return { ...found, wants: outline.wants, incomplete: [...incomplete, ...found.incomplete] };
}

/** The whole was too much for nft: its chains are read one by one. Their list tells the devices; of the table's flags nft would tell only with all rules. */
function chainwiseEntries(
  name: NftTableName,
  snapshot: Snapshot,
  place: Place,
  asker: NftAsker | undefined,
  title: string,
): NftHookEntries {
  const { table, wants, incomplete } = chainwiseTable(snapshot, place, name);
  const told = incomplete.map((why) => `${title}; ${why}`);
  const chains = snapshot.fact('nft.chains', place);
  if (!table || chains.state === 'unseen') return { entries: [], wants, incomplete: told };
  const outline = { dormant: dormancyOf(table), devices: WITHOUT_DEVICES, wants: [] };
  const found = read(table, chains, title, { ...outline, partly: false, asker });
  return { ...found, wants, incomplete: [...told, ...found.incomplete] };
}

/** Rules of nft's own in iptables' chains, which iptables-nft-save prints wrongly; seen where the table's JSON is at hand. */
function misreadRules(name: NftTableName, snapshot: Snapshot, place: Place, title: string): string[] {
  const observed = snapshot.fact('nft.table', place, { family: name.family, name: name.name });
  const table = observed.state === 'seen' ? observed.value.tables.find((one) => one.name === name.name) : undefined;
  if (table?.family !== name.family || !holdsNativeRules(table)) return [];
  return [`${title} holds rules with sets, which iptables-nft-save prints without them`];
}

function hasRules(table: NftTable): boolean {
  return table.chains.some((chain) => chain.base?.policy === 'drop' || chain.rules.length > 0);
}

interface Outline {
  /** Whether the table is dormant. */
  readonly dormant: Truth;
  /** Devices of ingress and egress chains that the JSON leaves out. */
  readonly devices: ReadonlyMap<string, readonly string[]>;
  readonly wants: readonly Request[];
  /** Why devices are not known. */
  readonly missing?: string;
}

const WITHOUT_DEVICES: Outline['devices'] = new Map();

/** What is asked for besides where nft's JSON does not tell it. */
function outlineOf(table: NftTable, snapshot: Snapshot, place: Place, asker: NftAsker | undefined): Outline {
  const dormant = dormancyOf(table);
  const lacksDevices =
    isAtDevices(asker) && partsOf(table).bases.some(({ base }) => DEVICE_HOOKS.has(base.hook) && !base.device);
  if (dormant !== 'unknown' && !lacksDevices) return { dormant, devices: WITHOUT_DEVICES, wants: [] };
  const outline = snapshot.fact('nft.outline', place, { family: table.family, name: table.name });
  if (!isComplete(outline)) {
    const wants = outline.state === 'unseen' && outline.gap === 'not-asked' ? [outline.want] : [];
    const missing = lacksDevices ? { missing: 'the devices of its chains were not read' } : {};
    return { dormant, devices: WITHOUT_DEVICES, wants, ...missing };
  }
  const devices = new Map(outline.value.chains.map((chain) => [chain.name, chain.devices]));
  return { dormant: dormant === 'unknown' ? dormancyOf(outline.value) : dormant, devices, wants: [] };
}

const DEVICE_HOOKS: ReadonlySet<HookName> = new Set(['ingress', 'egress']);

function isAtDevices(asker: NftAsker | undefined): boolean {
  return asker === undefined || asker === 'frames';
}

interface Reading extends Outline {
  /** iptables-nft-save shows those of its chains that are its own. */
  readonly partly: boolean;
  readonly asker: NftAsker | undefined;
}

function read(
  table: NftTable,
  observed: Seen<unknown>,
  title: string,
  reading: Reading,
): Pick<NftHookEntries, 'entries' | 'incomplete'> {
  if (reading.dormant === 'yes') return { entries: [], incomplete: [] };
  const { bases, terse } = partsOf(table);
  const own = bases.filter((chain) => {
    if (reading.partly && isIptablesChain(table, chain)) return false;
    return isAtDevices(reading.asker) || !DEVICE_HOOKS.has(chain.base.hook);
  });
  const missing = terse.length === 0 ? [] : [`${title}: elements not listed of ${terse.join(', ')}`];
  return { entries: own.map((chain) => entryOf(table, chain, observed.source, reading)), incomplete: missing };
}

interface TableParts {
  readonly bases: readonly (NftChain & { readonly base: NonNullable<NftChain['base']> })[];
  readonly terse: readonly string[];
}

const parts = new WeakMap<NftTable, TableParts>();

/** Of 60,000 chains ten are base chains; every hook asks for them. */
function partsOf(table: NftTable): TableParts {
  const known = parts.get(table);
  if (known) return known;
  const made: TableParts = {
    bases: table.chains.filter((chain): chain is TableParts['bases'][number] => chain.base !== undefined),
    terse: table.sets.filter((set) => set.terse).map((set) => set.name),
  };
  parts.set(table, made);
  return made;
}

const FAMILIES = { ip: 4, ip6: 6, inet: 'inet', bridge: 'bridge', netdev: 'netdev', arp: 'arp' } as const;

function entryOf(table: NftTable, chain: TableParts['bases'][number], source: Source, reading: Reading): NftHookEntry {
  const { base } = chain;
  const family = FAMILIES[table.family];
  const devices = base.device ?? reading.devices.get(chain.name);
  return {
    name: `nft ${table.family} ${table.name} ${chain.name}`,
    priority: base.priority,
    nat: base.type === 'nat',
    hook: base.hook,
    family,
    ...(devices ? { devices } : {}),
    ...(family === 'bridge' ? { tracks: () => tracksConnections(table) } : {}),
    ...(base.type === 'route' ? { reroutes: true } : {}),
    ...(chain.handle === undefined
      ? {}
      : { registered: { group: `${table.family} ${table.name}`, order: chain.handle } }),
    evaluate: (input) => {
      const ends = evaluate(table, chain, source, family, input);
      return reading.dormant === 'unknown' ? perhapsDormant(input, ends) : ends;
    },
  };
}

function tracksConnections(table: NftTable): boolean {
  return table.chains.some((chain) => chain.rules.some((rule) => looksAtConnection(rule.statements)));
}

function evaluate(
  table: NftTable,
  base: NftChain,
  source: Source,
  family: NftEntryFamily,
  input: HookInput,
): readonly HookOutcome[] {
  const { packet, meta } = input;
  if ((family === 4 || family === 6) && family !== input.family) return [passedBy(input)];
  const place = { scope: { input, table }, base, source };
  return walkBaseChain(place, { packet, meta, doubtfulMarks: [], touched: [] });
}

function passedBy({ packet, meta }: HookInput): HookOutcome {
  return { chance: CERTAIN, verdict: { kind: 'accept' }, packet, meta, steps: [] };
}

/** The outcomes of a rule set of which it is not known whether it is registered at all. */
export function perhapsDormant(input: HookInput, ends: readonly HookOutcome[]): readonly HookOutcome[] {
  return [...ends, passedBy(input)].map((outcome) => {
    return { ...outcome, chance: { min: 0, max: outcome.chance.max }, fork: 'undecided' };
  });
}

/** Does a statement look at the packet's connection? */
function looksAtConnection(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(looksAtConnection);
  const record = asRecord(value);
  if (!record) return false;
  const kind = nftNode(value)?.kind;
  return kind === 'ct' || kind === 'notrack' || Object.values(record).some(looksAtConnection);
}
