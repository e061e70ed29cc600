import { parseAddress } from '../../../src/net/address.ts';
import type { CasePacket } from '../case.ts';
import type { HookPoint } from '../network.ts';
import { know } from '../topology.ts';
import type { Aim } from './iptables-aim.ts';
import type { XtMatch } from './iptables-core.ts';
import { isIpv6, option, RECEIVING, TRACKED } from './iptables-words.ts';

const SENDING: readonly HookPoint[] = ['FORWARD', 'OUTPUT', 'POSTROUTING'];

/** Matches of devices, addresses' kinds, ways back and sockets. */
export const PLACE_MATCHES: readonly XtMatch[] = [
  {
    name: 'mac',
    hooks: RECEIVING,
    words: (aim) => {
      const { network, stop, draw } = aim;
      const mine = network.devices.filter((one) => one.ns === stop.ns);
      const senders = mine.flatMap((one) =>
        network.devices.filter((other) => other.ns === one.peer.ns && other.name === one.peer.name),
      );
      if (senders.length === 0) return undefined;
      const mac = draw.chance(0.85) ? draw.pick(senders).mac : '02:00:00:00:00:99';
      return option('mac', `--mac-source ${mac}`);
    },
  },
  {
    name: 'pkttype',
    words: ({ draw }) => option('pkttype', `--pkt-type ${draw.pick(['unicast', 'broadcast', 'multicast'])}`),
  },
  {
    name: 'devices',
    words: (aim) => {
      const { stop, draw } = aim;
      const device = deviceOf(aim);
      if (device === undefined) return undefined;
      const letter = stop.input === undefined ? '-o' : '-i';
      const name = draw.pick([device, `${device.slice(0, 1)}+`, `${device}+`, '+', 'zz0', 'zz+']);
      return { match: `${letter} ${name}`, ...(name === '+' ? {} : { negated: `! ${letter} ${name}` }) };
    },
  },
  {
    name: 'devgroup',
    hooks: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
    words: (aim) => {
      const { stop, draw, network } = aim;
      const device = deviceOf(aim);
      if (device === undefined) return undefined;
      const group = draw.pick([0, 3, 6]);
      if (group !== 0) network.add({ kind: 'ip', ns: stop.ns, line: `link set dev ${device} group ${group}` });
      const side = stop.input === undefined ? '--dst-group' : '--src-group';
      return option('devgroup', `${side} ${draw.pick([`0x${group}`, `0x${group & 2}/0x2`, '0x9'])}`);
    },
  },
  {
    name: 'physdev',
    hooks: ['PREROUTING', 'FORWARD', 'POSTROUTING'],
    wants: { bridged: true, pods: 2 },
    place: bridged,
    words: (aim) => {
      const { draw, stop } = aim;
      const port = portsOf(aim).input;
      const isIn = draw.pick([`--physdev-in ${port}`, '--physdev-in v+', '--physdev-is-in', `--physdev-in ${port}0`]);
      return option('physdev', stop.hook === 'PREROUTING' ? isIn : draw.pick([isIn, '--physdev-is-bridged']));
    },
  },
  {
    name: 'physdev out',
    wants: { bridged: true, pods: 2 },
    hooks: ['FORWARD', 'POSTROUTING'],
    place: bridged,
    turns: 0,
    words: (aim) => {
      const { draw } = aim;
      const port = portsOf(aim).output;
      const out = draw.pick([
        `--physdev-out ${port}`,
        '--physdev-out v+',
        '! --physdev-out zz0',
        `--physdev-out ${port}0`,
      ]);
      return { match: `-m physdev --physdev-is-bridged ${out}`, negated: '-m physdev ! --physdev-is-out' };
    },
  },
  {
    name: 'addrtype kinds',
    words: (aim) => {
      const { draw } = aim;
      const kinds = isIpv6(aim)
        ? ['LOCAL', 'UNICAST', 'LOCAL,UNICAST', 'MULTICAST', 'UNREACHABLE', 'LOCAL,UNREACHABLE']
        : ['LOCAL', 'UNICAST', 'LOCAL,BROADCAST', 'BROADCAST', 'MULTICAST,LOCAL', 'UNREACHABLE', 'BLACKHOLE,LOCAL'];
      // What a packet is for in its last namespace is its own; before, it is somebody else's.
      const holds = aim.stop.hook === 'INPUT' ? 'LOCAL' : 'UNICAST';
      if (draw.chance(0.6)) {
        const kind = draw.pick([holds, `${holds},MULTICAST`, `UNREACHABLE,${holds}`]);
        return option('addrtype', `--dst-type ${kind}`);
      }
      return option('addrtype', `--${draw.pick(['src', 'dst'])}-type ${draw.pick(kinds)}`);
    },
  },
  {
    name: 'addrtype on input',
    hooks: RECEIVING,
    words: ({ draw }) => {
      const words = `--${draw.pick(['src', 'dst'])}-type ${draw.pick(['LOCAL', 'UNICAST'])} --limit-iface-in`;
      return option('addrtype', words);
    },
  },
  {
    name: 'addrtype on output',
    hooks: SENDING,
    words: ({ draw }) => {
      const words = `--${draw.pick(['src', 'dst'])}-type ${draw.pick(['LOCAL', 'UNICAST'])} --limit-iface-out`;
      return option('addrtype', words);
    },
  },
  {
    name: 'rpfilter',
    tables: ['raw', 'mangle'],
    hooks: ['PREROUTING'],
    words: ({ draw }) => {
      const flags = draw.pick(['', ' --loose', ' --validmark', ' --accept-local', ' --loose --accept-local']);
      return { match: `-m rpfilter${flags}`, negated: `-m rpfilter${flags} --invert` };
    },
  },
  {
    name: 'socket',
    tables: ['mangle'],
    hooks: ['PREROUTING', 'INPUT'],
    isUndecidable: true,
    protocols: ['tcp', 'udp'],
    // One that is bound to no address counts only where it is asked for.
    words: ({ draw, stop }) => {
      const flag = stop.isReply ? draw.pick(['', ' --nowildcard']) : ' --nowildcard';
      return { match: `-m socket${draw.chance(0.85) ? flag : ' --transparent'}` };
    },
  },
  {
    name: 'owner',
    hooks: ['OUTPUT', 'POSTROUTING'],
    isUndecidable: true,
    words: ({ draw, packet }) => {
      const words = draw.pick([`--uid-owner ${packet.uid ?? 0}`, '--gid-owner 0-5', '--uid-owner 4242']);
      return option('owner', words);
    },
  },
  {
    name: 'owner socket',
    hooks: ['POSTROUTING'],
    words: () => option('owner', '--socket-exists'),
  },
  {
    name: 'cgroup',
    hooks: ['OUTPUT', 'POSTROUTING'],
    isUndecidable: true,
    words: ({ draw }) => ({
      match: `-m cgroup ${draw.pick(['--cgroup 0', '! --cgroup 1', '! --cgroup 7', '--cgroup 1'])}`,
    }),
  },
  {
    name: 'cluster',
    isUndecidable: true,
    tables: TRACKED,
    words: ({ draw, packet }) =>
      packet.family === 4
        ? {
            match: `-m cluster --cluster-total-nodes 2 --cluster-local-node ${draw.pick([1, 2])} --cluster-hash-seed 0x${draw.int(1, 99)}`,
          }
        : undefined,
  },
];

