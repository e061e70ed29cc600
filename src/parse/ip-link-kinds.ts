import { flagOf, type JsonObject, numberOf, stringOf, stringsOf } from './json-items.ts';

/*
 * The `info_data` and `info_slave_data` of stacked devices in `ip -d -j link show`.
 * Source of truth: iproute2's ip/iplink_bridge.c, ip/iplink_bridge_slave.c, ip/iplink_vlan.c, ip/iplink_macvlan.c,
 * ip/iplink_ipvlan.c, ip/iplink_bond.c, ip/iplink_bond_slave.c, ip/iptuntap.c, ip/iplink_vrf.c.
 * Not understood: team's ports (teamd keeps which is active), multicast database, MSTP, per-VLAN options.
 */

export interface BridgeInfo {
  readonly vlanFiltering: boolean;
  /** `802.1ad` where the bridge filters by service tags. */
  readonly vlanProtocol?: string;
  readonly stpState: number;
  readonly nfCallIptables?: boolean;
  readonly nfCallIp6tables?: boolean;
  /** Link-local groups (01:80:c2:00:00:0X) that it forwards, by bits. */
  readonly groupForwardMask?: number;
}

export interface BridgePortInfo {
  readonly state: string; // disabled, listening, learning, forwarding, blocking
  readonly hairpin: boolean;
  readonly isolated: boolean;
  readonly learning: boolean;
  /** Frames to a MAC that is not known go out here, too. */
  readonly flood: boolean;
  readonly multicastFlood?: boolean;
  readonly broadcastFlood?: boolean;
  readonly proxyArp?: boolean;
  readonly neighbourSuppression?: boolean;
  /** Only MACs of the forwarding table may send by it. */
  readonly locked?: boolean;
  /** Where it sends while it has no carrier. */
  readonly backupPort?: string;
}

export interface VlanInfo {
  readonly id: number;
  readonly protocol: string; // 802.1Q, 802.1ad
  readonly flags: readonly string[]; // REORDER_HDR, LOOSE_BINDING …
}

export interface BondInfo {
  readonly mode: string; // balance-rr, active-backup, 802.3ad …
  readonly activeSlave?: string;
}

export interface BondSlaveInfo {
  readonly state: string; // ACTIVE, BACKUP
  readonly miiStatus: string; // UP, DOWN, GOING_DOWN, GOING_BACK
}

export interface LinkKinds {
  readonly bridge?: BridgeInfo;
  readonly bridgePort?: BridgePortInfo;
  readonly vlan?: VlanInfo;
  /** private, vepa, bridge, passthru or source. */
  readonly macvlan?: { readonly mode: string };
  readonly ipvlan?: { readonly mode: string; readonly flag: string }; // l2, l3, l3s; bridge, private, vepa
  readonly bond?: BondInfo;
  readonly bondSlave?: BondSlaveInfo;
  readonly tun?: { readonly type: string }; // tun, tap
}

export function linkKindsOf(info: JsonObject): LinkKinds {
  const kind = stringOf(info.info_kind);
  const data = isRecord(info.info_data) ? info.info_data : {};
  const slave = isRecord(info.info_slave_data) ? info.info_slave_data : {};
  return { ...ownKind(kind, data), ...slaveKind(stringOf(info.info_slave_kind), slave) };
}

function ownKind(kind: string | undefined, data: JsonObject): LinkKinds {
  switch (kind) {
    case 'bridge':
      return { bridge: bridgeOf(data) };
    case 'vlan': {
      const id = numberOf(data.id);
      if (id === undefined) return {};
      return { vlan: { id, protocol: stringOf(data.protocol) ?? '802.1Q', flags: stringsOf(data.flags) } };
    }
    case 'macvlan':
    case 'macvtap':
      return { macvlan: { mode: stringOf(data.mode) ?? 'unknown' } };
    case 'ipvlan':
    case 'ipvtap':
      return { ipvlan: { mode: stringOf(data.mode) ?? 'unknown', flag: stringOf(data.mode_flag) ?? 'bridge' } };
    case 'bond': {
      const activeSlave = stringOf(data.active_slave);
      return { bond: { mode: stringOf(data.mode) ?? 'unknown', ...(activeSlave !== undefined && { activeSlave }) } };
    }
    case 'tun':
      return { tun: { type: stringOf(data.type) ?? 'unknown' } };
    default:
      return {};
  }
}

function slaveKind(kind: string | undefined, data: JsonObject): LinkKinds {
  if (kind === 'bridge') return { bridgePort: bridgePortOf(data) };
  if (kind !== 'bond') return {};
  return { bondSlave: { state: stringOf(data.state) ?? 'unknown', miiStatus: stringOf(data.mii_status) ?? 'unknown' } };
}

function bridgeOf(data: JsonObject): BridgeInfo {
  const nfCallIptables = flagOf(data, 'nf_call_iptables');
  const nfCallIp6tables = flagOf(data, 'nf_call_ip6tables');
  const vlanProtocol = stringOf(data.vlan_protocol);
  const mask = numberOf(typeof data.group_fwd_mask === 'string' ? `0x${data.group_fwd_mask}` : data.group_fwd_mask);
  return {
    vlanFiltering: flagOf(data, 'vlan_filtering') ?? false,
    ...(vlanProtocol !== undefined && { vlanProtocol }),
    stpState: numberOf(data.stp_state) ?? 0,
    ...(nfCallIptables !== undefined && { nfCallIptables }),
    ...(nfCallIp6tables !== undefined && { nfCallIp6tables }),
    ...(mask !== undefined && mask !== 0 && { groupForwardMask: mask }),
  };
}

/** What an older iproute2 does not print has the kernel's default (net/bridge/br_if.c, new_nbp), and is left out where it may be absent. */
function bridgePortOf(data: JsonObject): BridgePortInfo {
  const backupPort = stringOf(data.backup_port);
  return {
    state: stringOf(data.state) ?? 'unknown',
    hairpin: flagOf(data, 'hairpin') ?? false,
    isolated: flagOf(data, 'isolated') ?? false,
    learning: flagOf(data, 'learning') ?? true,
    flood: flagOf(data, 'flood') ?? true,
    ...(flagOf(data, 'mcast_flood') === false && { multicastFlood: false }),
    ...(flagOf(data, 'bcast_flood') === false && { broadcastFlood: false }),
    ...(flagOf(data, 'proxy_arp') === true && { proxyArp: true }),
    ...(flagOf(data, 'neigh_suppress') === true && { neighbourSuppression: true }),
    ...(flagOf(data, 'locked') === true && { locked: true }),
    ...(backupPort !== undefined && { backupPort }),
  };
}

function isRecord(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
