import { type Address, parseAddress } from '../net/address.ts';
import { flagOf, isObject, type JsonObject, numberOf, parseItems, stringOf, stringsOf } from './json-items.ts';
import type { Parsed } from './parsed.ts';

/*
 * Format: `ip -d -N -j nexthop show`.
 * Source of truth: ip-nexthop(8), iproute2's ip/ipnexthop.c (print_nexthop), include/uapi/linux/nexthop.h.
 * Versions seen: iproute2 6.1.
 * Not understood: the buckets of a resilient group (which member a flow is bound to); encapsulations are named in `encap`.
 */

/** A nexthop object, which routes refer to by its id (`nhid`). */
export interface NexthopObject {
  readonly id: number;
  readonly via?: Address;
  readonly device?: string;
  /** What is routed to it is dropped in silence. */
  readonly blackhole: boolean;
  /** For a tunnel device's forwarding table, never for routes. */
  readonly fdb: boolean;
  /** The members and their weights. */
  readonly group?: readonly { readonly id: number; readonly weight: number }[];
  /** mpath, or resilient: flows stay with the member that their bucket has had. */
  readonly groupType?: string;
  readonly encap?: string;
  /** onlink, dead, linkdown … */
  readonly flags: readonly string[];
}

export function parseIpNexthop(text: string): Parsed<readonly NexthopObject[]> {
  return parseItems(text, nexthopOf);
}

function nexthopOf(item: JsonObject): NexthopObject | undefined {
  const id = numberOf(item.id);
  const gateway = item.gateway ?? (isObject(item.via) ? item.via.host : undefined);
  const via = typeof gateway === 'string' ? parseAddress(gateway) : undefined;
  const group = groupOf(item.group);
  if (id === undefined || (gateway !== undefined && !via) || group === null) return undefined;
  const device = stringOf(item.dev);
  const encap = stringOf(item.encap);
  return {
    id,
    ...(via && { via }),
    ...(device !== undefined && { device }),
    blackhole: flagOf(item, 'blackhole') ?? false,
    fdb: flagOf(item, 'fdb') ?? false,
    ...(group && { group, groupType: stringOf(item.type) ?? 'mpath' }),
    ...(encap !== undefined && { encap }),
    flags: stringsOf(item.flags),
  };
}

/** undefined: none; null: malformed. The weight is printed where it is not 1. */
function groupOf(list: unknown): NexthopObject['group'] | null {
  if (list === undefined) return undefined;
  if (!Array.isArray(list)) return null;
  const members = list.map((entry) => (isObject(entry) ? memberOf(entry) : undefined));
  return members.some((member) => member === undefined) ? null : members.filter((member) => member !== undefined);
}

function memberOf(entry: JsonObject): { readonly id: number; readonly weight: number } | undefined {
  const id = numberOf(entry.id);
  const weight = entry.weight === undefined ? 1 : numberOf(entry.weight);
  return id === undefined || weight === undefined ? undefined : { id, weight };
}
