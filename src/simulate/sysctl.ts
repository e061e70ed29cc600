import type { Family } from '../net/address.ts';
import type { Place } from '../net/place.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { perPlace } from './per-place.ts';
import type { Truth } from './trace.ts';
import { truth } from './truth.ts';

/** A setting of one interface: `net.ipv4.conf.eth0.rp_filter`, a dot in the name as a slash (sysctl(8)). */
export function interfaceKey(family: Family, device: string, name: string): string {
  return `net.ipv${family}.conf.${device.replaceAll('.', '/')}.${name}`;
}

export type SysctlValue =
  | { readonly state: 'seen'; readonly key: string; readonly value: number }
  | { readonly state: 'absent'; readonly key: string }
  | { readonly state: 'unseen'; readonly key: string };

export function readSysctl(snapshot: Snapshot, place: Place, key: string): SysctlValue {
  const observed = snapshot.fact('sysctls', place);
  if (observed.state === 'unseen') return { state: 'unseen', key };
  const text = observed.value[key];
  if (text === undefined) return { state: observed.complete ? 'absent' : 'unseen', key };
  return { state: 'seen', key, value: Number(text) };
}

/** A setting of one interface. It is asked for at nearly every device that a packet comes by. */
export function readInterface(
  snapshot: Snapshot,
  place: Place,
  family: Family,
  device: string,
  name: string,
): SysctlValue {
  const known = interfacesAt(snapshot, place)[family];
  const former = known.get(name)?.get(device);
  if (former !== undefined) return former;
  const value = readSysctl(snapshot, place, interfaceKey(family, device, name));
  known.set(name, (known.get(name) ?? new Map<string, SysctlValue>()).set(device, value));
  return value;
}

const interfacesAt = perPlace(
  (): Record<Family, Map<string, Map<string, SysctlValue>>> => ({
    4: new Map(),
    6: new Map(),
  }),
);

type Larger = { readonly key: string; readonly value: number } | 'unseen' | 'absent';

/** The larger of `all` and the interface's own. It is asked for at nearly every device that a packet comes by. */
const largerAt = perPlace((): Record<Family, Map<string, Map<string, Larger>>> => ({ 4: new Map(), 6: new Map() }));

function larger(snapshot: Snapshot, place: Place, family: Family, name: string, device: string): Larger {
  const known = largerAt(snapshot, place)[family];
  const former = known.get(name)?.get(device);
  if (former !== undefined) return former;
  const found = findLarger(snapshot, place, family, name, device);
  known.set(name, (known.get(name) ?? new Map<string, Larger>()).set(device, found));
  return found;
}

function findLarger(snapshot: Snapshot, place: Place, family: Family, name: string, device: string): Larger {
  const values = ['all', device].map((one) => readSysctl(snapshot, place, interfaceKey(family, one, name)));
  const seen = values.filter((value) => value.state === 'seen');
  const [best] = seen.toSorted((a, b) => b.value - a.value);
  if (values.some((value) => value.state === 'unseen')) return 'unseen';
  return best ? { key: best.key, value: best.value } : 'absent';
}

/** `all` or the interface's own: either switches it on (IN_DEV_ORCONF). */
export function isSwitchedOn(snapshot: Snapshot, place: Place, family: Family, name: string, device: string): Truth {
  const found = larger(snapshot, place, family, name, device);
  if (found === 'unseen') return oneIsOn(snapshot, place, family, name, device) ? 'yes' : 'unknown';
  return truth(found !== 'absent' && found.value > 0);
}

function oneIsOn(snapshot: Snapshot, place: Place, family: Family, name: string, device: string): boolean {
  return ['all', device].some((one) => {
    const value = readSysctl(snapshot, place, interfaceKey(family, one, name));
    return value.state === 'seen' && value.value > 0;
  });
}

/** The larger of `all` and the interface's own (IN_DEV_MAXCONF); undefined where it was not seen. */
export function largerOf(
  snapshot: Snapshot,
  place: Place,
  family: Family,
  name: string,
  device: string,
): { readonly key: string; readonly value: number } | undefined {
  const found = larger(snapshot, place, family, name, device);
  return typeof found === 'string' ? undefined : found;
}

export function switchedOn(value: SysctlValue): Truth {
  return value.state === 'unseen' ? 'unknown' : truth(value.state === 'seen' && value.value > 0);
}
