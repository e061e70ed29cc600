import type { Place } from '../net/place.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { Cursor, Stage } from './cursor.ts';
import type { HookLayer, HookName } from './hook.ts';
import type { HookItem, HookList } from './hook-list.ts';
import { type NftHookEntries, type NftHookEntry, nftHookEntries } from './nftables.ts';
import { perPlace } from './per-place.ts';

/** Where conntrack stands in a bridge that uses it (nf_conntrack_bridge.c), and br_netfilter's place at a bridge's hooks (br_netfilter_hooks.c). */
const CONNTRACK_PRIORITY = -200;
export const BRIDGE_NETFILTER = { prerouting: 0, forward: -1 } as const;

const framesAt = perPlace((snapshot: Snapshot, place: Place) => nftHookEntries(snapshot, place, 'frames'));
const listsAt = perPlace(() => new Map<string, HookList>());

/**
 * The cursor at a device's or a bridge's hook, from which it goes on to `after`; there at once where nothing is registered.
 * A device's ingress comes after tc's and before bridge, VLAN and IP (__netif_receive_skb_core), its egress before tc's
 * (__dev_queue_xmit).
 */
export function atFrameHook(
  snapshot: Snapshot,
  cursor: Cursor,
  hook: HookName,
  layer: HookLayer,
  after: Stage,
): Cursor {
  const list = frameHookList(snapshot, cursor.place, hook, layer);
  if (list.items.length === 0 && list.incomplete.length === 0) return { ...cursor, stage: after };
  return { ...cursor, stage: { name: 'hook', hook, layer, next: 0, after } };
}

const NOTHING: HookList = { items: [], translates: false, defragments: false, incomplete: [] };

/** What runs at this hook of a device or a bridge. */
export function frameHookList(snapshot: Snapshot, place: Place, hook: HookName, layer: HookLayer): HookList {
  const frames = framesAt(snapshot, place);
  if (frames.entries.length === 0 && frames.incomplete.length === 0) return NOTHING;
  const lists = listsAt(snapshot, place);
  const key = JSON.stringify([hook, layer]);
  const known = lists.get(key) ?? makeList(frames, hook, layer);
  lists.set(key, known);
  return known;
}

/** Is some chain of a bridge registered at br_netfilter's own priority? Which of the two runs first can't be read back. */
export function hasTies(snapshot: Snapshot, place: Place): boolean {
  return framesAt(snapshot, place).entries.some(({ family, hook, priority }) => {
    return family === 'bridge' && hook === 'prerouting' && priority === BRIDGE_NETFILTER.prerouting;
  });
}

function makeList({ entries, incomplete }: NftHookEntries, hook: HookName, layer: HookLayer): HookList {
  const here = entries.filter((entry) => entry.hook === hook && isAt(entry, layer));
  const items: { readonly priority: number; readonly item: HookItem }[] = [
    ...Map.groupBy(here, (entry) => entry.priority),
  ].map(([priority, group]) => ({ priority, item: { kind: 'rules', entries: group } }));
  items.push(...bridgeConntrack(entries, hook, layer));
  return {
    items: items.toSorted((a, b) => a.priority - b.priority).map((one) => one.item),
    translates: false,
    defragments: false,
    incomplete,
  };
}

function isAt(entry: NftHookEntry, layer: HookLayer): boolean {
  if (layer.kind === 'device') {
    if (entry.family !== 'netdev' && entry.family !== 'inet') return false;
    return entry.devices?.some((name) => isNamed(layer.device, name)) ?? false;
  }
  return entry.family === 'bridge' && isWithin(entry.priority, layer);
}

/** A name may end in a wildcard (Linux 6.16). */
function isNamed(device: string, name: string): boolean {
  return name.endsWith('*') ? device.startsWith(name.slice(0, -1)) : device === name;
}

function isWithin(priority: number, { from, below }: { from?: number; below?: number }): boolean {
  return priority >= (from ?? Number.NEGATIVE_INFINITY) && priority < (below ?? Number.POSITIVE_INFINITY);
}

/** Bridged frames are tracked as soon as one rule of a bridge table looks at their connection. */
function bridgeConntrack(
  entries: readonly NftHookEntry[],
  hook: HookName,
  layer: HookLayer,
): readonly { readonly priority: number; readonly item: HookItem }[] {
  if (layer.kind !== 'bridge' || !entries.some((entry) => entry.family === 'bridge' && entry.tracks?.())) return [];
  if (hook === 'prerouting' && isWithin(CONNTRACK_PRIORITY, layer)) {
    return [{ priority: CONNTRACK_PRIORITY, item: { kind: 'conntrack' } }];
  }
  if (hook !== 'postrouting') return [];
  return [{ priority: Number.MAX_SAFE_INTEGER, item: { kind: 'confirm' } }];
}
