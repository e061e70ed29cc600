import { type Address, parseAddress } from '../net/address.ts';
import type { Prefix } from '../net/prefix.ts';
import { parsePrefix } from '../net/prefix.ts';
import { type LinkKinds, linkKindsOf } from './ip-link-kinds.ts';
import {
  type GeneveInfo,
  geneveOf,
  IP_TUNNEL_KINDS,
  type IpTunnelInfo,
  ipTunnelOf,
  type VxlanInfo,
  vxlanOf,
} from './ip-link-tunnel.ts';
import { flagOf, isObject, type JsonObject, numberOf, parseItems, stringOf, stringsOf } from './json-items.ts';
import type { Parsed, UnparsedLine } from './parsed.ts';

/*
 * Format: `ip -d -s -j addr show`.
 * Source of truth: ip-link(8), ip-address(8), iproute2's ip/ipaddress.c; for the kinds see ip-link-kinds.ts and
 * ip-link-tunnel.ts.
 * Versions seen: iproute2 6.1; 4.18 and 5.x by their source (statistics as `stats` where there is no `stats64`).
 * Not understood: particulars of netkit, team, VRF (its table is in its rule); of VXLAN the port range and ageing.
 */

/** One network device: `ip -d -s -j addr show` (ip-link(8), ip-address(8)). */
export interface Link extends LinkKinds {
  readonly index: number;
  readonly name: string;
  /** IFF_* as iproute2 prints them: UP, LOWER_UP, NO-CARRIER, BROADCAST, LOOPBACK, PROMISC … */
  readonly flags: readonly string[];
  readonly mtu: number;
  /** UP, DOWN, LOWERLAYERDOWN, UNKNOWN … (RFC 2863 ifOperStatus) */
  readonly operstate: string;
  /** `link_type`: ether, loopback, none … */
  readonly type: string;
  /** Lower-case MAC, where it has one. */
  readonly mac?: string;
  /** `linkinfo.info_kind`: veth, bridge, vxlan, … */
  readonly kind?: string;
  /** Name of the master (bridge, bond, VRF). */
  readonly master?: string;
  /** The device's group (`ip link set group`), 0 unless set; a name where the node's own tables give one. */
  readonly group?: string;
  /** The routing table of a VRF (`linkinfo.info_data.table`). */
  readonly vrf?: { readonly table: number };
  /** Index of the peer or lower device (`link_index`, or `link`'s own index), and the namespace id it lives in when it is another one. */
  readonly peerIndex?: number;
  readonly peerNamespaceId?: number;
  /** The lower device's name, when in the same namespace (`link`). */
  readonly lower?: string;
  readonly addresses: readonly LinkAddress[];
  readonly vxlan?: VxlanInfo;
  readonly geneve?: GeneveInfo;
  /** Where `kind` is one of IP_TUNNEL_KINDS. */
  readonly ipTunnel?: IpTunnelInfo;
  /** `xdp` or an attached program seen by iproute2, by name or id. */
  readonly xdp?: string;
  readonly statistics?: LinkStatistics;
}

export interface LinkAddress {
  /** The own address; with a `peer`, the length is that of the peer's network (ip-address(8)). */
  readonly prefix: Prefix;
  readonly peer?: Address;
  readonly scope: string; // global, link, host
  /** tentative, dadfailed, deprecated, secondary … */
  readonly flags: readonly string[];
}

export interface LinkStatistics {
  readonly rxPackets: number;
  readonly rxBytes: number;
  readonly rxErrors: number;
  readonly rxDropped: number;
  readonly txPackets: number;
  readonly txBytes: number;
  readonly txErrors: number;
  readonly txDropped: number;
}

export function parseIpLink(text: string): Parsed<readonly Link[]> {
  const unparsed: UnparsedLine[] = [];
  const links = parseItems(text, (item) => linkOf(item, unparsed));
  // Every network namespace has lo: an answer without any device did not see them.
  if (links.value.length === 0) unparsed.push({ line: 0, text: '(no devices)' });
  return { value: resolvePeers(links.value), unparsed: [...links.unparsed, ...unparsed] };
}

/** `link` names a device of the same namespace; its index is known from the list itself. */
function resolvePeers(links: readonly Link[]): readonly Link[] {
  const indexes = new Map(links.map((link) => [link.name, link.index]));
  return links.map((link) => {
    const index = link.lower === undefined ? undefined : indexes.get(link.lower);
    return link.peerIndex !== undefined || index === undefined ? link : { ...link, peerIndex: index };
  });
}

function linkOf(item: JsonObject, unparsed: UnparsedLine[]): Link | undefined {
  const index = numberOf(item.ifindex);
  const name = stringOf(item.ifname);
  const mtu = numberOf(item.mtu);
  if (index === undefined || name === undefined || mtu === undefined) return undefined;
  const info = isObject(item.linkinfo) ? item.linkinfo : {};
  const type = stringOf(item.link_type) ?? 'unknown';
  const statistics = statisticsOf(item.stats64 ?? item.stats);
  return {
    index,
    name,
    flags: stringsOf(item.flags),
    mtu,
    operstate: stringOf(item.operstate) ?? 'UNKNOWN',
    type,
    ...optionalParts(item, info),
    addresses: addressesOf(name, item.addr_info, unparsed),
    ...linkKindsOf(info),
    ...tunnelParts(info),
    ...(statistics && { statistics }),
  };
}

