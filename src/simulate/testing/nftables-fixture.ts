import { readFileSync } from 'node:fs';
import { type Address, type Family, familyOf } from '../../net/address.ts';
import type { L4, Meta, Packet } from '../../net/packet.ts';
import { hostOf, type Place, placeKey } from '../../net/place.ts';
import { parseNftJson } from '../../parse/nft-json.ts';
import type { UnparsedLine } from '../../parse/parsed.ts';
import type { FactArgs, FactName, Facts } from '../../snapshot/facts.ts';
import type { Observed, Snapshot } from '../../snapshot/snapshot.ts';
import type { HookInput, HookName, HookOutcome } from '../hook.ts';
import { nftHookEntries } from '../nftables.ts';
import type { RouteFound } from '../routes.ts';

/** Test helper: a snapshot of some facts, and one packet taken through a table or a recorded node's tables. */
export interface FixtureFact {
  readonly name: FactName;
  readonly place?: Place;
  readonly args?: FactArgs;
  readonly value: unknown;
  readonly unparsed?: readonly UnparsedLine[];
}

export const HERE = hostOf('w1');

export function snapshotOf(facts: readonly FixtureFact[]): Snapshot {
  const keyOf = (name: string, place: Place, args: FactArgs = {}): string =>
    `${name} ${placeKey(place)} ${JSON.stringify(Object.entries(args).sort())}`;
  const known = new Map(facts.map((fact) => [keyOf(fact.name, fact.place ?? HERE, fact.args), fact]));
  const fact = <K extends FactName>(name: K, place: Place, args: FactArgs = {}): Observed<Facts[K]> => {
    const request = { action: name, place, args, round: 0 };
    const found = known.get(keyOf(name, place, args));
    if (!found) return { state: 'unseen', gap: 'not-asked', detail: `${name} was not asked`, want: request };
    const unparsed = (found.unparsed ?? []).map((line) => ({ request, line: line.line, text: line.text }));
    return { state: 'seen', value: found.value as Facts[K], source: { request }, complete: true, unparsed };
  };
  const snapshot: Snapshot = { fact, after: fact, placesOf: () => [HERE], nodes: () => ['w1'], with: () => snapshot };
  return snapshot;
}

/** The facts that `nft -j list tables` and `nft -j list table` of this ruleset would give. */
export function nftFacts(json: string, place: Place = HERE): readonly FixtureFact[] {
  const { value, unparsed } = parseNftJson(json);
  const names = value.tables.map(({ family, name }) => ({ family, name }));
  const tables = value.tables.map(
    (table): FixtureFact => ({
      name: 'nft.table',
      place,
      args: { family: table.family, name: table.name },
      value: { tables: [table] },
      unparsed,
    }),
  );
  return [{ name: 'nft.tables', place, value: names }, ...tables];
}

export function recorded(file: string): string {
  return readFileSync(new URL(`../fixtures-nft/${file}`, import.meta.url), 'utf8');
}

/** The addresses that `ip -j addr show` lists, for the local table. */
export function localAddresses(file: string): ReadonlySet<string> {
  const links = JSON.parse(recorded(file)) as { addr_info: { local: string }[] }[];
  return new Set(links.flatMap((link) => link.addr_info.map((address) => address.local)));
}

export interface FixturePacket {
  readonly from: Address;
  readonly to: Address;
  readonly l4?: L4;
  readonly meta?: Partial<Meta>;
  readonly input?: string;
  readonly output?: string;
  readonly local?: ReadonlySet<string>;
  readonly change?: Partial<Packet>;
  readonly reply?: boolean;
  /** What the connection began as, where NAT has changed it since. */
  readonly original?: { readonly to: Address; readonly l4: L4 };
  /** Chains of a lower priority see the packet before conntrack does. */
  readonly conntrackAt?: number;
  readonly status?: NonNullable<HookInput['connection']['status']>;
  readonly route?: RouteFound;
  readonly touched?: readonly string[];
}

/** Of a connection whose first packet this is. */
export const FIRST = { expected: 'no', seenReply: 'no', assured: 'no', confirmed: 'no' } as const;

export function syn(destinationPort: number, sourcePort: number | 'ephemeral' = 40000): L4 {
  return { protocol: 'tcp', sourcePort, destinationPort, flags: ['syn'], mss: 1460 };
}

