import type { Cursor } from './cursor.ts';

/**
 * What a device of this host's hands back to it with the route that it left by, where that leads on, is forwarded by it when it
 * comes in (skb_valid_dst in ip_rcv_finish_core): by `lo`, or by a VXLAN device to another here (netif_keep_dst). So is a
 * packet of somebody else's over IPv4 (__mkroute_input; a host's own is local, RTCF_LOCAL of __mkroute_output), any over IPv6
 * (ip6_rt_init_dst).
 */
export function keptRoute({ path, packet }: Cursor): Pick<Cursor['path'], 'kept'> {
  const isOnward = path.route?.type === 'unicast' && (!path.local || packet.ip.destination.includes(':'));
  return isOnward ? { kept: path.route! } : {};
}
