import { waysOfTrace } from '../capture/visits-of-trace.ts';
import { placeKey } from '../net/place.ts';
import type { Trace } from '../simulate/trace.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { shortPlace } from './end-text.ts';
import type { MtuReportDevice } from './mtu-report.ts';

/** More than any path has. */
const DEVICES_MAX = 64;

/** Every device on the way of a trace with its MTU, and how much of it is left for the packet itself. */
export function devicesOfTrace(snapshot: Snapshot, trace: Trace): readonly MtuReportDevice[] {
  const overhead = overheadOf(trace);
  const found = new Map<string, MtuReportDevice>();
  for (const { place, device, tuple } of waysOfTrace(trace, snapshot).flatMap(({ visits }) => visits)) {
    const links = snapshot.fact('links', place);
    const mtu = links.state === 'seen' ? links.value.find(({ name }) => name === device)?.mtu : undefined;
    const key = `${placeKey(place)} ${device}`;
    if (mtu === undefined || found.has(key) || found.size >= DEVICES_MAX) continue;
    const carriesBytes = tuple.outer ? mtu - overhead : mtu;
    found.set(key, { place: shortPlace(place), device, mtuBytes: mtu, carriesBytes });
  }
  return [...found.values()];
}

/** What the tunnels on the way add to a packet. */
function overheadOf({ segments }: Trace): number {
  const packets = segments.flatMap(({ hops }) => hops.map(({ packet }) => packet));
  return Math.max(0, ...packets.map(({ lengthBytes, inner }) => (inner ? lengthBytes - inner.lengthBytes : 0)));
}
