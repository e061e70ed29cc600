import type { WirePacket } from '../wire/wire-packet.ts';
import type { Attempt } from './attempt.ts';
import type { FollowedPacket } from './follow-packets.ts';
import type { Sighting } from './sighting.ts';
import type { WatchPlan } from './watch-plan.ts';

/** Packets that come in by a device with a sum that is wrong: the receiver's kernel drops them. */
export interface WrongChecksum {
  readonly point: number;
  /** Of the packet itself, or of the one that carries it in a tunnel. */
  readonly whose: 'own' | 'outer';
  readonly header: 'ip' | 'tcp' | 'udp' | 'icmp' | 'icmpv6' | 'sctp';
  readonly packets: number;
}

/** Only where packets come in: where they go out, the device may still fill the sum in (checksum offload). */
export function wrongChecksums(attempts: readonly Attempt[], plan: WatchPlan): WrongChecksum[] {
  const wrong = attempts
    .flatMap(({ packets }) => packets)
    .flatMap((packet) => packet.sightings.filter((one) => isIncoming(one, packet, plan)).flatMap(wrongIn));
  return [...Map.groupBy(wrong, (one) => JSON.stringify(one)).values()].map((alike) => {
    return { ...alike[0]!, packets: alike.length };
  });
}

function isIncoming({ point }: Sighting, { leg }: FollowedPacket, { ways }: WatchPlan): boolean {
  const passes = ways
    .filter((way) => way.leg === leg)
    .flatMap(({ steps }) => steps.filter((one) => one.point === point));
  return passes.length > 0 && passes.every(({ way }) => way === 'in');
}

function wrongIn({ point, packet, outer }: Sighting): Omit<WrongChecksum, 'packets'>[] {
  const headersOf = (one: WirePacket): WrongChecksum['header'][] => [
    ...(one.ip.checksum === 'bad' ? (['ip'] as const) : []),
    ...(one.l4?.checksum === 'bad' ? [one.l4.protocol] : []),
  ];
  const own = headersOf(packet).map((header) => ({ point, whose: 'own', header }) as const);
  const carrier = outer ? headersOf(outer).map((header) => ({ point, whose: 'outer', header }) as const) : [];
  return [...own, ...carrier];
}
