import type { HookPoint } from '../network.ts';
import type { Aim, XtMatch } from './iptables-core.ts';
import { isIpv6, option, RECEIVING } from './iptables-words.ts';

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
    words: ({ draw }) => {
      const words = draw.pick(['--physdev-in v1', '--physdev-in v+', '--physdev-is-in', '--physdev-is-bridged']);
      return option('physdev', words);
    },
  },
  {
    name: 'physdev out',
    hooks: ['FORWARD', 'POSTROUTING'],
    words: ({ draw }) => ({
      match: `-m physdev ${draw.pick(['--physdev-is-bridged --physdev-out v2', '--physdev-is-bridged ! --physdev-out v2'])}`,
      negated: '-m physdev ! --physdev-is-out',
    }),
  },
  {
    name: 'addrtype kinds',
    words: (aim) => {
      const { draw } = aim;
      const kinds = isIpv6(aim)
        ? ['LOCAL', 'UNICAST', 'LOCAL,UNICAST', 'MULTICAST', 'UNREACHABLE', 'LOCAL,UNREACHABLE']
        : ['LOCAL', 'UNICAST', 'LOCAL,BROADCAST', 'BROADCAST', 'MULTICAST,LOCAL', 'UNREACHABLE', 'BLACKHOLE,LOCAL'];
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
    words: ({ draw }) => ({ match: `-m socket${draw.pick(['', ' --nowildcard', ' --transparent'])}` }),
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
  { name: 'cgroup', hooks: ['POSTROUTING'], isUndecidable: true, words: () => option('cgroup', '--cgroup 1') },
];

/** The devices of the namespace where the rule stands, as IP sees them. */
function deviceOf({ stop }: Aim): string | undefined {
  return stop.input ?? stop.output;
}

export const IPV6_MATCHES: readonly XtMatch[] = [
  {
    name: 'ipv6header',
    words: (aim) => {
      const names = aim.draw.pick(['prot', 'frag', 'hop,prot', 'dst']);
      const soft = aim.draw.pick(['', ' --soft']);
      if (!isIpv6(aim)) return undefined;
      return { match: `-m ipv6header --header ${names}${soft}`, negated: `-m ipv6header ! --header ${names}${soft}` };
    },
  },
  {
    name: 'extension headers',
    words: (aim) => {
      if (!isIpv6(aim)) return undefined;
      const [module, words] = aim.draw.pick([
        ['frag', '--fragid 0:4294967295'],
        ['rt', '--rt-type 0'],
        ['hbh', '--hbh-len 8'],
        ['dst', '--dst-len 8'],
      ] as const);
      return option(module, words);
    },
  },
  { name: 'eui64', hooks: RECEIVING, words: (aim) => (isIpv6(aim) ? { match: '-m eui64' } : undefined) },
];
