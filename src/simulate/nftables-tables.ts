import type { Place } from '../net/place.ts';
import type { NftTableName } from '../parse/nft-json.ts';
import type { Observed, Snapshot } from '../snapshot/snapshot.ts';
import { isTooMuch } from './chainwise.ts';
import { perPlace } from './per-place.ts';

/** A flag that may be any (NftTable.flags): the list of chains does not tell. */
const UNTOLD = ['untold'];

/**
 * Which tables nftables has here. Before 1.1.0 nft fetches all rules to name them, which takes 10 s where there are 170,000;
 * then the list of chains tells, though not whether a table is dormant.
 */
export function nftTableNames(snapshot: Snapshot, place: Place): Observed<readonly NftTableName[]> {
  const listed = snapshot.fact('nft.tables', place);
  return isTooMuch(listed) ? fromChains(snapshot, place).names : listed;
}

const fromChains = perPlace(
  (snapshot: Snapshot, place: Place): { readonly names: Observed<readonly NftTableName[]> } => {
    const chains = snapshot.fact('nft.chains', place);
    if (chains.state === 'unseen') return { names: chains };
    const value = chains.value.tables.map(({ family, name }) => ({ family, name, flags: UNTOLD }));
    return { names: { ...chains, value } };
  },
);
