import { type Address, parseAddress } from '../../net/address.ts';
import { type Prefix, parsePrefix } from '../../net/prefix.ts';
import type { Node } from '../../snapshot/objects.ts';
import type { Source } from '../../snapshot/snapshot.ts';
import { type ClusterLook, configMap } from '../cluster-look.ts';

/** net-conf.json of flannel's ConfigMap (flannel, Documentation/configuration.md). */
export interface FlannelNetwork {
  readonly network?: Prefix;
  readonly ipv6Network?: Prefix;
  /** vxlan, host-gw, udp, wireguard, ipip, ipsec, alloc … lower case. */
  readonly backend: string;
  /** vxlan: peers of the same subnet are reached without encapsulation. */
  readonly directRouting: boolean;
  readonly vni: number;
  /** Undefined: the kernel's default, 8472 on Linux. */
  readonly port?: number;
  readonly mtu?: number;
  readonly source: Source;
}

const FLANNEL_CONFIG_MAPS = ['kube-flannel-cfg', 'canal-config', 'flannel-cfg'];

/** flannel's configuration from whichever of these namespaces has it. */
export function flannelNetwork(look: ClusterLook, namespaces: readonly string[]): FlannelNetwork | undefined {
  for (const namespace of namespaces) {
    for (const name of FLANNEL_CONFIG_MAPS) {
      const map = configMap(look, namespace, name);
      const text = map?.value.data?.['net-conf.json'];
      if (map === undefined || text === undefined) continue;
      const source = { ...map.source, text: `configmap ${namespace}/${name} net-conf.json` };
      const parsed = parseNetConf(text, source);
      if (parsed) return parsed;
    }
  }
  return undefined;
}

export function parseNetConf(text: string, source: Source): FlannelNetwork | undefined {
  const conf = objectOf(text);
  if (conf === undefined) return undefined;
  const backend = (conf.Backend ?? {}) as Readonly<Record<string, unknown>>;
  const network = typeof conf.Network === 'string' ? parsePrefix(conf.Network) : undefined;
  const ipv6Network = typeof conf.IPv6Network === 'string' ? parsePrefix(conf.IPv6Network) : undefined;
  return {
    ...(network ? { network } : {}),
    ...(ipv6Network ? { ipv6Network } : {}),
    // Without a Backend flannel uses udp (Documentation/backends.md).
    backend: typeof backend.Type === 'string' ? backend.Type.toLowerCase() : 'udp',
    directRouting: backend.DirectRouting === true || backend.DirectRouting === 'true',
    vni: typeof backend.VNI === 'number' ? backend.VNI : 1,
    ...(typeof backend.Port === 'number' && backend.Port > 0 ? { port: backend.Port } : {}),
    ...(typeof backend.MTU === 'number' && backend.MTU > 0 ? { mtu: backend.MTU } : {}),
    source,
  };
}

const PREFIX = 'flannel.alpha.coreos.com/';

/** What flannel on a node told the others about it, by annotations (flannel, pkg/subnet/kube/annotations.go). */
export interface FlannelNode {
  readonly name: string;
  readonly managed: boolean;
  readonly backend?: string;
  readonly publicAddress?: Address;
  readonly publicAddress6?: Address;
  readonly vtepMac?: string;
  readonly vtepMac6?: string;
  readonly vni?: number;
  readonly podCidrs: readonly Prefix[];
}

export function flannelNode(node: Node): FlannelNode | undefined {
  const read = (key: string) => node.metadata.annotations?.[PREFIX + key];
  const backend = read('backend-type');
  const managed = read('kube-subnet-manager') === 'true';
  if (backend === undefined && !managed) return undefined;
  const data = objectOf(read('backend-data') ?? '');
  const data6 = objectOf(read('backend-v6-data') ?? '');
  const publicAddress = parseAddress(read('public-ip') ?? '');
  const publicAddress6 = parseAddress(read('public-ipv6') ?? '');
  const vtepMac = macOf(data);
  const vtepMac6 = macOf(data6);
  const cidrs = node.spec.podCIDRs ?? (node.spec.podCIDR === undefined ? [] : [node.spec.podCIDR]);
  return {
    name: node.metadata.name,
    managed,
    ...(backend === undefined ? {} : { backend: backend.toLowerCase() }),
    ...(publicAddress === undefined ? {} : { publicAddress }),
    ...(publicAddress6 === undefined ? {} : { publicAddress6 }),
    ...(vtepMac === undefined ? {} : { vtepMac }),
    ...(vtepMac6 === undefined ? {} : { vtepMac6 }),
    ...(typeof data?.VNI === 'number' ? { vni: data.VNI } : {}),
    podCidrs: cidrs.map(parsePrefix).filter((one) => one !== undefined),
  };
}

function macOf(data: Readonly<Record<string, unknown>> | undefined): string | undefined {
  const mac = data?.VtepMAC;
  return typeof mac === 'string' && /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(mac) ? mac.toLowerCase() : undefined;
}

function objectOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}
