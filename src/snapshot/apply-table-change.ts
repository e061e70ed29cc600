import { type FdbEntry, parseBridgeFdbLine } from '../parse/bridge-fdb.ts';
import { type Neighbour, parseIpNeighLine } from '../parse/ip-neigh.ts';
import { parseSsLine, type Socket } from '../parse/ss.ts';
import type { Sysctls } from '../parse/sysctls.ts';
import type { ChangeOf, Outcome } from './overlay-snapshot.ts';

/** `ip neigh replace` and `ip neigh del`: an entry is one address on one device. */
export function applyNeighbourChange(
  entries: readonly Neighbour[],
  { act, line }: ChangeOf<'neighbour'>,
): Outcome<readonly Neighbour[]> {
  const wanted = parseIpNeighLine(line);
  if (!wanted) return 'failed';
  const isSame = (entry: Neighbour): boolean =>
    entry.address === wanted.address && entry.device === wanted.device && entry.proxy === wanted.proxy;
  return act === 'add' ? replaced(entries, isSame, wanted) : removed(entries, isSame);
}

/**
 * `bridge fdb replace` and `bridge fdb del`. An entry is a MAC on a device (with its VLAN); the all-zero MAC of a VXLAN
 * device has one entry per remote (vxlan_fdb_append), and so a removal names the remote or means every one.
 */
export function applyFdbChange(
  entries: readonly FdbEntry[],
  { act, line }: ChangeOf<'fdb'>,
): Outcome<readonly FdbEntry[]> {
  const wanted = parseBridgeFdbLine(line);
  if (!wanted) return 'failed';
  const isSame = (entry: FdbEntry): boolean =>
    entry.mac === wanted.mac && entry.device === wanted.device && entry.vlan === wanted.vlan;
  if (act === 'remove') {
    return removed(entries, (entry) => isSame(entry) && (!wanted.remote || entry.remote === wanted.remote));
  }
  const isDefault = wanted.mac === '00:00:00:00:00:00';
  return replaced(entries, (entry) => isSame(entry) && (!isDefault || entry.remote === wanted.remote), wanted);
}

/** A line of `ss`. A socket is its protocol, address, device and port. */
export function applySocketChange(
  sockets: readonly Socket[],
  { act, line }: ChangeOf<'socket'>,
): Outcome<readonly Socket[]> {
  const wanted = parseSsLine(line);
  if (!wanted) return 'failed';
  const isSame = (socket: Socket): boolean =>
    socket.protocol === wanted.protocol &&
    socket.port === wanted.port &&
    socket.address === wanted.address &&
    socket.device === wanted.device;
  return act === 'add' ? replaced(sockets, isSame, wanted) : removed(sockets, isSame);
}

/** Writing one of these, the kernel writes it for every interface (inet_forward_change, addrconf_fixup_forwarding, addrconf_disable_change). */
const SPREADING: Readonly<Record<string, RegExp>> = {
  'net.ipv4.ip_forward': /^net\.ipv4\.(ip_forward|conf\.[^.]+\.forwarding)$/,
  'net.ipv4.conf.all.forwarding': /^net\.ipv4\.(ip_forward|conf\.[^.]+\.forwarding)$/,
  'net.ipv6.conf.all.forwarding': /^net\.ipv6\.conf\.[^.]+\.forwarding$/,
  'net.ipv6.conf.all.disable_ipv6': /^net\.ipv6\.conf\.[^.]+\.disable_ipv6$/,
};

export function applySysctlChange(sysctls: Sysctls, { key, value }: ChangeOf<'sysctl'>): Outcome<Sysctls> {
  const spreads = Object.hasOwn(SPREADING, key) ? SPREADING[key]! : undefined;
  const also = spreads ? Object.keys(sysctls).filter((name) => spreads.test(name)) : [];
  return { value: { ...sysctls, ...Object.fromEntries([...also, key].map((name) => [name, value])) } };
}

/** The entry in the place of the one that it replaces, else at the end. */
export function replaced<T>(
  entries: readonly T[],
  isSame: (entry: T) => boolean,
  entry: T,
): { readonly value: readonly T[] } {
  const index = entries.findIndex(isSame);
  return { value: index < 0 ? [...entries, entry] : entries.with(index, entry) };
}

function removed<T>(entries: readonly T[], isSame: (entry: T) => boolean): Outcome<readonly T[]> {
  const value = entries.filter((entry) => !isSame(entry));
  return value.length === entries.length ? 'failed' : { value };
}
