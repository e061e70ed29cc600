import type { Address } from '../net/address.ts';
import type { Place } from '../net/place.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { perPlace } from './per-place.ts';
import type { RouteKey } from './route-rule.ts';
import type { Lookup } from './routes.ts';

type KnownLookup = { readonly key: RouteKey; readonly lookup: Lookup };

/** Few look-ups have the same ends, and to compare them costs less than to name them. */
interface KnownLookups {
  size: number;
  readonly byDestination: Map<Address, Map<Address | undefined, KnownLookup[]>>;
}

const LOOKUPS_MAX = 4096;
const lookups = perPlace((): KnownLookups => ({ size: 0, byDestination: new Map() }));

/** The same packet is looked up at several stages, and so is each of a Service's backends. */
export function knownLookup(snapshot: Snapshot, place: Place, key: RouteKey): Lookup | undefined {
  const alike = lookups(snapshot, place).byDestination.get(key.destination)?.get(key.source);
  return alike?.find((one) => isSameKey(one.key, key))?.lookup;
}

export function rememberLookup(snapshot: Snapshot, place: Place, key: RouteKey, lookup: Lookup): Lookup {
  const known = lookups(snapshot, place);
  if (++known.size > LOOKUPS_MAX) {
    known.byDestination.clear();
    known.size = 1;
  }
  const bySource = known.byDestination.get(key.destination) ?? new Map<Address | undefined, KnownLookup[]>();
  known.byDestination.set(key.destination, bySource);
  const alike = bySource.get(key.source);
  if (alike) alike.push({ key, lookup });
  else bySource.set(key.source, [{ key, lookup }]);
  return lookup;
}

/** Everything of a key that a rule or a table looks at. */
function isSameKey(a: RouteKey, b: RouteKey): boolean {
  return (
    a.mark === b.mark &&
    a.tos === b.tos &&
    a.input === b.input &&
    a.output === b.output &&
    a.vrf === b.vrf &&
    a.isBound === b.isBound &&
    a.isPlain === b.isPlain &&
    a.user === b.user &&
    a.tunnelId === b.tunnelId &&
    isSameFlow(a.l4, b.l4)
  );
}

function isSameFlow(a: RouteKey['l4'], b: RouteKey['l4']): boolean {
  if (a === b) return true;
  if (!a || !b || a.protocol !== b.protocol) return false;
  if (!('sourcePort' in a) || !('sourcePort' in b)) return !('sourcePort' in a) && !('sourcePort' in b);
  return (
    a.sourcePort === b.sourcePort &&
    a.destinationPort === b.destinationPort &&
    a.chosenFrom?.from === b.chosenFrom?.from &&
    a.chosenFrom?.to === b.chosenFrom?.to
  );
}
