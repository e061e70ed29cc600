import { isObject, type JsonObject, numberOf, parseItems, stringOf } from './json-items.ts';
import type { Parsed } from './parsed.ts';

/*
 * Format: `tc -s -j qdisc show`.
 * Source of truth: tc(8), iproute2's tc/tc_qdisc.c (print_qdisc).
 * Versions seen: iproute2 6.1; 5.x by its source.
 * Not understood: a discipline's own options, which are left out but for the rate and the bucket of tbf.
 */

/** `tc -s -j qdisc show` (tc(8)). */
export interface Qdisc {
  readonly device: string;
  readonly kind: string;
  readonly handle: string;
  readonly parent?: string;
  readonly root: boolean;
  readonly bytes: number;
  readonly packets: number;
  readonly drops: number;
  readonly overlimits: number;
  /** Bytes that wait. */
  readonly backlog: number;
  /** Bytes a second that it lets out (tbf). */
  readonly rateBytes?: number;
  /** What it lets out at once at most: a larger packet never passes (tbf_enqueue, net/sched/sch_tbf.c). */
  readonly burstBytes?: number;
}

export function parseQdisc(text: string): Parsed<readonly Qdisc[]> {
  return parseItems(text, qdiscOf);
}

function qdiscOf(item: JsonObject): Qdisc | undefined {
  const device = stringOf(item.dev);
  const kind = stringOf(item.kind);
  if (device === undefined || kind === undefined) return undefined;
  const parent = stringOf(item.parent);
  const options = isObject(item.options) ? item.options : {};
  const [rateBytes, burstBytes] = [numberOf(options.rate), numberOf(options.burst)];
  return {
    device,
    kind,
    handle: stringOf(item.handle) ?? '',
    ...(parent !== undefined && { parent }),
    root: item.root === true || item.root === null,
    bytes: numberOf(item.bytes) ?? 0,
    packets: numberOf(item.packets) ?? 0,
    drops: numberOf(item.drops) ?? 0,
    overlimits: numberOf(item.overlimits) ?? 0,
    backlog: numberOf(item.backlog) ?? 0,
    ...(rateBytes !== undefined && { rateBytes }),
    ...(burstBytes !== undefined && { burstBytes }),
  };
}
