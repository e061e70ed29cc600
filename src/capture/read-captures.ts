import type { Reply } from '../host/host.ts';
import { formatPlace } from '../net/place.ts';
import type { CapturedFrame, CaptureFile, CaptureInterface } from '../wire/capture-file.ts';
import { readCaptureFile } from '../wire/read-capture-file.ts';
import { captureFilter } from './capture-filter.ts';
import type { CapturePoint } from './watch-plan.ts';

/** What one point's capture gave: whether it was watched all the time, and why not. */
export interface PointWatch {
  readonly frames: number;
  readonly isWhole: boolean;
  /** Why nothing, or not all, was seen. */
  readonly gap?: string;
}

export interface Captured {
  /** One interface for each point, in the points' order. */
  readonly file: CaptureFile;
  readonly watches: readonly PointWatch[];
}

/** The points' captures as one file; `started` and `stopped` are the replies of each point, in the points' order. */
export function readCaptures(
  points: readonly CapturePoint[],
  started: readonly (Reply | undefined)[],
  stopped: readonly (Reply | undefined)[],
): Captured {
  const read = points.map((_, index) => readPoint(started[index], stopped[index]));
  const interfaces = points.map((point, index): CaptureInterface => interfaceOf(point, read[index]!.file));
  const frames = read.flatMap(({ file }, index) =>
    (file?.frames ?? []).map((frame) => ({ ...frame, interface: index })),
  );
  return {
    file: { interfaces, frames: frames.toSorted(byTime) },
    watches: read.map(({ file, gap }) => {
      return { frames: file?.frames.length ?? 0, isWhole: gap === undefined, ...(gap !== undefined && { gap }) };
    }),
  };
}

function readPoint(
  started: Reply | undefined,
  stopped: Reply | undefined,
): { readonly file?: CaptureFile; readonly gap?: string } {
  const failed = [started, stopped].find((reply) => reply === undefined || reply.got === 'nothing');
  if (!started || !stopped) return { gap: 'no answer' };
  if (failed?.got === 'nothing') return { gap: `${failed.gap}: ${failed.detail}` };
  if (stopped.got === 'nothing') return { gap: stopped.detail };
  const file = readCaptureFile(stopped.raw);
  if ('problem' in file) return { gap: file.problem };
  if (file.damage !== undefined) return { file, gap: file.damage };
  return stopped.truncated ? { file, gap: 'more frames came than could be kept' } : { file };
}

function interfaceOf(point: CapturePoint, file: CaptureFile | undefined): CaptureInterface {
  const own = file?.interfaces[0];
  return {
    name: `${point.place.node} ${point.place.namespace === 'host' ? '' : `${point.place.namespace} `}${point.device}`,
    description: formatPlace({ ...point.place, device: point.device }),
    filter: captureFilter(point.tuples),
    linkType: own?.linkType ?? LINKTYPE_ETHERNET,
    snapLength: own?.snapLength ?? 0,
  };
}

const LINKTYPE_ETHERNET = 1;

function byTime(a: CapturedFrame, b: CapturedFrame): number {
  return a.timestampNs < b.timestampNs ? -1 : a.timestampNs > b.timestampNs ? 1 : 0;
}
