/** Ways to break the recorded cluster, as changes of the parsed state or as what a tool would print. Test helper. */
import type { Place } from '../../net/place.ts';
import type { Edit } from '../../simulate/testing/recording.ts';
import type { SnapshotChange } from '../../snapshot/snapshot.ts';

const NFT = { backend: 'iptables.nft', family: 4 } as const;

export function filterPolicy(place: Place, chain: string, verdict: 'accept' | 'drop' = 'drop'): SnapshotChange {
  return { op: 'policy', place, ...NFT, table: 'filter', chain, verdict, text: `-P ${chain} ${verdict}` };
}

/** `-A FORWARD -s … -j DROP` as the first rule of its chain, or before another. */
export function insertRule(place: Place, rule: string, table = 'filter', number = 1): SnapshotChange {
  const chain = rule.split(' ')[1]!;
  return { op: 'rule', place, ...NFT, table, chain, act: 'insert', number, rule, text: rule };
}

/** Every rule of iptables-nft that matches is gone. */
export function removeRules(place: Place, rule: RegExp): Edit {
  return [
    'iptables.nft',
    place,
    (text) =>
      text
        .split('\n')
        .filter((line) => !rule.test(line))
        .join('\n'),
  ];
}

export function addRoute(place: Place, line: string): SnapshotChange {
  return { op: 'route', place, act: 'add', line, text: `ip route replace ${line}` };
}

export function removeRoute(place: Place, line: string): SnapshotChange {
  return { op: 'route', place, act: 'remove', line, text: `ip route del ${line}` };
}

export function addNeighbour(place: Place, line: string): SnapshotChange {
  return { op: 'neighbour', place, act: 'add', line, text: `ip neigh replace ${line}` };
}

export function removeNeighbour(place: Place, line: string): SnapshotChange {
  return { op: 'neighbour', place, act: 'remove', line, text: `ip neigh del ${line}` };
}

export function addFdb(place: Place, line: string): SnapshotChange {
  return { op: 'fdb', place, act: 'add', line, text: `bridge fdb replace ${line}` };
}

export function removeFdb(place: Place, line: string): SnapshotChange {
  return { op: 'fdb', place, act: 'remove', line, text: `bridge fdb del ${line}` };
}

export function setLink(place: Place, device: string, set: (SnapshotChange & { op: 'link' })['set']): SnapshotChange {
  return { op: 'link', place, device, set, text: `ip link set ${device}` };
}

export function sysctl(place: Place, key: string, value: string): SnapshotChange {
  return { op: 'sysctl', place, key, value, text: `sysctl ${key}=${value}` };
}

type Json = Record<string, unknown>;

/** The items of a JSON answer (`ip -j`, `bridge -j`), changed. */
export function editJson(name: Edit[0], place: Place, edit: (items: readonly Json[]) => readonly Json[]): Edit {
  return [name, place, (text) => JSON.stringify(edit(JSON.parse(text.split('\n')[0]!) as Json[]))];
}

export function editLink(place: Place, device: string, edit: (link: Json) => Json): Edit {
  return editJson('links', place, (links) => links.map((link) => (link['ifname'] === device ? edit(link) : link)));
}

/** The items of a list of the API, changed. */
export function editObjects(name: Edit[0], place: Place, edit: (item: Json) => unknown): Edit {
  return [
    name,
    place,
    (text) => {
      const list = JSON.parse(text) as { items: Json[] };
      return JSON.stringify({ ...list, items: list.items.map(edit) });
    },
  ];
}

/** A line that no parser knows, so that the fact is not seen wholly. */
export function unparsed(name: Edit[0], place: Place): Edit {
  return [name, place, (text) => `${text.trimEnd()}\nwhat is this\n`];
}

/** The JSON answer cut short, as by a limit. */
export function cut(name: Edit[0], place: Place): Edit {
  return editJson(name, place, (items) => [...items, 'what is this' as unknown as Json]);
}
