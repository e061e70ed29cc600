import type { Family } from '../net/address.ts';
import type { Place } from '../net/place.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
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

/** `all` or the interface's own: either switches it on (IN_DEV_ORCONF). */
export function isSwitchedOn(snapshot: Snapshot, place: Place, family: Family, name: string, device: string): Truth {
  const values = ['all', device].map((one) => readSysctl(snapshot, place, interfaceKey(family, one, name)));
  if (values.some((value) => value.state === 'seen' && value.value > 0)) return 'yes';
  return values.some((value) => value.state === 'unseen') ? 'unknown' : 'no';
}

/** The larger of `all` and the interface's own (IN_DEV_MAXCONF); undefined where it was not seen. */
export function largerOf(
  snapshot: Snapshot,
  place: Place,
  family: Family,
  name: string,
  device: string,
): { readonly key: string; readonly value: number } | undefined {
  const values = ['all', device].map((one) => readSysctl(snapshot, place, interfaceKey(family, one, name)));
  if (values.some((value) => value.state === 'unseen')) return undefined;
  const seen = values.flatMap((value) => (value.state === 'seen' ? [value] : []));
  return seen.reduce<{ key: string; value: number } | undefined>(
    (best, value) => (best && best.value >= value.value ? best : { key: value.key, value: value.value }),
    undefined,
  );
}

export function switchedOn(value: SysctlValue): Truth {
  return value.state === 'unseen' ? 'unknown' : truth(value.state === 'seen' && value.value > 0);
}
