import { type Address, parseAddress } from '../net/address.ts';
import { flagOf, type JsonObject, numberOf, stringOf } from './json-items.ts';

/*
 * The `info_data` of the tunnel devices in `ip -d -j link show`.
 * Source of truth: iproute2's ip/link_iptnl.c, ip/link_ip6tnl.c, ip/link_gre.c, ip/link_gre6.c, ip/iplink_geneve.c,
 * ip/iplink_vxlan.c.
 * Not understood: erspan's own header, FOU/GUE particulars (that there is one is kept), IPv6 flow labels.
 */

/** What VXLAN and GENEVE have in common. */
interface UdpTunnel {
  readonly id: number;
  readonly remote?: Address;
  readonly port: number;
  /** Metadata of a route or a program says where to: no remote of its own. */
  readonly external: boolean;
  readonly udpChecksum: boolean;
  /** 0 is left out: the route's or the system's default. */
  readonly ttl?: number;
  readonly ttlInherit?: boolean;
  /** 1 (`inherit`): the inner packet's. */
  readonly tos?: number;
  readonly df?: 'set' | 'inherit';
}

export interface VxlanInfo extends UdpTunnel {
  readonly local?: Address;
  readonly group?: Address;
  readonly lower?: string;
  readonly learning: boolean;
  /** Group-based policy: a mark travels in the header. */
  readonly gbp?: boolean;
  /** Generic protocol extension: another header, without Ethernet inside. */
  readonly gpe?: boolean;
  /** Answers ARP and ND from the neighbour table (`proxy`). */
  readonly proxy?: boolean;
  readonly vniFilter?: boolean;
  /** False: a remote that is an own address is sent to all the same (`nolocalbypass`). */
  readonly localBypass?: boolean;
}

export type GeneveInfo = UdpTunnel;

/** ipip, sit, gre, gretap, ip6tnl, ip6gre, ip6gretap, vti, erspan. */
export interface IpTunnelInfo {
  readonly local?: Address;
  readonly remote?: Address;
  readonly lower?: string;
  /** 0 is left out: the inner packet's. */
  readonly ttl?: number;
  /** Lowest bit set: the inner packet's. */
  readonly tos?: number;
  /** The outer packet may not be fragmented. */
  readonly pmtuDiscovery: boolean;
  readonly ignoreDf: boolean;
  readonly inputKey?: number;
  readonly outputKey?: number;
  readonly inputSequence: boolean;
  readonly outputSequence: boolean;
  readonly inputChecksum: boolean;
  readonly outputChecksum: boolean;
  readonly mark: number;
  readonly external: boolean;
  /** What it takes inside, where it is not any: `ipip`, `ip6ip6`, … */
  readonly protocol?: string;
  /** FOU or GUE around it. */
  readonly wrapped: boolean;
  /** ip6tnl: eight bytes of a destination option, unless `none`. */
  readonly encapsulationLimit: boolean;
}

export const IP_TUNNEL_KINDS: ReadonlySet<string> = new Set([
  'ipip',
  'sit',
  'gre',
  'gretap',
  'erspan',
  'ip6tnl',
  'ip6gre',
  'ip6gretap',
  'ip6erspan',
]);

/** Undefined where the number or the port was not understood; the device is then unknown as a tunnel. */
export function vxlanOf(data: JsonObject): VxlanInfo | undefined {
  const common = udpTunnelOf(data);
  if (!common) return undefined;
  const local = addressOf(data.local ?? data.local6);
  const group = addressOf(data.group ?? data.group6);
  const lower = stringOf(data.link);
  return {
    ...common,
    ...(local && { local }),
    ...(group && { group }),
    ...(lower !== undefined && { lower }),
    learning: flagOf(data, 'learning') ?? true,
    ...whereSet(data, 'gbp', 'gbp'),
    ...whereSet(data, 'gpe', 'gpe'),
    ...whereSet(data, 'proxy', 'proxy'),
    ...whereSet(data, 'vnifilter', 'vniFilter'),
    ...(flagOf(data, 'localbypass') === false && { localBypass: false }),
  };
}