/** The ports of the bridge that it comes in and goes out by. */
function portsOf({ network, packet, stop }: Aim): { readonly input: string; readonly output: string } {
  const portOf = (ns: string | undefined): string =>
    network.devices.find((one) => one.ns === stop.ns && one.peer.ns === ns)?.name ?? 'v1';
  const [from, to] = [portOf(packet.ns), portOf(network.hostAt(packet.destination)?.ns)];
  return stop.isReply ? { input: to, output: from } : { input: from, output: to };
}

/** A packet from one pod of a bridge to another, where bridged packets meet IP's rules. */
function bridged(aim: Aim): Aim | undefined {
  const { network, draw, packet, stop } = aim;
  const pods = draw.shuffled(network.hosts.filter((one) => one.pod));
  const [from, to] =
    pods.flatMap((one) => pods.filter((other) => network.isSwitched(one, other)).map((other) => [one, other])).at(0) ??
    [];
  if (!from || !to || network.packets.length >= 8) return undefined;
  const { family } = packet;
  const value = draw.chance(0.9) ? '1' : '0';
  const key = `net.bridge.bridge-nf-call-${family === 6 ? 'ip6' : 'ip'}tables`;
  network.add({ kind: 'sysctl', ns: from.node, key, value });
  const own: CasePacket = {
    ...packet,
    ns: from.ns,
    sourcePort: BRIDGED_SOURCE_PORT + network.packets.length,
    destination: to.address[family],
    destinationPort: packet.protocol === 'icmp' ? 0 : 80,
  };
  network.packets.push(own);
  const stops = network.stops(own).filter((one) => one.ns === from.node && one.hook === stop.hook);
  const place = stops.length > 0 ? draw.pick(stops) : undefined;
  return place && { ...aim, packet: own, stop: place };
}

