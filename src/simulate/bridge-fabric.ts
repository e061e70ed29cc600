import type { Request } from '../host/host.ts';
import type { Place } from '../net/place.ts';
import type { FdbEntry } from '../parse/bridge-fdb.ts';
import type { Link } from '../parse/ip-link.ts';
import { isComplete, type Snapshot } from '../snapshot/snapshot.ts';
import { type VlanEntry, vlanOnEntry, vlanOnExit } from './bridge-vlans.ts';
import { type Frame, isGroup } from './frame.ts';
import { linkNamed } from './hook-input.ts';
import { isUp } from './link-state.ts';

/* What one bridge does with one frame, whoever asks: the walk of a packet, or the search for whom a frame reaches. */

export interface Refusal {
  readonly state: 'refused';
  readonly reason: 'port-state' | 'vlan' | 'locked' | 'hairpin-off' | 'isolated' | 'down';
  readonly text: string;
}

type Unknown = { readonly state: 'unknown'; readonly because: string; readonly wants: readonly Request[] };

export type Admission = Extract<VlanEntry, { state: 'in' }> | Refusal | Unknown;

/** Whether a port takes a frame in (br_handle_frame, br_handle_frame_finish up to the forwarding table). */
export function admitted(snapshot: Snapshot, place: Place, master: Link, port: Link, frame: Frame): Admission {
  const settings = port.bridgePort;
  if (settings && settings.state !== 'forwarding') {
    const text = `the port ${port.name} of ${master.name} is ${settings.state}`;
    return { state: 'refused', reason: 'port-state', text };
  }
  const entry = vlanOnEntry(snapshot, place, master, port.name, frame);
  if (entry.state === 'refused') return { ...entry, reason: 'vlan' };
  if (entry.state === 'unknown' || !settings?.locked) return entry;
  return lockedPort(snapshot, place, master, port, frame, entry);
}

/** A locked port takes frames only of MACs that the forwarding table has behind it (802.1X, `bridge link set locked on`). */
function lockedPort(
  snapshot: Snapshot,
  place: Place,
  master: Link,
  port: Link,
  frame: Frame,
  entry: Extract<VlanEntry, { state: 'in' }>,
): Admission {
  const fdb = snapshot.fact('fdb', place);
  const because = `whether the locked port ${port.name} knows the sender was not seen`;
  if (frame.source === undefined || !isComplete(fdb)) return { state: 'unknown', because, wants: [] };
  const own = fdbEntry(fdb.value, master, frame.source, entry.vlan);
  if (own?.device === port.name && own.state !== 'permanent' && !own.flags.includes('locked')) return entry;
  const text = `the port ${port.name} is locked, and the forwarding table does not have ${frame.source} behind it`;
  return { state: 'refused', reason: 'locked', text };
}

export function fdbEntry(entries: readonly FdbEntry[], master: Link, mac: string, vlan: number): FdbEntry | undefined {
  return entries.find((one) => one.master === master.name && one.mac === mac && (one.vlan ?? 0) === vlan);
}

export type Lookup =
  /** The bridge's own, or one of its local entries. */
  | { readonly to: 'up'; readonly text?: string; readonly port?: string }
  /** `isSticky`: it stays there, whatever port the MAC is seen at (br_fdb_update). */
  | { readonly to: 'port'; readonly port: string; readonly text: string; readonly isSticky?: true }
  /** No entry: flooded. `sure`: the table was read wholly. */
  | { readonly to: 'flood'; readonly sure: boolean };

/** What the forwarding table says of a MAC (br_fdb_find_rcu). */
export function lookupFdb(snapshot: Snapshot, place: Place, master: Link, mac: string, vlan: number): Lookup {
  const fdb = snapshot.fact('fdb', place);
  const entry = fdb.state === 'seen' ? fdbEntry(fdb.value, master, mac, vlan) : undefined;
  if (entry?.state === 'permanent') {
    return { to: 'up', text: entry.text, ...(entry.device !== master.name && { port: entry.device }) };
  }
  if (entry) {
    const isSticky = entry.flags.includes('sticky');
    return { to: 'port', port: entry.device, text: entry.text, ...(isSticky && { isSticky }) };
  }
  // The MAC of the bridge is always there as a local entry.
  if (mac === master.mac) return { to: 'up' };
  return { to: 'flood', sure: isComplete(fdb) };
}

/** Whether a frame may leave by a port (should_deliver in br_forward.c); `from` is undefined where the host sends it. */
export function mayLeave(
  snapshot: Snapshot,
  place: Place,
  master: Link,
  port: Link,
  from: Link | undefined,
  entry: Extract<VlanEntry, { state: 'in' }>,
): Admission {
  const settings = port.bridgePort;
  if (from?.name === port.name && settings?.hairpin !== true) {
    const text = `${port.name} may not send a frame back where it came from: hairpin is off`;
    return { state: 'refused', reason: 'hairpin-off', text };
  }
  if (from?.bridgePort?.isolated && settings?.isolated) {
    const text = `${from.name} and ${port.name} are isolated ports of ${master.name}`;
    return { state: 'refused', reason: 'isolated', text };
  }
  if (!isUp(port)) return { state: 'refused', reason: 'down', text: `${port.name} is down or has no carrier` };
  if (settings && settings.state !== 'forwarding') {
    return { state: 'refused', reason: 'port-state', text: `the port ${port.name} is ${settings.state}` };
  }
  const exit = vlanOnExit(snapshot, place, master, port.name, entry);
  return exit.state === 'refused' ? { ...exit, reason: 'vlan' } : exit;
}

/** Whether a flooded frame is sent to a port at all (br_flood); what the host itself sends to a group goes everywhere. */
export function floods(port: Link, destination: string, fromHost: boolean): boolean {
  const settings = port.bridgePort;
  if (settings?.proxyArp) return false;
  if (!isGroup(destination)) return settings?.flood !== false;
  if (fromHost) return true;
  return destination === 'ff:ff:ff:ff:ff:ff' ? settings?.broadcastFlood !== false : settings?.multicastFlood !== false;
}

export function portsOf(snapshot: Snapshot, place: Place, master: Link): readonly Link[] {
  const links = snapshot.fact('links', place);
  return links.state === 'seen' ? links.value.filter((link) => link.master === master.name) : [];
}

/** A port without a carrier hands on to its backup (br_forward). */
export function backedUp(snapshot: Snapshot, place: Place, port: Link): Link {
  const backup = port.bridgePort?.backupPort;
  return (backup !== undefined && !isUp(port) && linkNamed(snapshot, place, backup)) || port;
}
