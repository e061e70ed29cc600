import type { Cursor, End } from './cursor.ts';
import { unknownEnd } from './cursor.ts';
import { tcpReset } from './error-packet.ts';
import type { HookVerdict } from './hook.ts';
import { errorAbout } from './with-error.ts';

/** Echo and timestamp replies of the kernel's. */
const ICMP_ANSWERS = new Set([0, 14, 129]);

/** The end that a rule set's verdict makes of the walk; undefined where the packet goes on. */
export function verdictEnd(cursor: Cursor, verdict: HookVerdict): End | undefined {
  switch (verdict.kind) {
    case 'accept':
    // The packet goes on with its socket (Path.tproxy): whether it comes to it is a matter of the route.
    case 'tproxy':
      return undefined;
    case 'drop':
      return { end: 'dropped-by-rule', cursor, senderSees: 'nothing' };
    case 'queue':
      return { end: 'handed-to-userspace', cursor, senderSees: 'nothing', because: 'a program decides (NFQUEUE)' };
    case 'unknown':
      return unknownEnd(cursor, verdict.because, verdict.wants);
    case 'reject':
      return rejected(cursor, verdict.with);
  }
}

/** REJECT answers no reset, no error with an error, and no fragment, whose checksum is not its own (nf_reject_ipv4.c, icmp.c). */
function rejected(cursor: Cursor, how: 'tcp-reset' | { readonly type: number; readonly code: number }): End {
  const base = { end: 'rejected-by-rule', cursor } as const;
  const isFragment = cursor.packet.ip.fragmentOffset !== undefined;
  if (how !== 'tcp-reset' && (isFragment || isIcmpBeingSent(cursor))) return { ...base, senderSees: 'nothing' };
  const errorPacket = how === 'tcp-reset' ? tcpReset(cursor.packet, 'reject') : errorAbout(cursor, how.type, how.code);
  if (!errorPacket) return { ...base, senderSees: 'nothing' };
  // Outside of IP the answer is not routed: it goes back by the port or the device (nft_reject_bridge.c, nft_reject_netdev.c).
  const isFrame = cursor.stage.name === 'hook' && cursor.stage.layer !== undefined;
  if (isFrame) return { ...base, senderSees: how === 'tcp-reset' ? 'reset' : `icmp ${how.type}/${how.code}` };
  return { ...base, senderSees: how === 'tcp-reset' ? 'reset' : `icmp ${how.type}/${how.code}`, errorPacket };
}

/** While the kernel sends an ICMP answer its ICMP socket is locked, and no error is sent (icmp_xmit_lock, icmpv6_xmit_lock). */
function isIcmpBeingSent({ stage, packet, path }: Cursor): boolean {
  const isOutput = stage.name === 'hook' && stage.hook === 'output' && path.local;
  return isOutput && 'type' in packet.l4 && ICMP_ANSWERS.has(packet.l4.type);
}
