import type { Disposition } from '../simulate/trace.ts';

/** What a reason of the kernel means. */
export interface DropReason {
  /** Ends `the kernel dropped it: …`. */
  readonly words: string;
  /** How a walk that knows this ends. Empty: walks know nothing of it. */
  readonly ends: readonly Disposition[];
  /** Causes that it speaks for by itself. */
  readonly causes: readonly string[];
}

const reason = (words: string, ends: readonly Disposition[] = [], causes: readonly string[] = []): DropReason => ({
  words,
  ends,
  causes,
});

/**
 * By name and never by number, which differs from kernel to kernel (include/net/dropreason-core.h, whose comments tell what each
 * is; Linux 6.18, and the older names beside it).
 */
const REASONS: Readonly<Record<string, DropReason>> = {
  NETFILTER_DROP: reason('a rule of the packet filter, or connection tracking, refused it', [
    'dropped-by-rule',
    'rejected-by-rule',
    'conntrack-refused',
    'reply-not-matched',
  ]),
  IP_RPFILTER: reason('the reverse-path filter: the way back to its source leads by another device', [
    'reverse-path-filtered',
  ]),
  IP_INADDRERRORS: reason('it is for somebody else, and this namespace does not forward', ['forwarding-disabled']),
  IP_INNOROUTES: reason('no route leads on', ['no-route', 'route-unreachable']),
  IP_OUTNOROUTES: reason('no route leads out', ['no-route', 'route-unreachable']),
  IP_LOCAL_SOURCE: reason('its source is an address of this very host', ['martian', 'reverse-path-filtered']),
  IP_INVALID_SOURCE: reason('its source address cannot be one', ['martian', 'reverse-path-filtered']),
  IP_LOCALNET: reason('it has a loopback address and comes from outside', ['martian']),
  IP_INVALID_DEST: reason('its destination address cannot be one', ['martian', 'no-route']),
  NEIGH_FAILED: reason('nobody answered for the next hop', ['neighbour-unresolved'], ['neighbour-unresolved']),
  NEIGH_QUEUEFULL: reason('too many packets wait for the next hop to answer', ['neighbour-unresolved']),
  NEIGH_CREATEFAIL: reason(
    'no entry for the next hop could be made',
    ['neighbour-unresolved'],
    ['neighbour-table-full'],
  ),
  NEIGH_DEAD: reason('the entry of the next hop is gone', ['neighbour-unresolved']),
  NO_SOCKET: reason('nobody listens there', ['no-listener']),
  TCP_LISTEN_OVERFLOW: reason('its listener’s queue is full', ['accept-queue-full'], ['listen-queue-overflow']),
  UDP_CSUM: reason('its UDP checksum is wrong', [], ['vxlan-bad-checksum']),
  TCP_CSUM: reason('its TCP checksum is wrong'),
  ICMP_CSUM: reason('its ICMP checksum is wrong'),
  IP_CSUM: reason('the checksum of its IP header is wrong'),
  SKB_CSUM: reason('its checksum could not be filled in'),
  SOCKET_RCVBUFF: reason('its receiver reads too slowly: the socket’s buffer is full', [], ['udp-buffer-errors']),
  PROTO_MEM: reason('its protocol has no memory left (net.ipv4.udp_mem, tcp_mem)', [], ['udp-buffer-errors']),
  SOCKET_BACKLOG: reason('its receiver is busy: the socket’s backlog is full'),
  SOCKET_FILTER: reason('a filter of the socket, or of the container’s cgroup, refused it'),
  BPF_CGROUP_EGRESS: reason('a BPF program of the container’s cgroup refused it'),
  QDISC_DROP: reason('the device’s queueing discipline dropped it', [], ['qdisc-shaping-drops']),
  QDISC_OVERLIMIT: reason('the device’s queueing discipline is full', [], ['qdisc-shaping-drops']),
  QDISC_CONGESTED: reason('the device’s queueing discipline dropped it for congestion', [], ['qdisc-shaping-drops']),
  TC_INGRESS: reason('a tc filter or program at ingress dropped it'),
  TC_EGRESS: reason('a tc filter or program at egress dropped it'),
  XDP: reason('an XDP program dropped it'),
  CPU_BACKLOG: reason('the processor’s backlog is full (net.core.netdev_max_backlog)'),
  PKT_TOO_BIG: reason('it is larger than the MTU and may not be fragmented', ['packet-too-big']),
  DEV_READY: reason('the device is down', ['link-down']),
  OTHERHOST: reason('its frame is for another MAC address', ['not-for-this-mac']),
  BRIDGE_INGRESS_STP_STATE: reason('its bridge port is not forwarding', ['bridge-blocked']),
  LOCAL_MAC: reason('the frame’s source is the bridge’s own MAC address', ['bridge-blocked']),
  NO_TX_TARGET: reason('no port or tunnel leads there', ['bridge-blocked', 'tunnel-dropped', 'link-down']),
  VXLAN_VNI_NOT_FOUND: reason('no VXLAN device has this number', ['tunnel-dropped']),
  VXLAN_INVALID_HDR: reason('its VXLAN header is wrong', ['tunnel-dropped']),
  VXLAN_ENTRY_EXISTS: reason('its source MAC belongs to another tunnel end', ['tunnel-dropped']),
  MAC_INVALID_SOURCE: reason('its source MAC address cannot be one'),
  IP_TUNNEL_ECN: reason('its congestion bits and its tunnel’s contradict each other', ['tunnel-dropped']),
  IP_NOPROTO: reason('nothing in this namespace takes its protocol', ['no-listener']),
  UNHANDLED_PROTO: reason('nothing in this namespace takes its protocol'),
  IP_INHDR: reason('its IP header is not accepted, or its time to live ran out', ['ttl-exceeded', 'loop']),
  XFRM_POLICY: reason('an IPsec policy refused it'),
  SECURITY_HOOK: reason('a security module refused it'),
  DUP_FRAG: reason('a fragment came twice or overlaps another', [], ['fragments-dropped']),
  FRAG_REASM_TIMEOUT: reason('its other fragments did not come in time', [], ['fragments-dropped']),
  FRAG_TOO_FAR: reason('its fragments came too far apart', [], ['fragments-dropped']),
  NOMEM: reason('the kernel had no memory for it'),
  FULL_RING: reason('the device’s ring is full'),
  TCP_RFC7323_PAWS: reason('its TCP timestamp is older than one that came before'),
  TCP_RFC7323_TW_PAWS: reason('its TCP timestamp is older than one that came before'),
  TCP_MINTTL: reason('its time to live is below what the socket wants'),
  IPV6DISABLED: reason('IPv6 is off in this namespace', ['no-route']),
};

