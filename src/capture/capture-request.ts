import type { Request, Scalar } from '../host/host.ts';
import { captureFilter, snapBytes } from './capture-filter.ts';
import type { CapturePoint } from './watch-plan.ts';

/** `capture.start` answers once the device is being watched; `capture.stop` with what was seen, as a pcap file. */
export const CAPTURE_NAMES = ['capture.start', 'capture.stop'] as const;
export type CaptureName = (typeof CAPTURE_NAMES)[number];

/** Bounds of the capture at one point, which the node itself keeps. */
export interface CaptureLimits {
  readonly seconds: number;
  readonly packets: number;
}

export const CAPTURE_SECONDS_MAX = 600;
export const CAPTURE_PACKETS_MAX = 100_000;
/** Of one point's file. */
export const CAPTURE_BYTES_MAX = 10 << 20;

export interface CaptureJob extends CaptureLimits {
  readonly id: string;
  readonly device: string;
  readonly filter: string;
  readonly snapBytes: number;
}

/** What is asked of a node to watch this point. `id` names the capture within its network namespace; the same in every run, so that a bundle replays it. */
export function startRequest(point: CapturePoint, id: string, limits: CaptureLimits): Request {
  const { place, device, tuples } = point;
  const args = { id, device, filter: captureFilter(tuples), snapBytes: snapBytes(tuples), ...limits };
  return { action: 'capture.start', place, args, round: 0 };
}

export function stopRequest({ place }: CapturePoint, id: string): Request {
  return { action: 'capture.stop', place, args: { id }, round: 0 };
}

/** Throws RangeError on what is no device, filter or bound. */
export function captureJobOf(args: Readonly<Record<string, Scalar>>): CaptureJob {
  const { device, filter } = args;
  // A device's name is what the kernel lets it be (dev_valid_name); it stands behind an option of its own.
  if (typeof device !== 'string' || !/^[^\s/:-][^\s/:]{0,14}$/.test(device))
    throw new RangeError(`device is no device's name: ${device}`);
  if (typeof filter !== 'string' || !/^[a-z0-9 .:&|()[\]=!<>+]+$/.test(filter))
    throw new RangeError('filter is no filter');
  return {
    id: captureIdOf(args),
    device,
    filter,
    snapBytes: numberIn(args, 'snapBytes', 65_535),
    seconds: numberIn(args, 'seconds', CAPTURE_SECONDS_MAX),
    packets: numberIn(args, 'packets', CAPTURE_PACKETS_MAX),
  };
}

export function captureIdOf({ id }: Readonly<Record<string, Scalar>>): string {
  if (typeof id === 'string' && /^[^\s/]{1,64}$/.test(id)) return id;
  throw new RangeError(`id names no capture: ${id}`);
}

function numberIn(args: Readonly<Record<string, Scalar>>, key: string, max: number): number {
  const value = args[key];
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= max) return value;
  throw new RangeError(`${key} is not a whole number from 1 to ${max}: ${value}`);
}

/**
 * tcpdump(8): never in promiscuous mode (-p), which would show frames that the device itself does not take, and mend what is
 * looked for; frames are handed on at once; `seconds` and `packets` bound it even where nobody asks for its end. It stays who it is (-Z root):
 * with another user it would no longer die with the node side (prctl(2), PR_SET_PDEATHSIG), and with -w it interprets no packet.
 */
export function captureArgv({ device, filter, snapBytes: bytes, packets }: CaptureJob): readonly string[] {
  return [
    'tcpdump',
    ...['-i', device, '-p', '-n', '-Z', 'root', '-U', '--immediate-mode', '--time-stamp-precision=nano'],
    ...['-s', String(bytes), '-c', String(packets), '-w', '-', '--', filter],
  ];
}

/**
 * Whether the kernel found room for all that tcpdump's filter let in, by its last words: `0 packets dropped by kernel`. How many
 * were *received by filter* tells nothing: on a busy device it counts some from before the filter was there (pcap-linux.c).
 */
export function nothingDropped(stderr: string): boolean {
  return /^0 packets dropped by kernel/m.test(stderr);
}
