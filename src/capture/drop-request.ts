import type { Request, Scalar } from '../host/host.ts';
import { hostOf } from '../net/place.ts';
import type { DropBounds } from './drop-program.ts';
import { type DropFilter, dropFilter, dropFilterText, readDropFilter } from './drop-term.ts';
import type { WatchPlan } from './watch-plan.ts';

/** `drops.start` answers once the node's kernel is watched; `drops.stop` with what it dropped, as text (parse/drop-events.ts). */
export const DROP_NAMES = ['drops.start', 'drops.stop'] as const;

export interface DropJob extends DropBounds {
  readonly filter: DropFilter;
}

/** The node itself ends it then, whoever forgets. Whatever dies before that, the kernel removes the program with its last file descriptor (bpf(2)). */
export const DROP_SECONDS_MAX = 30;
export const DROP_EVENTS_MAX = 2_000;
export const DROP_BYTES_MAX = 1 << 20;

/** What is asked of each node on the way; kernels are watched once each, not once per network namespace. */
export function dropRequests(
  plan: Pick<WatchPlan, 'points'>,
  seconds: number,
): { readonly starts: readonly Request[]; readonly stops: readonly Request[] } {
  const filter = dropFilterText(dropFilter(plan));
  const nodes = [...new Set(plan.points.map(({ place }) => place.node))].filter((node) => node !== '');
  const bounds = { seconds: Math.min(Math.ceil(seconds), DROP_SECONDS_MAX), events: DROP_EVENTS_MAX };
  return {
    starts: nodes.map((node) => ({
      action: 'drops.start',
      place: hostOf(node),
      args: { filter, ...bounds },
      round: 0,
    })),
    stops: nodes.map((node) => ({ action: 'drops.stop', place: hostOf(node), args: {}, round: 0 })),
  };
}

/** Throws RangeError on what is no filter or bound. */
export function dropJobOf({ filter, seconds, events }: Readonly<Record<string, Scalar>>): DropJob {
  const read = typeof filter === 'string' ? readDropFilter(filter) : undefined;
  if (!read) throw new RangeError('filter is no filter of dropped packets');
  return {
    filter: read,
    seconds: wholeNumber('seconds', seconds, DROP_SECONDS_MAX),
    events: wholeNumber('events', events, DROP_EVENTS_MAX),
  };
}

function wholeNumber(name: string, value: Scalar | undefined, max: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= max) return value;
  throw new RangeError(`${name} is not a whole number from 1 to ${max}: ${value}`);
}