export function geneveOf(data: JsonObject): GeneveInfo | undefined {
  const isExternal = flagOf(data, 'external') === true;
  return udpTunnelOf(isExternal ? { id: 0, ...data } : { vni: 0, ...data, id: data.id ?? data.vni });
}

function udpTunnelOf(data: JsonObject): UdpTunnel | undefined {
  const id = numberOf(data.id);
  const port = numberOf(data.port);
  if (id === undefined || port === undefined) return undefined;
  const remote = addressOf(data.remote ?? data.remote6);
  const ttl = numberOf(data.ttl);
  const tos = data.tos === 'inherit' ? 1 : numberOf(data.tos);
  const df = stringOf(data.df);
  return {
    id,
    ...(remote && { remote }),
    port,
    external: flagOf(data, 'external') ?? false,
    udpChecksum: flagOf(data, 'udp_csum') ?? true,
    ...(ttl !== undefined && ttl !== 0 && { ttl }), // 0 is `ttl auto`
    // `ttl inherit` is the one that JSON does not print.
    ...(!('ttl' in data) && { ttlInherit: true }),
    ...(tos !== undefined && tos !== 0 && { tos }),
    ...((df === 'set' || df === 'inherit') && { df }),
  };
}

export function ipTunnelOf(data: JsonObject): IpTunnelInfo {
  const local = addressOf(data.local);
  const remote = addressOf(data.remote);
  const lower = stringOf(data.link);
  const ttl = numberOf(data.ttl) ?? numberOf(data.hoplimit);
  const tos = data.tos === 'inherit' ? 1 : numberOf(data.tos);
  const inputKey = keyOf(data.ikey);
  const outputKey = keyOf(data.okey);
  const protocol = stringOf(data.proto);
  return {
    ...(local && { local }),
    ...(remote && { remote }),
    ...(lower !== undefined && { lower }),
    ...(ttl !== undefined && ttl !== 0 && { ttl }),
    ...(tos !== undefined && tos !== 0 && { tos }),
    pmtuDiscovery: flagOf(data, 'pmtudisc') ?? true,
    ignoreDf: flagOf(data, 'ignore_df') ?? false,
    ...(inputKey !== undefined && { inputKey }),
    ...(outputKey !== undefined && { outputKey }),
    inputSequence: flagOf(data, 'iseq') ?? false,
    outputSequence: flagOf(data, 'oseq') ?? false,
    inputChecksum: flagOf(data, 'icsum') ?? false,
    outputChecksum: flagOf(data, 'ocsum') ?? false,
    mark: numberOf(data.fwmark) ?? 0,
    external: flagOf(data, 'external') ?? false,
    ...(protocol !== undefined && protocol !== 'any' && { protocol }),
    wrapped: 'encap' in data,
    encapsulationLimit: flagOf(data, 'ip6_tnl_f_ign_encap_limit') !== true && data.encap_limit !== undefined,
  };
}

/** A key as the address that inet_ntop makes of it: `0.0.0.42`. */
function keyOf(value: unknown): number | undefined {
  if (typeof value !== 'string' || !value.includes('.')) return numberOf(value);
  const octets = value.split('.').map(Number);
  return octets.length === 4 ? octets.reduce((key, octet) => key * 256 + octet, 0) : undefined;
}

/** `any` is no address. */
function addressOf(value: unknown): Address | undefined {
  const address = typeof value === 'string' ? parseAddress(value) : undefined;
  return address === '0.0.0.0' || address === '::' ? undefined : address;
}

function whereSet<K extends string>(data: JsonObject, name: string, key: K): { readonly [P in K]?: true } {
  return flagOf(data, name) === true ? ({ [key]: true } as { readonly [P in K]?: true }) : {};
}
