import type { Cursor, End } from './cursor.ts';
import { icmpError, unreachableCode } from './error-packet.ts';

/** An end that tells its sender by ICMP, where that is allowed. */
export function withError(cursor: Cursor, end: End['end'], what: Parameters<typeof unreachableCode>[1]): End {
  const [type, code] = unreachableCode(cursor.packet, what);
  const errorPacket = icmpError(cursor.packet, type, code);
  if (!errorPacket) return { end, cursor, senderSees: 'nothing' };
  return { end, cursor, senderSees: `icmp ${type}/${code}`, errorPacket };
}
