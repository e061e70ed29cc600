import type { Reply } from '../src/host/host.ts';
import { hostOf, type Place, podPlace } from '../src/net/place.ts';
import type { FactArgs, FactName } from '../src/snapshot/facts.ts';

/** A node with a client and five backends, each on a veth of its own: routed (kindnet, Calico, cloud CNIs) or on a bridge. */
export type Wiring = 'routed' | 'bridged';

export const NODE = hostOf('node');
export const CLIENT = podPlace('node', 'bench', 'client');
export const CLIENT_ADDRESS = '10.244.0.10';
export const BACKENDS: readonly string[] = [11, 12, 13, 14, 15].map((last) => `10.244.0.${last}`);

export const NODE_ADDRESS = '192.0.2.10';
const GATEWAY = '10.244.0.1';

/** All that the walk reads on this node, but for the rule sets of its host namespace, as the tools print it. */
export function oneNode(wiring: Wiring): Reply[] {
  const addresses = [CLIENT_ADDRESS, ...BACKENDS];
  const pods = addresses.map((address, index) => pod(wiring, address, index));
  return [...host(wiring, addresses), ...pods.flat()];
}

export function replyOf(action: FactName, place: Place, args: FactArgs, raw: Uint8Array): Reply {
  const request = { action, place, args, round: 0 };
  return { request, startedAtMs: 0, tookMs: 1, got: 'raw', raw, exitCode: 0, truncated: false, tool: '' };
}

function text(action: FactName, place: Place, value: unknown, args: FactArgs = {}): Reply {
  const content = typeof value === 'string' ? value : JSON.stringify(value);
  return replyOf(action, place, args, new TextEncoder().encode(content));
}

export const NO_TABLES = JSON.stringify({
  nftables: [{ metainfo: { version: '1.0.6', release_name: 'Lester Gooch #5', json_schema_version: 1 } }],
});

const RULES = [
  { priority: 0, src: 'all', table: '255', protocol: '2' },
  { priority: 32766, src: 'all', table: '254', protocol: '2' },
  { priority: 32767, src: 'all', table: '253', protocol: '2' },
];

function link(index: number, name: string, more: object, addresses: readonly (readonly [string, number, string])[]) {
  return {
    ifindex: index,
    ifname: name,
    flags: ['BROADCAST', 'MULTICAST', 'UP', 'LOWER_UP'],
    mtu: 1500,
    operstate: 'UP',
    link_type: 'ether',
    address: macOf(index),
    ...more,
    addr_info: addresses.map(([local, prefixlen, scope]) => ({ family: 'inet', local, prefixlen, scope, label: name })),
  };
}

function macOf(index: number): string {
  return `0a:00:00:00:${(index >> 8).toString(16).padStart(2, '0')}:${(index & 255).toString(16).padStart(2, '0')}`;
}

const LOOPBACK = link(
  1,
  'lo',
  {
    flags: ['LOOPBACK', 'UP', 'LOWER_UP'],
    mtu: 65536,
    operstate: 'UNKNOWN',
    link_type: 'loopback',
    address: '00:00:00:00:00:00',
  },
  [['127.0.0.1', 8, 'host']],
);

/** Of a pod's pair the host's end has index 100 + n, the pod's own 2000 + n. */
const HOST_END = 100;
const POD_END = 2000;

