import type { NftDatum } from './nftables-datum.ts';
import type { NftLookup } from './nftables-set.ts';
import { exactKeyOf } from './nftables-set-key.ts';
import type { NftScope, NftState } from './nftables-state.ts';

/*
 * What rules add to sets and delete from them while a packet is on its way: `FAMILY TABLE SET +KEY`, or `+?` where the key
 * is not known. Carried from hook to hook (HookInput.touched), since a later rule, or the answer, looks there.
 */

function prefixOf({ table }: Pick<NftScope, 'table'>, set: string): string {
  return `${table.family} ${table.name} ${set} `;
}

/** The state after `add`, `update` or `delete` of this key. */
export function withTouched(scope: NftScope, set: string, op: string, key: NftDatum): NftState {
  const { state } = scope;
  const entry = `${prefixOf(scope, set)}${op === 'delete' ? '-' : '+'}${exactKeyOf(key) ?? '?'}`;
  return state.touched.includes(entry) ? state : { ...state, touched: [...state.touched, entry] };
}

/** How many elements rules have added to the set meanwhile. */
export function addedTo(scope: NftScope, set: string): number {
  return entriesOf(scope, set).filter((entry) => entry.startsWith('+')).length;
}

function entriesOf(scope: NftScope, set: string): readonly string[] {
  const { input, state } = scope;
  if (state.touched.length === 0 && !input.touched) return [];
  const prefix = prefixOf(scope, set);
  return [...(input.touched ?? []), ...state.touched].flatMap((entry) =>
    entry.startsWith(prefix) ? [entry.slice(prefix.length)] : [],
  );
}

/**
 * What a lookup finds after that; 'unknown' where it is not known any more. `listed` is what the set's listing says.
 * A map's new element has data that is not kept here.
 */
export function lookupTouched(
  scope: NftScope,
  set: { readonly name: string; readonly kind: 'set' | 'map' },
  key: NftDatum,
  listed: NftLookup,
): NftLookup | 'unknown' {
  const entries = entriesOf(scope, set.name);
  if (entries.length === 0) return listed;
  const own = exactKeyOf(key);
  if (own === undefined) return listed.certain && listed.found.length > 0 ? listed : 'unknown';
  if (entries.includes('-?') || entries.includes(`-${own}`)) return 'unknown';
  if (listed.found.length > 0) return listed;
  if (entries.includes(`+${own}`)) {
    return set.kind === 'set' ? { found: [{ data: undefined, doubts: [] }], certain: true } : 'unknown';
  }
  return entries.includes('+?') ? 'unknown' : listed;
}
