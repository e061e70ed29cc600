import type { L4, Packet, Port } from '../net/packet.ts';
import type { Truth } from './trace.ts';
import { truth } from './truth.ts';

/** Both ends belong to it. */
export interface PortRange {
  readonly from: number;
  readonly to: number;
}

/** ip_local_port_range as it is by default (Documentation/networking/ip-sysctl.rst). */
export const EPHEMERAL_PORTS: PortRange = { from: 32768, to: 60999 };

/** A share of the ports that is taken for none, or with all others but that, for all. */
const NEGLIGIBLE = 0.01;

/**
 * A port that the kernel will choose is one of ip_local_port_range, or of the range that NAT chose it from: a range that
 * holds next to all of these is a yes, one that holds next to none a no (else every rule about one port would cast doubt
 * on every answer), between them it is undecided.
 */
export function portInRange(port: Port, range: PortRange, chosenFrom: PortRange = EPHEMERAL_PORTS): Truth {
  if (port !== 'ephemeral') return truth(port >= range.from && port <= range.to);
  const common = Math.min(range.to, chosenFrom.to) - Math.max(range.from, chosenFrom.from) + 1;
  const share = Math.max(0, common) / (chosenFrom.to - chosenFrom.from + 1);
  if (share >= 1 - NEGLIGIBLE) return 'yes';
  return share <= NEGLIGIBLE ? 'no' : 'unknown';
}

/** The ports of a packet that shows any: a fragment but the first does not (`par->fragoff != 0`). */
export function portOf(packet: Packet, end: 'source' | 'destination'): Port | undefined {
  if (!('sourcePort' in packet.l4) || (packet.ip.fragmentOffset ?? 0) > 0) return undefined;
  return end === 'source' ? packet.l4.sourcePort : packet.l4.destinationPort;
}

/** What an 'ephemeral' port of this packet was chosen from. */
export function chosenFromOf(l4: L4): PortRange {
  return ('sourcePort' in l4 ? l4.chosenFrom : undefined) ?? EPHEMERAL_PORTS;
}