function optionalParts(
  item: JsonObject,
  info: JsonObject,
): Pick<Link, 'mac' | 'kind' | 'master' | 'group' | 'vrf' | 'peerIndex' | 'peerNamespaceId' | 'lower' | 'xdp'> {
  const mac = stringOf(item.address)?.toLowerCase();
  const kind = stringOf(info.info_kind);
  const master = stringOf(item.master);
  const group = item.group === undefined ? undefined : String(item.group);
  const vrfTable = kind === 'vrf' && isObject(info.info_data) ? numberOf(info.info_data.table) : undefined;
  const peerIndex = numberOf(item.link_index);
  const peerNamespaceId = numberOf(item.link_netnsid);
  const lower = stringOf(item.link);
  const xdp = xdpOf(item.xdp);
  return {
    ...(mac !== undefined && { mac }),
    ...(kind !== undefined && { kind }),
    ...(master !== undefined && { master }),
    ...(group !== undefined && group !== 'default' && group !== '0' && { group }),
    ...(vrfTable !== undefined && { vrf: { table: vrfTable } }),
    ...(peerIndex !== undefined && { peerIndex }),
    ...(peerNamespaceId !== undefined && { peerNamespaceId }),
    ...(lower !== undefined && { lower }),
    ...(xdp !== undefined && { xdp }),
  };
}

function xdpOf(xdp: unknown): string | undefined {
  if (!isObject(xdp)) return xdp === undefined || xdp === null ? undefined : String(xdp);
  const program = isObject(xdp.prog) ? xdp.prog : {};
  return stringOf(program.name) ?? (program.id === undefined ? 'attached' : `id ${String(program.id)}`);
}

function tunnelParts(info: JsonObject): Pick<Link, 'vxlan' | 'geneve' | 'ipTunnel'> {
  const data = isObject(info.info_data) ? info.info_data : {};
  const vxlan = info.info_kind === 'vxlan' ? vxlanOf(data) : undefined;
  const geneve = info.info_kind === 'geneve' ? geneveOf(data) : undefined;
  return {
    ...(vxlan && { vxlan }),
    ...(geneve && { geneve }),
    ...(IP_TUNNEL_KINDS.has(String(info.info_kind)) && { ipTunnel: ipTunnelOf(data) }),
  };
}

function addressOf(value: unknown): Address | undefined {
  return typeof value === 'string' ? parseAddress(value) : undefined;
}

const ADDRESS_FLAGS = [
  'secondary',
  'temporary',
  'deprecated',
  'tentative',
  'optimistic',
  'dadfailed',
  'nodad',
  'dynamic',
  'noprefixroute',
  'mngtmpaddr',
  'home',
  'autojoin',
] as const;

function addressesOf(device: string, list: unknown, unparsed: UnparsedLine[]): readonly LinkAddress[] {
  if (list === undefined) return [];
  const addresses: LinkAddress[] = [];
  for (const raw of Array.isArray(list) ? list : [list]) {
    if (isObject(raw) && Object.keys(raw).length === 0) continue;
    const one = isObject(raw) ? linkAddressOf(raw) : undefined;
    if (one) addresses.push(one);
    else unparsed.push({ line: 0, text: `${device}: ${JSON.stringify(raw)}` });
  }
  return addresses;
}

function linkAddressOf(raw: JsonObject): LinkAddress | undefined {
  const own = raw.local ?? raw.address;
  const prefix = typeof own === 'string' ? parsePrefix(`${own}/${String(raw.prefixlen)}`) : undefined;
  if (!prefix) return undefined;
  const peer = raw.local === undefined ? undefined : addressOf(raw.address);
  return {
    prefix,
    ...(peer && peer !== prefix.address && { peer }),
    scope: stringOf(raw.scope) ?? String(raw.scope ?? 'global'),
    flags: ADDRESS_FLAGS.filter((flag) => flagOf(raw, flag) === true),
  };
}

function statisticsOf(stats: unknown): LinkStatistics | undefined {
  if (!isObject(stats) || !isObject(stats.rx) || !isObject(stats.tx)) return undefined;
  const { rx, tx } = stats;
  const counts = [rx.packets, rx.bytes, rx.errors, rx.dropped, tx.packets, tx.bytes, tx.errors, tx.dropped].map(
    numberOf,
  );
  if (counts.some((count) => count === undefined)) return undefined;
  const [rxPackets, rxBytes, rxErrors, rxDropped, txPackets, txBytes, txErrors, txDropped] = counts as number[];
  return {
    rxPackets: rxPackets!,
    rxBytes: rxBytes!,
    rxErrors: rxErrors!,
    rxDropped: rxDropped!,
    txPackets: txPackets!,
    txBytes: txBytes!,
    txErrors: txErrors!,
    txDropped: txDropped!,
  };
}
