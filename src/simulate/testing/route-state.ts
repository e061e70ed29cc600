import type { Family } from '../../net/address.ts';
import type { L4, Meta, Packet } from '../../net/packet.ts';
import { hostOf } from '../../net/place.ts';
import type { Snapshot } from '../../snapshot/snapshot.ts';
import type { Cursor, Walk } from '../cursor.ts';
import { NO_CONNECTIONS } from '../tracking.ts';
import { snapshotOfTexts, type TextFact } from './build-snapshot.ts';

/** Test helper: one network namespace as its routing sees it. */
export const HERE = hostOf('w1');

export interface RouteState {
  readonly family?: Family;
  /** As `ip route show table all` prints them. */
  readonly routes?: readonly string[];
  /** Between `local` and `main`, as `ip -j rule` prints them; none: nobody has ever set one. */
  readonly rules?: readonly object[];
  /** `eth0 10.0.0.1/24`, with scope and flags behind. */
  readonly addresses?: readonly string[];
  /** Devices with other than their name: `{ ifname: 'vrf1', kind: 'vrf', table: 10 }`. */
  readonly devices?: readonly { readonly ifname: string; readonly [key: string]: unknown }[];
  readonly sysctls?: Readonly<Record<string, string | number>>;
  readonly neighbours?: readonly object[];
  readonly nexthops?: readonly object[];
  /** As `ip route show cache` prints them. */
  readonly exceptions?: readonly string[];
  readonly kernel?: string;
  /** As `ss` prints them; wholeStateOf alone. */
  readonly sockets?: readonly string[];
}

const STANDARD = {
  local: { priority: 0, src: 'all', table: '255' },
  main: { priority: 32766, src: 'all', table: '254' },
  default: { priority: 32767, src: 'all', table: '253' },
};

export function stateOf(state: RouteState): Snapshot {
  return snapshotOfTexts(factsOf(state));
}

/** The same with nothing else in the namespace: a whole walk finds all that it reads. */
export function wholeStateOf(state: RouteState): Snapshot {
  const family = state.family ?? 4;
  return snapshotOfTexts([
    ...factsOf(state),
    ['fdb', HERE, {}, '[]'],
    ['nft.tables', HERE, {}, '{"nftables":[]}'],
    ['ipsets', HERE, {}, '<ipsets></ipsets>'],
    ['sockets', HERE, {}, (state.sockets ?? []).map((line) => `${line}\n`).join('')],
    ['tc-filters', HERE, {}, '[]'],
    ['iptables.legacy', HERE, { family }, ''],
    ['iptables.nft', HERE, { family, table: '' }, ''],
  ]);
}

function factsOf(state: RouteState): TextFact[] {
  const family = state.family ?? 4;
  const last = family === 4 ? [STANDARD.main, STANDARD.default] : [STANDARD.main];
  const facts: TextFact[] = [
    ['routes', HERE, { family }, `${(state.routes ?? []).join('\n')}\n`],
    ['rules', HERE, { family }, JSON.stringify([STANDARD.local, ...(state.rules ?? []), ...last])],
    ['links', HERE, {}, JSON.stringify(linksOf(state))],
    ['sysctls', HERE, {}, sysctlFiles(state.sysctls ?? {})],
    ['neighbours', HERE, {}, JSON.stringify(state.neighbours ?? [])],
  ];
  if (state.exceptions) facts.push(['route-exceptions', HERE, { family }, `${state.exceptions.join('\n')}\n`]);
  if (state.nexthops) facts.push(['nexthops', HERE, {}, JSON.stringify(state.nexthops)]);
  if (state.kernel) {
    const files = [{ path: '/proc/sys/kernel/osrelease', text: `${state.kernel}\n` }];
    facts.push(['kernel', HERE, {}, JSON.stringify({ files })]);
  }
  return facts;
}

function linksOf({ devices = [], addresses = [] }: RouteState): object[] {
  const named = new Set(['lo', 'eth0', 'eth1', ...devices.map(({ ifname }) => ifname)]);
  return [...named].map((ifname, index) => {
    const { kind, table, up, ...more } = (devices.find((one) => one.ifname === ifname) ?? {}) as Record<
      string,
      unknown
    >;
    const own = addresses.filter((line) => line.startsWith(`${ifname} `));
    return {
      ifindex: index + 1,
      ifname,
      mtu: 1500,
      flags: up === false ? ['BROADCAST'] : ['UP', 'LOWER_UP'],
      operstate: 'UP',
      link_type: ifname === 'lo' ? 'loopback' : 'ether',
      ...more,
      ...(kind === undefined ? {} : { linkinfo: { info_kind: kind, info_data: { table } } }),
      addr_info: own.map(addressOf),
    };
  });
}

function addressOf(line: string): object {
  const [, prefix, scope = 'global', ...flags] = line.split(' ');
  const [local, length] = prefix!.split('/');
  return { local, prefixlen: Number(length), scope, ...Object.fromEntries(flags.map((flag) => [flag, true])) };
}

function sysctlFiles(values: Readonly<Record<string, string | number>>): string {
  const files = Object.entries(values).map(([key, value]) => ({
    path: `/proc/sys/${key.replaceAll('.', '/')}`,
    text: `${value}\n`,
  }));
  return JSON.stringify({ files });
}

export function walkIn(snapshot: Snapshot): Walk {
  return { world: { snapshot, gate: { parts: [], podAddressesRoutable: 'no' } } };
}

/** A packet that came in by a device and has passed prerouting. */
export function arrivedAt(
  input: string,
  ip: Partial<Packet['ip']> & { readonly source: string; readonly destination: string },
  more: { readonly l4?: L4; readonly macs?: Packet['macs']; readonly meta?: Partial<Meta> } = {},
): Cursor {
  return {
    place: HERE,
    stage: { name: 'route-input' },
    packet: {
      ip: { ttl: 64, tos: 0, df: false, ...ip },
      l4: more.l4 ?? { protocol: 'udp', sourcePort: 4000, destinationPort: 53 },
      lengthBytes: 60,
      ...(more.macs ? { macs: more.macs } : {}),
    },
    meta: { mark: 0, connmark: 0, conntrack: 'none', zone: 0, nat: [], ...more.meta },
    tracking: NO_CONNECTIONS,
    path: { input, local: false },
    visited: [],
  };
}