/** The ordinary end of what has served its purpose, a copy for a capture among it: no loss. */
const ORDINARY: ReadonlySet<string> = new Set([
  'NOT_DROPPED_YET',
  'CONSUMED',
  'PACKET_SOCK_ERROR',
  'QUEUE_PURGE',
  'SOCKET_CLOSE',
  'TCP_RESET',
  'TCP_CLOSE',
  'TCP_OLD_ACK',
  'TCP_OLD_DATA',
  'TCP_OLD_SEQUENCE',
  'TCP_ACK_UNSENT_DATA',
]);

/** Undefined where the name tells nothing that is known here. */
export function dropReason(name: string): DropReason | undefined {
  return Object.hasOwn(REASONS, name) ? REASONS[name] : undefined;
}

export const DROP_REASON_NAMES: readonly string[] = Object.keys(REASONS);

/**
 * Told by every host that such a frame comes by, also where a switch floods it: that another one drops its copy contradicts nothing.
 */
export const COPIES: ReadonlySet<string> = new Set(['OTHERHOST']);

/** A repeated SYN that its half-open connection answers again is freed there without a reason (tcp_check_req). */
const ARRIVED = /^tcp_v[46]_rcv$/;

/** Functions that free what a closing socket still held; older kernels give no reason there. */
const CLOSING =
  /^(sk_stream_kill_queues|inet_sock_destruct|tcp_write_queue_purge|tcp_v[46]_destroy_sock|packet_rcv|tpacket_rcv)/;

/** Not a loss on the packet's way. */
export function isOrdinaryDrop({
  reason: name,
  function: at,
}: {
  readonly reason: string;
  readonly function: string;
}): boolean {
  return ORDINARY.has(name) || CLOSING.test(at) || (name === 'NOT_SPECIFIED' && ARRIVED.test(at));
}
