import type { CaptureFile } from '../wire/capture-file.ts';
import { decodeFrame } from '../wire/decode-frame.ts';
import type { WireLink, WirePacket } from '../wire/wire-packet.ts';
import { packetKey } from './packet-key.ts';
import type { CapturePoint } from './watch-plan.ts';

/** One packet on one device. */
export interface Sighting {
  /** Index of the capture file's interface. */
  readonly point: number;
  readonly atNs: bigint;
  /** The innermost packet: what a tunnel carries. */
  readonly packet: WirePacket;
  /** The packet that carries it, where a tunnel does. */
  readonly outer?: WirePacket;
  readonly key: string;
  /** The frame is addressed to a MAC that the device does not take: it is shown to a capture, and to nobody else. */
  readonly forAnotherMac?: string;
}

export interface Sightings {
  readonly seen: readonly Sighting[];
  /** Frames of each point that could not be told from others: later fragments, encrypted, malformed, no IP. */
  readonly untold: readonly number[];
}

/** What a capture saw, in order of time. */
export function sightingsOf(file: CaptureFile, points: readonly CapturePoint[] = []): Sightings {
  const vxlanPorts = vxlanPortsOf(points);
  const untold = file.interfaces.map(() => 0);
  const seen: Sighting[] = [];
  for (const frame of file.frames) {
    const linkType = file.interfaces[frame.interface]?.linkType;
    if (linkType === undefined) continue;
    const { packet: outer, innermost, link } = decodeFrame(frame, linkType, { vxlanPorts });
    const key = innermost && packetKey(innermost);
    if (innermost === undefined || key === undefined) {
      untold[frame.interface]! += 1;
      continue;
    }
    const carried = outer !== undefined && outer !== innermost;
    const forAnotherMac = strangeMac(link, points[frame.interface]);
    seen.push({
      point: frame.interface,
      atNs: frame.timestampNs,
      packet: innermost,
      key,
      ...(carried && { outer }),
      ...(forAnotherMac !== undefined && { forAnotherMac }),
    });
  }
  return { seen: seen.toSorted((a, b) => (a.atNs < b.atNs ? -1 : a.atNs > b.atNs ? 1 : 0)), untold };
}

/** Whom a frame is addressed to, where the device neither sent it nor takes it. */
function strangeMac(link: WireLink | undefined, point: CapturePoint | undefined): string | undefined {
  if (link?.destination === undefined || point?.mac === undefined) return undefined;
  const isGroup = (Number.parseInt(link.destination.slice(0, 2), 16) & 1) === 1;
  return isGroup || link.destination === point.mac || link.source === point.mac ? undefined : link.destination;
}

function vxlanPortsOf(points: readonly CapturePoint[]): number[] {
  const ports = points.flatMap(({ tuples }) =>
    tuples.flatMap(({ outer }) => (outer?.tunnel === 'vxlan' && outer.port !== undefined ? [outer.port] : [])),
  );
  return [...new Set(ports)];
}

/** Addresses and ports of a packet, the same for both directions. */
export function conversationKey({ ip, l4 }: WirePacket): string {
  const ends = [ip.source, ip.destination].toSorted();
  if (l4?.protocol === 'tcp' || l4?.protocol === 'udp' || l4?.protocol === 'sctp') {
    const ports = [`${ip.source} ${l4.sourcePort}`, `${ip.destination} ${l4.destinationPort}`].toSorted();
    return `${l4.protocol} ${ports.join(' ')}`;
  }
  if (l4 && l4.about === undefined && l4.id !== undefined) return `${l4.protocol} ${ends.join(' ')} ${l4.id}`;
  return `${ip.protocol} ${ends.join(' ')}`;
}
