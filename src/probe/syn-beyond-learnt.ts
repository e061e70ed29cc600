import type { Request } from '../host/host.ts';
import type { Address } from '../net/address.ts';
import type { Place } from '../net/place.ts';

export interface BeyondLearnt {
  readonly from: Place;
  readonly source: Address;
  readonly destination: Address;
  /** What the sender's device takes. */
  readonly sizeBytes: number;
  /** Where none is asked for, one that need not be open. */
  readonly port?: number;
}

/** Discard (RFC 863): nobody listens, and the reset tells as much as a SYN-ACK. */
const CLOSED_PORT = 9;

/** Full-sized SYNs that do not heed what the sender's kernel has learnt: whether the path has more than that. */
export function synBeyondLearnt({ from, source, destination, sizeBytes, port = CLOSED_PORT }: BeyondLearnt): Request {
  const place: Place = { node: from.node, namespace: from.namespace };
  const args = { address: destination, source, port, sizeBytes, count: 3, intervalMs: 100, timeoutMs: 1_000 };
  return { action: 'probe.syn', place, args, round: 0 };
}
