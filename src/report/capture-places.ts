import type { CapturePoint, WatchPlan, WayStep } from '../capture/watch-plan.ts';
import { placeKey } from '../net/place.ts';
import { shortPlace } from './end-text.ts';

/** `out by flannel.1 on w1`. */
export function stepText({ point, way }: WayStep, { points }: WatchPlan): string {
  const { device, place } = points[point]!;
  return `${way} by ${device} of ${shortPlace(place)}`;
}

/**
 * What the kernel does with a packet between two devices that were watched. Frames are shown to a capture before the rules of
 * the device that they come in by, and after those, and the queue, of the device that they go out by
 * (net/core/dev.c, __netif_receive_skb_core and xmit_one).
 */
export function betweenText(after: WayStep, before: WayStep, { points }: WatchPlan): string {
  const [a, b] = [points[after.point]!, points[before.point]!];
  const here = shortPlace(a.place);
  if (placeKey(a.place) !== placeKey(b.place)) return linkText(a, b);
  if (!after.tuple.outer && before.tuple.outer)
    return `${here}: wrapping by ${a.device}, then rules and route of the outer packet as one that ${here} sends, and the queue of ${b.device}`;
  if (after.tuple.outer && !before.tuple.outer)
    return `${here}: rules, firewall and checksum of the outer packet as one that is for ${here}, then unwrapping by ${b.device}`;
  if (after.way === 'in' && before.way === 'out')
    return `${here}: rules, routing and neighbours from ${a.device} to ${b.device}, and the queue of ${b.device}`;
  return `${here}: what its kernel does between ${a.device} and ${b.device}`;
}

function linkText(a: CapturePoint, b: CapturePoint): string {
  if (a.place.node === b.place.node)
    return `the link from ${a.device} of ${shortPlace(a.place)} to ${b.device} of ${shortPlace(b.place)}`;
  return `the network between ${shortPlace(a.place)} (${a.device}) and ${shortPlace(b.place)} (${b.device})`;
}
