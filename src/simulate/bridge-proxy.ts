import type { Address } from '../net/address.ts';
import { familyOf } from '../net/address.ts';
import type { Link } from '../parse/ip-link.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { fdbEntry, portsOf } from './bridge-fabric.ts';
import type { Station } from './cables.ts';
import { linkNamed } from './hook-input.ts';
import { entryFor, isValid } from './neighbour-entry.ts';
import { holdsAddress } from './topology.ts';

/** Who asks for which address on a segment. */
export interface Question {
  readonly address: Address;
  /** What the asker gives as its own; absent where it has none. */
  readonly asker?: Address;
  /** Why nothing is asked at all. */
  readonly mute?: string;
}

/** A bridge that answered from its own neighbour table. */
export interface BridgeProxy {
  readonly mac: string;
  readonly station: Station;
}

/**
 * A bridge answers in the holder's place where its own neighbour table and forwarding table know the holder, and the port
 * that asks has proxy_arp or the holder's port has neigh_suppress (br_do_proxy_suppress_arp, br_do_suppress_nd in
 * br_arp_nd_proxy.c). `suppressed`: ports with neigh_suppress do not get the question.
 */
export function proxyAnswer(
  snapshot: Snapshot,
  bridge: Station,
  from: Link | undefined,
  { address }: Question,
  vlan: number,
): { readonly mac?: string; readonly suppressed: boolean } {
  const { place, link: master } = bridge;
  const suppresses = portsOf(snapshot, place, master).some((port) => port.bridgePort?.neighbourSuppression);
  const isArp = familyOf(address) === 4;
  if ((!isArp || master.flags.includes('NOARP')) && !suppresses) return { suppressed: false };
  if (suppresses && from?.bridgePort?.neighbourSuppression) return { suppressed: false };
  // Its own address it answers by itself, as a host; and tells no port of neigh_suppress.
  if (suppresses && holdsAddress(snapshot, place, address) === 'yes') return { suppressed: true };
  const entry = entryFor(snapshot, place, master.name, address);
  if (entry?.mac === undefined || !isValid(entry)) return { suppressed: false };
  const fdb = snapshot.fact('fdb', place);
  const behind = fdb.state === 'seen' ? fdbEntry(fdb.value, master, entry.mac, vlan) : undefined;
  if (!behind) return { suppressed: false };
  const port = linkNamed(snapshot, place, behind.device);
  const answers = (isArp && from?.bridgePort?.proxyArp === true) || port?.bridgePort?.neighbourSuppression === true;
  return { suppressed: answers || suppresses, ...(answers && { mac: entry.mac }) };
}
