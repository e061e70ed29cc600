import { hostOf, type Place, podPlace } from '../../net/place.ts';
import type { Snapshot } from '../../snapshot/snapshot.ts';
import { snapshotOfTexts, type TextFact } from './build-snapshot.ts';

/** Test helper: network namespaces of one or two nodes with their devices, as the tools print them. */
export const W1 = hostOf('w1');
export const W2 = hostOf('w2');
export const A = podPlace('w1', 'demo', 'a');
export const B = podPlace('w1', 'demo', 'b');
export const A_MAC = '02:00:00:00:00:0a';
export const B_MAC = '02:00:00:00:00:0b';
export const BRIDGE_MAC = '02:00:00:00:00:01';

export type Json = Readonly<Record<string, unknown>>;

/** One namespace; what is left out is there and empty. */
export interface Corner {
  readonly place: Place;
  readonly links: readonly Json[];
  /** As `ip route show table all` prints them. */
  readonly routes?: readonly string[];
  readonly neighbours?: readonly Json[];
  readonly fdb?: readonly Json[];
  readonly sysctls?: Readonly<Record<string, string>>;
  readonly listens?: boolean;
  /** As podtriage's node side lists them; cut short where it is a string. */
  readonly filters?: readonly Json[] | string;
  /** They come before what is so by default. */
  readonly more?: readonly TextFact[];
}

/** `veth('eth0', 2, 11, { address: MAC, addresses: ['10.0.0.1/24'] })`; `elsewhere`: its peer is in another namespace. */
export function device(ifname: string, ifindex: number, kind: string | undefined, more: Json = {}): Json {
  const { addresses = [], data, slave, ...rest } = more;
  return {
    ifindex,
    ifname,
    flags: ['BROADCAST', 'MULTICAST', 'UP', 'LOWER_UP'],
    mtu: 1500,
    operstate: 'UP',
    link_type: 'ether',
    ...rest,
    linkinfo: {
      ...(kind !== undefined && { info_kind: kind }),
      ...(data !== undefined && { info_data: data }),
      ...(slave !== undefined && {
        info_slave_kind: 'bridge',
        info_slave_data: { state: 'forwarding', ...(slave as Json) },
      }),
    },
    addr_info: (addresses as string[]).map((one) => {
      const [local, length] = one.split('/');
      return { family: one.includes(':') ? 'inet6' : 'inet', local, prefixlen: Number(length), scope: 'global' };
    }),
  };
}

export function world(
  corners: readonly Corner[],
  apiNodes: Readonly<Record<string, string>> = { w1: '192.0.2.1' },
): Snapshot {
  const cluster = hostOf('');
  const nodes = Object.entries(apiNodes).map(([name, address]) => ({
    metadata: { name },
    spec: {},
    status: { addresses: [{ type: 'InternalIP', address }], conditions: [] },
  }));
  const list = (items: readonly unknown[]): string => JSON.stringify({ items });
  return snapshotOfTexts([
    ['api.pods', cluster, {}, list([])],
    ['api.nodes', cluster, {}, list(nodes)],
    ['api.services', cluster, {}, list([])],
    ['api.endpointslices', cluster, {}, list([])],
    ...corners.flatMap(factsOf),
  ]);
}

const RULES = [
  { priority: 0, src: 'all', table: '255' },
  { priority: 32766, src: 'all', table: '254' },
  { priority: 32767, src: 'all', table: '253' },
];

function factsOf(corner: Corner): TextFact[] {
  const { place } = corner;
  const lo = device('lo', 1, undefined, { flags: ['LOOPBACK', 'UP', 'LOWER_UP'], link_type: 'loopback', mtu: 65_536 });
  const links = [lo, ...corner.links];
  const listening = 'tcp LISTEN 0 128 0.0.0.0:80 0.0.0.0:* users:(("web",pid=7,fd=3))\n';
  return [
    ...(corner.more ?? []),
    ['links', place, {}, JSON.stringify(links)],
    ['neighbours', place, {}, JSON.stringify(corner.neighbours ?? [])],
    ['fdb', place, {}, JSON.stringify(corner.fdb ?? [])],
    ['sysctls', place, {}, sysctlReply(links, corner.sysctls ?? {})],
    ['nft.tables', place, {}, '{"nftables":[]}'],
    ['ipsets', place, {}, '<ipsets></ipsets>'],
    ['sockets', place, {}, corner.listens ? listening : ''],
    [
      'tc-filters',
      place,
      {},
      typeof corner.filters === 'string' ? corner.filters : JSON.stringify(corner.filters ?? []),
    ],
    ...([4, 6] as const).flatMap((family): TextFact[] => [
      [
        'routes',
        place,
        { family },
        family === 4 ? `${[...ownRoutes(links), ...(corner.routes ?? [])].join('\n')}\n` : '',
      ],
      ['rules', place, { family }, JSON.stringify(RULES)],
      ['iptables.legacy', place, { family }, ''],
      ['iptables.nft', place, { family, table: '' }, ''],
    ]),
  ];
}

/** What the kernel makes of a device's addresses: the address itself, and its network. */
function ownRoutes(links: readonly Json[]): string[] {
  return links.flatMap(({ ifname, addr_info }) =>
    (addr_info as { local: string; prefixlen: number }[]).flatMap(({ local, prefixlen }) => {
      const own = `local ${local} dev ${ifname} table local proto kernel scope host src ${local}`;
      if (prefixlen >= 32 || local.includes(':')) return local.includes(':') ? [] : [own];
      const network = `${local.split('.').slice(0, 3).join('.')}.0/24`;
      return [own, `${network} dev ${ifname} proto kernel scope link src ${local}`];
    }),
  );
}

function sysctlReply(links: readonly Json[], set: Readonly<Record<string, string>>): string {
  const values: Record<string, string> = { 'net.ipv4.ip_forward': '1', 'net.bridge.bridge-nf-call-iptables': '0' };
  for (const name of ['all', ...links.map(({ ifname }) => String(ifname))]) {
    for (const key of ['rp_filter', 'accept_local', 'route_localnet', 'arp_ignore', 'arp_filter', 'proxy_arp']) {
      values[`net.ipv4.conf.${name}.${key}`] = '0';
    }
    values[`net.ipv4.conf.${name}.forwarding`] = '1';
  }
  const files = Object.entries({ ...values, ...set }).map(([key, value]) => {
    return { path: `/proc/sys/${key.replaceAll('.', '/')}`, text: `${value}\n` };
  });
  return JSON.stringify({ files });
}
