import type { Flow, FlowProbe } from '../../diagnose/derived.ts';
import type { Source } from '../../snapshot/snapshot.ts';

/** Bytes that a VXLAN tunnel adds before a packet of the pod: outer IP, UDP and VXLAN headers, inner Ethernet (RFC 7348 §5). */
export const VXLAN_OVERHEAD = { 4: 50, 6: 70 } as const;

export interface SizeBounds {
  readonly passes: number;
  readonly lost: number;
  /** Sizes between the smallest and the largest were tried, and one of them passed. */
  readonly isSearched: boolean;
  readonly source: Source;
}

export function bytesOf(flow: Flow): number {
  return flow.trip.forward.packet.lengthBytes;
}

/**
 * The largest size that passes and the smallest that is lost, by pings of several sizes and of the smallest. Undefined
 * where a larger one passes than one that is lost.
 */
export function sizeBounds(flows: readonly Flow[], large: Flow, probe: FlowProbe): SizeBounds | undefined {
  const tried = flows.filter((flow) => flow.purpose === 'size' && flow.destination === large.destination);
  const small = flows.filter((flow) => flow.purpose === 'icmp' && flow.destination === large.destination);
  const passing = [...tried, ...small].filter((flow) => flow.probe?.passed === 'yes').map(bytesOf);
  const lost = [...tried.filter((flow) => flow.probe?.passed === 'no'), large].map(bytesOf);
  const bounds = { passes: Math.max(0, ...passing), lost: Math.min(...lost) };
  if (bounds.passes >= bounds.lost) return undefined;
  const isSearched = tried.some((flow) => flow.probe?.passed === 'yes');
  return { ...bounds, isSearched, source: probe.evidence.source };
}