function host(wiring: Wiring, pods: readonly string[]): Reply[] {
  const bridge = wiring === 'bridged';
  const links = [
    LOOPBACK,
    link(2, 'eth0', {}, [[NODE_ADDRESS, 24, 'global']]),
    ...(bridge
      ? [link(3, 'cni0', { linkinfo: { info_kind: 'bridge', info_data: {} } }, [[GATEWAY, 24, 'global']])]
      : []),
    ...pods.map((_, index) =>
      link(
        HOST_END + index,
        `veth${index}`,
        {
          link_index: POD_END + index,
          link_netnsid: index,
          linkinfo: { info_kind: 'veth', ...(bridge ? BRIDGE_PORT : {}) },
          ...(bridge ? { master: 'cni0' } : {}),
        },
        bridge ? [] : [[GATEWAY, 32, 'global']],
      ),
    ),
  ];
  const routes = [
    {
      type: '1',
      dst: 'default',
      gateway: '192.0.2.1',
      dev: 'eth0',
      table: '254',
      protocol: '3',
      scope: '0',
      flags: [],
    },
    {
      type: '1',
      dst: '192.0.2.0/24',
      dev: 'eth0',
      table: '254',
      protocol: '2',
      scope: '253',
      prefsrc: NODE_ADDRESS,
      flags: [],
    },
    ...(bridge
      ? [
          {
            type: '1',
            dst: '10.244.0.0/24',
            dev: 'cni0',
            table: '254',
            protocol: '2',
            scope: '253',
            prefsrc: GATEWAY,
            flags: [],
          },
        ]
      : pods.map((dst, index) => ({
          type: '1',
          dst,
          dev: `veth${index}`,
          table: '254',
          protocol: '3',
          scope: '253',
          flags: [],
        }))),
    local(NODE_ADDRESS, 'eth0'),
    local(GATEWAY, bridge ? 'cni0' : 'veth0'),
    ...LOOPBACK_ROUTES,
  ];
  const devices = links.map((one) => one.ifname);
  return [
    text('links', NODE, links),
    text('routes', NODE, routes, { family: 4 }),
    text('sysctls', NODE, sysctls(['all', ...devices], '1')),
    text('neighbours', NODE, []),
    ...common(NODE),
  ];
}

const BRIDGE_PORT = {
  info_slave_kind: 'bridge',
  info_slave_data: { state: 'forwarding', hairpin: true, isolated: false, flood: true },
};

function pod(wiring: Wiring, address: string, index: number): Reply[] {
  const place = address === CLIENT_ADDRESS ? CLIENT : podPlace('node', 'bench', `backend-${index}`);
  const eth0 = link(
    POD_END + index,
    'eth0',
    { link_index: HOST_END + index, link_netnsid: 0, linkinfo: { info_kind: 'veth' } },
    [[address, wiring === 'bridged' ? 24 : 32, 'global']],
  );
  const routes = [
    { type: '1', dst: 'default', gateway: GATEWAY, dev: 'eth0', table: '254', protocol: '3', scope: '0', flags: [] },
    {
      type: '1',
      dst: wiring === 'bridged' ? '10.244.0.0/24' : GATEWAY,
      dev: 'eth0',
      table: '254',
      protocol: '2',
      scope: '253',
      prefsrc: address,
      flags: [],
    },
    local(address, 'eth0'),
    ...LOOPBACK_ROUTES,
  ];
  return [
    text('links', place, [LOOPBACK, eth0]),
    text('routes', place, routes, { family: 4 }),
    text('sysctls', place, sysctls(['all', 'lo', 'eth0'], '0')),
    text('neighbours', place, []),
    text('iptables.legacy', place, '', { family: 4 }),
    text('iptables.nft', place, '', { family: 4, table: '' }),
    text('nft.tables', place, NO_TABLES),
    ...common(place),
  ];
}

function common(place: Place): Reply[] {
  return [
    text('rules', place, RULES, { family: 4 }),
    text('fdb', place, []),
    text('ipsets', place, ''),
    text('tc-filters', place, ''),
    text(
      'sockets',
      place,
      'tcp   LISTEN 0      4096               *:8080            *:*    users:(("server",pid=7,fd=3)) ino:7 sk:7 cgroup:/ v6only:0 <->\n',
    ),
  ];
}

function local(dst: string, dev: string) {
  return { type: '2', dst, dev, table: '255', protocol: '2', scope: '254', prefsrc: dst, flags: [] };
}

const LOOPBACK_ROUTES = [local('127.0.0.1', 'lo'), { ...local('127.0.0.1', 'lo'), dst: '127.0.0.0/8' }];

function sysctls(devices: readonly string[], forwarding: string): object {
  const settings = {
    forwarding,
    rp_filter: '0',
    accept_local: '0',
    route_localnet: '0',
    proxy_arp: '0',
    src_valid_mark: '0',
  };
  const files = devices.flatMap((device) =>
    Object.entries(settings).map(([name, value]) => ({
      path: `/proc/sys/net/ipv4/conf/${device}/${name}`,
      text: `${value}\n`,
    })),
  );
  const whole = [
    { path: '/proc/sys/net/ipv4/ip_forward', text: `${forwarding}\n` },
    { path: '/proc/sys/net/bridge/bridge-nf-call-iptables', text: '1\n' },
  ];
  return { files: [...files, ...whole] };
}