export function inputOf(hook: HookName, snapshot: Snapshot, given: FixturePacket, place: Place = HERE): HookInput {
  const l4 = given.l4 ?? syn(80);
  const packet: Packet = {
    ip: { source: given.from, destination: given.to, ttl: 64, tos: 0, df: true },
    l4,
    lengthBytes: 60,
    ...given.change,
  };
  const began = given.original ?? { to: given.to, l4 };
  const ports = 'sourcePort' in began.l4 ? began.l4 : undefined;
  const family: Family = familyOf(given.from);
  return {
    hook,
    family,
    place,
    snapshot,
    packet,
    meta: { mark: 0, connmark: 0, conntrack: 'new', zone: 0, nat: [], ...given.meta },
    ...(given.input === undefined ? {} : { input: given.input }),
    ...(given.output === undefined ? {} : { output: given.output }),
    addressType: (address) => {
      if (given.local?.has(address) || address === '127.0.0.1' || address === '::1') return 'local';
      if (address.startsWith('224.') || address.startsWith('ff02:')) return 'multicast';
      return address === '255.255.255.255' ? 'broadcast' : 'unicast';
    },
    connection: {
      original: {
        protocol: String(began.l4.protocol),
        source: given.from,
        destination: began.to,
        ...(ports ? { sourcePort: ports.sourcePort, destinationPort: ports.destinationPort } : {}),
      },
      reply: given.reply ?? false,
      ...(given.status ? { status: given.status } : {}),
    },
    ...(given.route ? { route: given.route } : {}),
    ...(given.touched ? { touched: given.touched } : {}),
    masqueradeAddress: () => undefined,
  };
}

/** The packet through all base chains of a hook, in order of priority; NAT and verdicts as the walk would carry them on. */
export function throughHook(
  hook: HookName,
  snapshot: Snapshot,
  given: FixturePacket,
  place: Place = HERE,
): readonly HookOutcome[] {
  const start = inputOf(hook, snapshot, given, place);
  const { entries } = nftHookEntries(snapshot, place);
  const here = entries
    .filter((entry) => entry.hook === hook && (entry.family === 'inet' || entry.family === start.family))
    .sort((a, b) => a.priority - b.priority);
  let outcomes: HookOutcome[] = [
    { chance: { min: 1, max: 1 }, verdict: { kind: 'accept' }, packet: start.packet, meta: start.meta, steps: [] },
  ];
  for (const entry of here) {
    outcomes = outcomes.flatMap((done) => {
      const meta = metaAt(entry.priority, done.meta, given);
      // The kernel asks NAT chains once, about the first packet of a tracked connection.
      const passedBy = entry.nat && (done.nat !== undefined || meta.conntrack !== 'new');
      if (done.verdict.kind !== 'accept' || passedBy) return [done];
      const touched = [...(start.touched ?? []), ...(done.touched ?? [])];
      return entry.evaluate({ ...start, packet: done.packet, meta, touched }).map((next) => carriedOn(done, next));
    });
  }
  return outcomes;
}

function metaAt(priority: number, meta: Meta, given: FixturePacket): Meta {
  if (given.conntrackAt === undefined || meta.conntrack === 'untracked') return meta;
  return { ...meta, conntrack: priority < given.conntrackAt ? 'none' : (given.meta?.conntrack ?? 'new') };
}

function carriedOn(done: HookOutcome, next: HookOutcome): HookOutcome {
  const nat = next.nat ?? done.nat;
  const { ip, l4 } = next.packet;
  const to = next.nat?.kind === 'destination' ? next.nat.to : {};
  return {
    ...next,
    chance: { min: done.chance.min * next.chance.min, max: done.chance.max * next.chance.max },
    packet: {
      ...next.packet,
      ip: { ...ip, destination: to.address ?? ip.destination },
      l4: 'sourcePort' in l4 ? { ...l4, destinationPort: to.port ?? l4.destinationPort } : l4,
    },
    ...(nat ? { nat } : {}),
    touched: [...(done.touched ?? []), ...(next.touched ?? [])],
    steps: [...done.steps, ...next.steps],
  };
}

/** A short form for expectations: verdict, chance, NAT target, mark. */
export function summaryOf(outcomes: readonly HookOutcome[]): readonly string[] {
  return outcomes
    .map(({ verdict, chance, nat, meta }) => {
      const likely = chance.min === chance.max ? `${chance.min}` : `${chance.min}..${chance.max}`;
      const target = nat?.to.address === undefined ? '' : ` ${nat.to.address}:${nat.to.port ?? ''}`;
      const how = nat
        ? ` ${nat.masquerade ? 'masquerade' : nat.redirect ? `redirect:${nat.to.port ?? ''}` : nat.kind}${target}`
        : '';
      const mark = meta.mark === 0 ? '' : ` mark 0x${meta.mark.toString(16)}`;
      const reject = verdict.kind === 'reject' ? ` ${JSON.stringify(verdict.with)}` : '';
      return `${likely} ${verdict.kind}${reject}${how}${mark}`;
    })
    .sort();
}
