import type { Packet } from '../net/packet.ts';
import type { Cursor, End } from './cursor.ts';
import { icmpError, unreachableCode } from './error-packet.ts';
import { isGroup } from './frame.ts';

/** An end that tells its sender by ICMP, where that is allowed. */
export function withError(cursor: Cursor, end: End['end'], what: Parameters<typeof unreachableCode>[1]): End {
  const [type, code] = unreachableCode(cursor.packet, what);
  const errorPacket = errorAbout(cursor, type, code);
  if (!errorPacket) return { end, cursor, senderSees: 'nothing' };
  return { end, cursor, senderSees: `icmp ${type}/${code}`, errorPacket };
}

/**
 * The ICMP error about the packet as it stands here; none about what was sent to many, by its MAC or by its route
 * (`pkt_type != PACKET_HOST`, RTCF_BROADCAST in __icmp_send; icmp6_send).
 */
export function errorAbout(cursor: Cursor, type: number, code: number): Packet | undefined {
  const { packet, path } = cursor;
  const isToMany = path.route?.type === 'broadcast' || (!path.local && packet.macs && isGroup(packet.macs.destination));
  return isToMany ? undefined : icmpError(packet, type, code);
}
