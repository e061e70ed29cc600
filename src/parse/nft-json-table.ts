import type { NftChain, NftFamily, NftFlowtable, NftObject, NftRule, NftSet, NftTable } from './nft-json.ts';
import { asNumber, asRecord, asStrings, asText, nftNode } from './nft-node.ts';
import { renderNftRule } from './nft-rule-text.ts';

type Body = Readonly<Record<string, unknown>>;

const FAMILIES: readonly NftFamily[] = ['ip', 'ip6', 'inet', 'arp', 'bridge', 'netdev'];
const HOOKS = ['prerouting', 'input', 'forward', 'output', 'postrouting', 'ingress', 'egress'] as const;
const TYPES = ['filter', 'nat', 'route'] as const;

/** NF_IP_PRI_* by nft's names, nft(8) "Standard priority names"; the bridge family has numbers of its own. */
const PRIORITIES: Readonly<Record<string, number>> = {
  raw: -300,
  mangle: -150,
  dstnat: -100,
  filter: 0,
  security: 50,
  srcnat: 100,
};
const BRIDGE_PRIORITIES: Readonly<Record<string, number>> = { dstnat: -300, filter: -200, out: 100, srcnat: 300 };

const OBJECTS: ReadonlySet<string> = new Set([
  'counter',
  'quota',
  'limit',
  'ct helper',
  'ct timeout',
  'ct expectation',
  'secmark',
  'synproxy',
  'tunnel',
]);

/** A chain whose rules are read when somebody asks for them. */
class ReadChain implements NftChain {
  readonly name: string;
  readonly handle?: number;
  readonly base?: NonNullable<NftChain['base']>;
  #bodies: Body[] | undefined;
  #rules: readonly NftRule[] | undefined;

  constructor(name: string, handle: number | undefined, base: NftChain['base']) {
    this.name = name;
    if (handle !== undefined) this.handle = handle;
    if (base) this.base = base;
  }

  add(body: Body): void {
    if (this.#bodies) this.#bodies.push(body);
    else this.#bodies = [body];
  }

  get rules(): readonly NftRule[] {
    this.#rules ??= (this.#bodies ?? []).map(ruleOf);
    return this.#rules;
  }

  hasXt(): boolean {
    return (this.#bodies ?? []).some((body) => (body.expr as readonly unknown[]).some(isXt));
  }
}

/** A tool without libxtables prints null, within `xt` or in its place. */
function isXt(statement: unknown): boolean {
  return statement === null || (typeof statement === 'object' && 'xt' in statement);
}

function ruleOf(body: Body, index: number): NftRule {
  const comment = asText(body.comment);
  const statements = body.expr as readonly unknown[];
  const packets = packetsOf(statements);
  return {
    handle: body.handle as number,
    number: index + 1,
    ...(comment === undefined ? {} : { comment }),
    statements,
    ...(packets === undefined ? {} : { packets }),
    text: renderNftRule(statements, comment),
  };
}

function packetsOf(statements: readonly unknown[]): number | undefined {
  for (const statement of statements) {
    const node = nftNode(statement);
    if (node?.kind === 'counter') return asNumber(asRecord(node.body)?.packets);
  }
  return undefined;
}

interface TableDraft {
  readonly family: NftFamily;
  readonly name: string;
  handle?: number;
  flags: readonly string[];
  readonly chains: Map<string, ReadChain>;
  readonly sets: Map<string, NftSet>;
  readonly objects: NftObject[];
  readonly flowtables: NftFlowtable[];
}

/** Puts the items of a listing together to tables. */
export class NftTableReader {
  readonly #terse: boolean;
  readonly #tables = new Map<string, TableDraft>();
  #last: TableDraft | undefined;

  constructor(terse: boolean) {
    this.#terse = terse;
  }

  /** False where the item was not understood. */
  read(item: unknown): boolean {
    const record = asRecord(item);
    // A listing is mostly rules.
    const rule = asRecord(record?.rule);
    if (rule) return this.#readRule(rule);
    const node = nftNode(record);
    if (node?.kind === 'metainfo') return true;
    const body = asRecord(node?.body);
    return node !== undefined && body !== undefined && this.#readNamed(node.kind, body);
  }

  tables(): readonly NftTable[] {
    return [...this.#tables.values()].map((draft) => new ReadTable(draft));
  }

  #readNamed(kind: string, body: Body): boolean {
    switch (kind) {
      case 'table':
        return this.#readTable(body);
      case 'chain':
        return this.#readChain(body);
      case 'set':
      case 'map':
        return this.#readSet(kind, body);
      case 'element':
        return this.#readElements(body);
      case 'flowtable':
        return this.#readFlowtable(body);
      default:
        return OBJECTS.has(kind) && this.#readObject(kind, body);
    }
  }

  /** `nft list chain` and `list map` print no table object, so a table is also made by what it contains. */
  #tableOf(family: unknown, name: unknown): TableDraft | undefined {
    if (this.#last && this.#last.family === family && this.#last.name === name) return this.#last;
    const known = FAMILIES.find((one) => one === family);
    if (known === undefined || typeof name !== 'string') return undefined;
    const key = `${known} ${name}`;
    const table = this.#tables.get(key) ?? emptyTable(known, name);
    this.#tables.set(key, table);
    this.#last = table;
    return table;
  }

  #readTable(body: Body): boolean {
    const table = this.#tableOf(body.family, body.name);
    if (!table) return false;
    const handle = asNumber(body.handle);
    if (handle !== undefined) table.handle = handle;
    table.flags = asStrings(body.flags);
    return true;
  }

  #readChain(body: Body): boolean {
    const table = this.#tableOf(body.family, body.table);
    const name = asText(body.name);
    if (!table || name === undefined) return false;
    const base = body.hook === undefined ? undefined : baseOf(body, table.family);
    if (body.hook !== undefined && !base) return false;
    table.chains.set(name, new ReadChain(name, asNumber(body.handle), base));
    return true;
  }

