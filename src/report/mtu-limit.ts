import type { Flow } from '../diagnose/derived.ts';
import type { LeafEnd } from '../simulate/trace.ts';
import { endStep, endText, shortPlace } from './end-text.ts';
import type { MtuReportDevice, MtuReportTooBig } from './mtu-report.ts';

export interface LimitSeen {
  /** The walk of a packet of the sender's full size. */
  readonly flow: Flow;
  readonly devices: readonly MtuReportDevice[];
  /** The largest that passes. */
  readonly mtuBytes: number;
  readonly isTold: boolean;
  readonly told: readonly MtuReportTooBig[];
}

/** What a smaller path MTU comes from, and what becomes of the error that should tell of it. */
export function limitFindings(seen: LimitSeen): string[] {
  const { flow, told, isTold } = seen;
  const refused = flow.leaves.filter(({ ref, end }) => ref.leg === 'forward' && end.end === 'packet-too-big');
  const words = told.map(
    ({ from, name, mtuBytes }) =>
      `told by ${from}${name === undefined ? '' : ` (${name})`}: a packet is too big for ${mtuBytes ?? 'an MTU that it does not name'}`,
  );
  const walked = refused.map(({ trace, end }) => walkedText(trace, end, isTold));
  return [
    ...new Set(words),
    ...walked,
    ...(walked.length > 0 ? [] : [limitOfDevices(seen)]),
    ...(isTold ? [] : ['no “fragmentation needed” or “packet too big” for it came back to the sender']),
  ];
}

function walkedText(trace: Flow['trip']['forward'], end: LeafEnd, isTold: boolean): string {
  const step = endStep(trace, end);
  const where = `by the walk, at ${shortPlace(end.place)}: ${step?.text ?? end.end}`;
  if (end.errorPacket === undefined) return `${where}; no ICMP error is made there`;
  const eaten = end.errorTrace && errorEnd(end.errorTrace);
  if (eaten === undefined)
    return `${where}${isTold ? '' : '; by the walk its ICMP error comes to the sender, by the probe it does not'}`;
  return `${where}; its ICMP error dies at ${shortPlace(eaten.end.place)}: ${endText(eaten.trace, eaten.end)}`;
}

/** Where an ICMP error ends on its way to the sender, if it does not arrive. */
export function errorEnd(trace: Flow['trip']['forward']): { trace: typeof trace; end: LeafEnd } | undefined {
  const ends = trace.segments.flatMap(({ then }) => ('end' in then ? [then] : []));
  const lost = ends.filter(
    ({ end }) => end !== 'delivered' && end !== 'left-the-cluster' && end !== 'insufficient-information',
  );
  return lost.length === ends.length && lost[0] ? { trace, end: lost[0] } : undefined;
}

function limitOfDevices({ devices, mtuBytes }: LimitSeen): string {
  const exact = devices.filter(({ carriesBytes }) => carriesBytes === mtuBytes);
  if (exact.length > 0) {
    const names = exact.map(({ device, place, mtuBytes: mtu }) => `${device} of ${place} (MTU ${mtu})`);
    return `it is what ${names.join(', ')} carries`;
  }
  const smallest = Math.min(...devices.map(({ carriesBytes }) => carriesBytes));
  if (smallest > mtuBytes)
    return `every device on the walk’s way takes at least ${smallest} bytes: what takes only ${mtuBytes} is between them, where nobody can look`;
  return `the devices on the walk’s way would take only ${smallest} bytes, and more passes: the way is another, or it is cut and put together`;
}
