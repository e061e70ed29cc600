import type { Request, Scalar } from '../host/host.ts';
import type { Family } from '../net/address.ts';
import type { Place } from '../net/place.ts';
import type { FactName } from '../snapshot/facts.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { isTooMuch } from './chainwise.ts';
import { chainwiseTables } from './iptables-chainwise.ts';
import { ipvsAt } from './ipvs-services.ts';
import { nftHookEntries } from './nftables.ts';
import { perPlace } from './per-place.ts';

const WITHOUT_FAMILY = [
  'links',
  'neighbours',
  'fdb',
  'sysctls',
  'nft.tables',
  'ipsets',
  'sockets',
  'tc-filters',
] as const satisfies readonly FactName[];

type Asked = readonly [name: FactName, args: Readonly<Record<string, Scalar>>];

function factList(family: Family): readonly Asked[] {
  return [
    ...WITHOUT_FAMILY.map((name): Asked => [name, {}]),
    ['routes', { family }],
    ['rules', { family }],
    ['iptables.legacy', { family }],
    ['iptables.nft', { family, table: '' }],
  ];
}

/** Everything that a walk through one network namespace reads; `nft.table` is wanted once `nft.tables` has named it. */
export function factsForNamespace(place: Place, family: Family): Request[] {
  const bare: Place = { node: place.node, namespace: place.namespace };
  return factList(family).map(([action, args]) => ({ action, place: bare, args, round: 0 }));
}

/** Those of them that nobody has asked for yet, and the nftables tables that turned up. A fact that could not be had is not asked again. */
export function missingFacts(snapshot: Snapshot, place: Place, family: Family): readonly Request[] {
  const known = missingAt(snapshot, place);
  const missing = known.get(family) ?? findMissing(snapshot, place, family);
  known.set(family, missing);
  return missing;
}

const missingAt = perPlace(() => new Map<Family, readonly Request[]>());

function findMissing(snapshot: Snapshot, place: Place, family: Family): Request[] {
  const missing = factList(family).flatMap(([name, args]) => {
    const observed = snapshot.fact(name, place, args);
    return observed.state === 'unseen' && observed.gap === 'not-asked' ? [observed.want] : [];
  });
  const tables = ([family, 'frames', 'arp'] as const).flatMap((asker) => nftHookEntries(snapshot, place, asker).wants);
  const nft = snapshot.fact('iptables.nft', place, { family, table: '' });
  const chains = isTooMuch(nft) ? chainwiseTables(snapshot, place, family).wants : [];
  const wants = [...tables, ...chains, ...ipvsAt(snapshot, place).wants];
  return [...missing, ...onlyNotAsked(snapshot, wants)];
}

export function onlyNotAsked(snapshot: Snapshot, wants: readonly Request[]): Request[] {
  return wants.filter((want) => {
    const observed = snapshot.fact(want.action as FactName, want.place, want.args);
    return observed.state === 'unseen' && observed.gap === 'not-asked';
  });
}