const BRIDGED_SOURCE_PORT = 22_000;

/** A packet from an address that its sender's MAC is part of (RFC 4291, appendix A). */
function fromItsMac(aim: Aim): Aim | undefined {
  const { network, packet, draw, stop: wanted } = aim;
  const from = network.host(packet.ns);
  const device = network.devices.find((one) => one.ns === packet.ns && one.name === 'eth0');
  if (!from.pod || !device || network.packets.length >= 8) return undefined;
  const bytes = device.mac.split(':').map((byte) => Number.parseInt(byte, 16));
  const hex = (high: number, low: number): string => ((high << 8) | low).toString(16);
  const [a, b, c, d, e, f] = bytes as [number, number, number, number, number, number];
  const identifier = [hex(a ^ 2, b), hex(c, 0xff), hex(0xfe, d), hex(e, f)].join(':');
  const source = parseAddress(`${from.address[6].split('::')[0]}:0:${identifier}`);
  if (source === undefined) return undefined;
  const onNode = network.devices.find((one) => one.ns === from.node && one.peer.ns === from.ns)!;
  const ip = (ns: string, line: string): void => network.add({ kind: 'ip', ns, family: 6, line });
  ip(from.ns, `addr add ${source}/128 dev eth0 nodad`);
  if (onNode.bridge === undefined) ip(from.node, `route add ${source}/128 dev ${onNode.name}`);
  know(network, from.node, onNode.bridge ?? onNode.name, source, device.mac);
  const own: CasePacket = { ...packet, source, sourcePort: BRIDGED_SOURCE_PORT + network.packets.length };
  network.packets.push(own);
  const stops = network
    .stops(own)
    .filter((stop) => !stop.isReply && stop.hook === wanted.hook && stop.ns === from.node);
  return stops.length === 0 ? undefined : { ...aim, packet: own, stop: draw.pick(stops) };
}

/** The devices of the namespace where the rule stands, as IP sees them. */
function deviceOf({ stop }: Aim): string | undefined {
  return stop.input ?? stop.output;
}

export const IPV6_MATCHES: readonly XtMatch[] = [
  {
    name: 'ipv6header',
    families: [6],
    words: (aim) => {
      const names = aim.draw.pick(['prot', 'prot', 'frag', 'hop,prot', 'dst']);
      const soft = aim.draw.pick(['', ' --soft']);
      return { match: `-m ipv6header --header ${names}${soft}`, negated: `-m ipv6header ! --header ${names}${soft}` };
    },
  },
  {
    name: 'extension headers',
    // Of a header that is there the walk does not know what is in it.
    isUndecidable: true,
    families: [6],
    protocols: ['udp'],
    place: (aim) => ({ ...aim, packet: aim.draw.chance(0.8) ? aim.network.enlarged(aim.packet) : aim.packet }),
    words: (aim) => {
      const [module, words] = aim.draw.pick([
        ['frag', `--fragid 0:4294967295${aim.draw.pick(['', ' --fragfirst', ' --fragmore', ' --fraglast'])}`],
        ['frag', '--fragid 0:4294967295'],
        ['frag', '--fragid 0:4294967295'],
        ['rt', '--rt-type 0'],
        ['hbh', '--hbh-len 8'],
        ['dst', '--dst-len 8'],
      ] as const);
      // ip6tables-save leaves out a range of all ids, and with it that it was inverted (libip6t_frag.c).
      return module === 'frag' ? { match: `-m frag ${words}` } : option(module, words);
    },
  },
  {
    name: 'eui64',
    families: [6],
    hooks: RECEIVING,
    place: fromItsMac,
    words: () => ({ match: '-m eui64' }),
  },
];