  #readRule(body: Body): boolean {
    const chain = this.#tableOf(body.family, body.table)?.chains.get(body.chain as string);
    if (!chain || typeof body.handle !== 'number' || !Array.isArray(body.expr)) return false;
    chain.add(body);
    return true;
  }

  #readSet(kind: 'set' | 'map', body: Body): boolean {
    const table = this.#tableOf(body.family, body.table);
    const name = asText(body.name);
    const elements = body.elem === undefined ? [] : body.elem;
    if (!table || name === undefined || body.type === undefined || !Array.isArray(elements)) return false;
    const size = asNumber(body.size);
    table.sets.set(name, {
      name,
      kind,
      type: body.type,
      ...(body.map === undefined ? {} : { map: body.map }),
      flags: asStrings(body.flags),
      ...(size === undefined ? {} : { size }),
      elements,
      terse: this.#terse && body.elem === undefined,
    });
    return true;
  }

  /** Large sets may be continued in `element` items. */
  #readElements(body: Body): boolean {
    const sets = this.#tableOf(body.family, body.table)?.sets;
    const set = sets?.get(body.name as string);
    if (!sets || !set || !Array.isArray(body.elem)) return false;
    sets.set(set.name, { ...set, elements: [...set.elements, ...body.elem] });
    return true;
  }

  #readObject(kind: string, body: Body): boolean {
    const table = this.#tableOf(body.family, body.table);
    const name = asText(body.name);
    if (!table || name === undefined) return false;
    table.objects.push({ kind, name, body });
    return true;
  }

  #readFlowtable(body: Body): boolean {
    const table = this.#tableOf(body.family, body.table);
    const name = asText(body.name);
    if (!table || name === undefined) return false;
    const priority = priorityOf(body.prio, table.family) ?? 0;
    table.flowtables.push({ name, priority, devices: asStrings(body.dev ?? body.devices) });
    return true;
  }
}

function emptyTable(family: NftFamily, name: string): TableDraft {
  return { family, name, flags: [], chains: new Map(), sets: new Map(), objects: [], flowtables: [] };
}

const chainsByName = new WeakMap<NftTable, ReadonlyMap<string, NftChain>>();

/** The table's chains by name. */
export function chainsOf(table: NftTable): ReadonlyMap<string, NftChain> {
  const known = chainsByName.get(table) ?? new Map(table.chains.map((chain) => [chain.name, chain]));
  chainsByName.set(table, known);
  return known;
}

/** Whether there are xt expressions is found out when somebody asks: only of tables with iptables' names they do. */
class ReadTable implements NftTable {
  readonly family: NftFamily;
  readonly name: string;
  readonly handle?: number;
  readonly flags: readonly string[];
  readonly chains: readonly NftChain[];
  readonly sets: readonly NftSet[];
  readonly objects: readonly NftObject[];
  readonly flowtables: readonly NftFlowtable[];
  #hasXt: boolean | undefined;

  constructor(draft: TableDraft) {
    this.family = draft.family;
    this.name = draft.name;
    if (draft.handle !== undefined) this.handle = draft.handle;
    this.flags = draft.flags;
    this.chains = [...draft.chains.values()];
    this.sets = [...draft.sets.values()];
    this.objects = draft.objects;
    this.flowtables = draft.flowtables;
    chainsByName.set(this, draft.chains);
  }

  get hasXt(): boolean {
    this.#hasXt ??= this.chains.some((chain) => chain instanceof ReadChain && chain.hasXt());
    return this.#hasXt;
  }
}

function baseOf(body: Body, family: NftFamily): NftChain['base'] | undefined {
  const hook = HOOKS.find((known) => known === body.hook);
  const type = TYPES.find((known) => known === body.type);
  const priority = priorityOf(body.prio, family);
  if (hook === undefined || type === undefined || priority === undefined) return undefined;
  const policy = body.policy === undefined ? 'accept' : body.policy;
  if (policy !== 'accept' && policy !== 'drop') return undefined;
  const device = asStrings(body.dev ?? body.devices);
  return { type, hook, priority, policy, ...(device.length > 0 ? { device } : {}) };
}

/** A number, a standard name, or a name with an offset (`dstnat - 10`). */
function priorityOf(value: unknown, family: NftFamily): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string') return undefined;
  const match = /^(?<name>[a-z]+)?\s*(?<offset>[+-]?\s*\d+)?$/.exec(value.trim());
  const { name, offset } = match?.groups ?? {};
  if (name === undefined && offset === undefined) return undefined;
  const base = name === undefined ? 0 : (family === 'bridge' ? BRIDGE_PRIORITIES : PRIORITIES)[name];
  return base === undefined ? undefined : base + Number((offset ?? '0').replaceAll(/\s/g, ''));
}
