import type { Request } from '../host/host.ts';
import type { Family } from '../net/address.ts';
import type { Packet } from '../net/packet.ts';
import { formatPlace, type Place } from '../net/place.ts';
import type { IpvsDestination, IpvsService } from '../parse/ipvsadm.ts';
import { isComplete, type Snapshot } from '../snapshot/snapshot.ts';
import type { Chance } from './trace.ts';
import { CERTAIN, chanceOf, UNDECIDED } from './truth.ts';

export interface IpvsState {
  readonly services: readonly IpvsService[];
  readonly wants: readonly Request[];
  /** Why services may be missing; empty where all were seen, or the kernel has no ipvs. */
  readonly incomplete: readonly string[];
}

const NONE: IpvsState = { services: [], wants: [], incomplete: [] };

/** ipvs is there where its settings are: only then it is asked for. */
export function hasIpvs(snapshot: Snapshot, place: Place): boolean {
  const sysctls = snapshot.fact('sysctls', place);
  return sysctls.state === 'seen' && sysctls.value['net.ipv4.vs.conntrack'] !== undefined;
}

/** The virtual services of a network namespace. */
export function ipvsAt(snapshot: Snapshot, place: Place): IpvsState {
  if (!hasIpvs(snapshot, place)) return NONE;
  const observed = snapshot.fact('ipvs', place);
  if (observed.state === 'unseen') {
    const wants = observed.gap === 'not-asked' ? [observed.want] : [];
    return { ...NONE, wants, incomplete: [`ipvs of ${formatPlace(place)}: ${observed.detail}`] };
  }
  const incomplete = isComplete(observed) ? [] : [`the ipvs services of ${formatPlace(place)} were not read whole`];
  return { services: observed.value, wants: [], incomplete };
}

/** The service that a packet is for (ip_vs_service_find in ip_vs_ctl.c): by mark, by address and port, by address alone. */
export function serviceFor(
  services: readonly IpvsService[],
  { ip, l4 }: Packet,
  mark: number,
  family: Family,
): IpvsService | undefined {
  if (!('sourcePort' in l4)) return undefined;
  const ofFamily = services.filter((service) => service.family === family);
  const here = ofFamily.filter((one) => one.protocol === l4.protocol && one.address === ip.destination);
  return (
    (mark === 0 ? undefined : ofFamily.find((service) => service.mark === mark)) ??
    here.find((service) => service.port === l4.destinationPort) ??
    here.find((service) => service.port === 0)
  );
}

export interface IpvsChoice {
  readonly destination: IpvsDestination;
  readonly chance: Chance;
  readonly fork?: 'random' | 'undecided';
}

/**
 * Which real server a new connection gets (net/netfilter/ipvs/ip_vs_*.c): one of weight 0 gets none. Round robin comes
 * to each in turn; what depends on the number of connections or on a hash table that can't be read is undecided.
 */
export function ipvsChoices(service: IpvsService): readonly IpvsChoice[] {
  const usable = candidates(service);
  if (usable.length < 2) return usable.map((destination) => ({ destination, chance: CERTAIN }));
  const isOpen = usable.some((one) => one.upperThreshold !== undefined) || service.persistentSeconds !== undefined;
  const share = isOpen ? undefined : sharesOf(service.scheduler, usable);
  return usable.map((destination, index) =>
    share
      ? { destination, chance: chanceOf(share[index]!), fork: 'random' }
      : { destination, chance: UNDECIDED, fork: 'undecided' },
  );
}

/** `fo` takes none but the heaviest. */
function candidates({ destinations, scheduler }: IpvsService): readonly IpvsDestination[] {
  const usable = destinations.filter((one) => one.weight > 0);
  if (scheduler !== 'fo') return usable;
  const heaviest = Math.max(...usable.map((one) => one.weight));
  return usable.filter((one) => one.weight === heaviest);
}

function sharesOf(scheduler: string, usable: readonly IpvsDestination[]): readonly number[] | undefined {
  if (scheduler === 'rr') return usable.map(() => 1 / usable.length);
  if (scheduler !== 'wrr') return undefined;
  const total = usable.reduce((sum, one) => sum + one.weight, 0);
  return usable.map((one) => one.weight / total);
}
