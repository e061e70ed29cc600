import type { Feature } from '../feature.ts';
import type { HookPoint } from '../network.ts';
import { type Aim, endsAt, type MatchWords, matchFeature, type XtMatch } from './iptables-core.ts';

/** Tables behind conntrack, where a packet has its connection. */
const TRACKED = ['mangle', 'filter', 'security'] as const;
const RECEIVING: readonly HookPoint[] = ['PREROUTING', 'INPUT', 'FORWARD'];
const SENDING: readonly HookPoint[] = ['FORWARD', 'OUTPUT', 'POSTROUTING'];

/** An option in a module: as it is and turned round. */
function option(module: string, words: string): MatchWords {
  return { match: `-m ${module} ${words}`, negated: `-m ${module} ! ${words}` };
}

function near({ draw }: Aim, value: number): number {
  return draw.chance(0.75) ? value : value + draw.pick([-1, 1]);
}

function isIpv6({ packet }: Aim): boolean {
  return packet.family === 6;
}

/** The host part of an address turned: one that no packet has. */
function otherAddress(address: string): string {
  return address.includes(':') ? `${address}9` : address.replace(/\d+$/, (last) => String(Number(last) + 100));
}

function someAddress(aim: Aim, address: string): string {
  return aim.draw.chance(0.75) ? address : otherAddress(address);
}

/** The devices of the namespace where the rule stands, as IP sees them. */
function deviceOf({ stop }: Aim): string | undefined {
  return stop.input ?? stop.output;
}

function connectionEnds(aim: Aim): {
  readonly client: string;
  readonly server: string;
  readonly ports: [number, number];
} {
  const { packet, network } = aim;
  const client = packet.source ?? network.host(packet.ns).address[packet.family];
  return { client, server: packet.destination, ports: [packet.sourcePort, packet.destinationPort] };
}

function hasPorts({ packet }: Aim): boolean {
  return packet.protocol !== 'icmp';
}

const HEADER_MATCHES: readonly XtMatch[] = [
  {
    name: 'dscp',
    words: (aim) => {
      const value = (aim.stop.isReply ? 0 : (aim.packet.tos ?? 0)) >> 2;
      return aim.draw.pick([
        option('dscp', `--dscp ${aim.draw.chance(0.75) ? value : 0x2e}`),
        option('dscp', `--dscp-class ${aim.draw.pick(['AF11', 'EF', 'CS0', 'BE'])}`),
      ]);
    },
  },
  {
    name: 'tos',
    words: (aim) => {
      const tos = aim.stop.isReply ? 0 : (aim.packet.tos ?? 0);
      const mask = aim.draw.pick([0xff, 0x3f, 0x1c]);
      const value = aim.draw.chance(0.75) ? tos & mask : 0x08 & mask;
      return option('tos', `--tos 0x${value.toString(16)}/0x${mask.toString(16)}`);
    },
  },
  { name: 'ecn ip', words: ({ draw }) => option('ecn', `--ecn-ip-ect ${draw.pick([0, 0, 1, 2])}`) },
  {
    name: 'ecn tcp',
    isUndecidable: true,
    protocols: ['tcp'],
    words: ({ draw }) => option('ecn', draw.pick(['--ecn-tcp-ece', '--ecn-tcp-cwr'])),
  },
  {
    name: 'length range',
    words: (aim) => {
      const { packet, draw } = aim;
      const header = packet.family === 6 ? 40 : 20;
      const bytes =
        packet.protocol === 'tcp' ? header + 40 : header + packet.payloadBytes + (packet.protocol === 'udp' ? 8 : 0);
      const length = near(aim, bytes);
      return option(
        'length',
        `--length ${draw.pick([`${length}`, `${length}:${length + 9}`, `0:${length}`, `${length}:`])}`,
      );
    },
  },
  {
    name: 'ttl lt gt',
    words: ({ packet, stop, draw }) => {
      const module = packet.family === 6 ? 'hl' : 'ttl';
      const value = Math.max(0, stop.ttl + draw.pick([-1, 0, 1]));
      const test = draw.pick(['lt', 'gt']);
      return { match: `-m ${module} --${module}-${test} ${value}` };
    },
  },
  {
    name: 'u32',
    words: (aim) => {
      const { packet, draw } = aim;
      const { destinationPort } = endsAt(aim);
      const at = isIpv6(aim) ? '42&0xffff=' : '0>>22&0x3C@0&0xffff=';
      const number = { tcp: 6, udp: 17, icmp: isIpv6(aim) ? 58 : 1 }[packet.protocol];
      const protocol = isIpv6(aim) ? `3&0xff=${number}` : `6&0xff=${number}`;
      const hops = isIpv6(aim) ? `4&0xff=${near(aim, aim.stop.ttl)}` : `5&0xff=${near(aim, aim.stop.ttl)}`;
      const ports = hasPorts(aim) && !isIpv6(aim) ? [`${at}${destinationPort}`, `${at}0:1023,8080`] : [];
      const program = draw.pick([protocol, hops, `${protocol}&&${hops}`, ...ports]);
      return option('u32', `--u32 "${program}"`);
    },
  },
  {
    name: 'iprange',
    words: (aim) => {
      const ends = endsAt(aim);
      const [name, address] = aim.draw.pick([
        ['--src-range', ends.source],
        ['--dst-range', ends.destination],
      ] as const);
      const from = someAddress(aim, address);
      return option('iprange', `${name} ${from}-${otherAddress(from)}`);
    },
  },
];

const TRANSPORT_MATCHES: readonly XtMatch[] = [
  {
    name: 'tcp flags',
    protocols: ['tcp'],
    words: ({ draw }) =>
      option(
        'tcp',
        draw.pick([
          '--tcp-flags FIN,SYN,RST,ACK SYN',
          '--tcp-flags SYN,ACK SYN,ACK',
          '--tcp-flags ALL ACK',
          '--tcp-flags RST RST',
          '--syn',
        ]),
      ),
  },
  {
    name: 'tcp option',
    protocols: ['tcp'],
    words: () => option('tcp', '--tcp-option 2'),
  },
  {
    name: 'tcp ports',
    protocols: ['tcp'],
    words: (aim) => portWords(aim, 'tcp'),
  },
  {
    name: 'udp ports',
    protocols: ['udp'],
    words: (aim) => portWords(aim, 'udp'),
  },
  {
    name: 'multiport',
    protocols: ['tcp', 'udp'],
    words: (aim) => {
      const ends = endsAt(aim);
      const port = aim.draw.pick([ends.sourcePort, ends.destinationPort]);
      const list = aim.draw.pick([`${port}`, `1,${port}`, `5,${Math.max(0, port - 3)}:${port + 3},70`, '1:4,9']);
      return option('multiport', `--${aim.draw.pick(['sports', 'dports', 'ports'])} ${list}`);
    },
  },
  {
    name: 'icmp',
    protocols: ['icmp'],
    words: (aim) => {
      const { draw, network } = aim;
      // Where neighbours ask each other, the rule would meet their questions.
      if (isIpv6(aim) && network.realNeighbours) return undefined;
      return isIpv6(aim)
        ? option('icmp6', `--icmpv6-type ${draw.pick(['128', 'echo-reply', '129/0', '1/4', '128/1'])}`)
        : option('icmp', `--icmp-type ${draw.pick(['8', 'echo-reply', '8/0', '3/3', '8/1', 'any'])}`);
    },
  },
  {
    name: 'tcpmss',
    protocols: ['tcp'],
    words: ({ draw }) => option('tcpmss', `--mss ${draw.pick(['1:65535', '1400:1500', '1:1000', '1460'])}`),
  },
];

function portWords(aim: Aim, module: string): MatchWords {
  const ends = endsAt(aim);
  const [name, port] = aim.draw.pick([
    ['--sport', ends.sourcePort],
    ['--dport', ends.destinationPort],
  ] as const);
  const text = aim.draw.pick([`${near(aim, port)}`, `${port}:`, `:${port}`, `${port + 1}:${port + 9}`, '0:65535']);
  // iptables-save leaves out the whole range, and its negation as well, which nothing matches.
  return text === '0:65535' ? { match: `-m ${module} ${name} ${text}` } : option(module, `${name} ${text}`);
}

const CONNECTION_MATCHES: readonly XtMatch[] = [
  {
    name: 'conntrack addresses',
    tables: TRACKED,
    words: (aim) => {
      const { client, server } = connectionEnds(aim);
      const [name, address] = aim.draw.pick([
        ['--ctorigsrc', client],
        ['--ctorigdst', server],
        ['--ctreplsrc', server],
        ['--ctrepldst', client],
      ] as const);
      return option('conntrack', `${name} ${someAddress(aim, address)}`);
    },
  },
  {
    name: 'conntrack ports',
    tables: TRACKED,
    protocols: ['tcp', 'udp'],
    words: (aim) => {
      const [client, server] = connectionEnds(aim).ports;
      const [name, port] = aim.draw.pick([
        ['--ctorigsrcport', client],
        ['--ctorigdstport', server],
        ['--ctreplsrcport', server],
        ['--ctrepldstport', client],
      ] as const);
      const number = { tcp: 6, udp: 17, icmp: 1 }[aim.packet.protocol];
      const range = aim.draw.pick([`${port}`, `${port}:${port + 5}`, '1:2']);
      return {
        match: `-m conntrack --ctproto ${number} ${name} ${range}`,
        negated: `-m conntrack --ctproto ${number} ! ${name} ${range}`,
      };
    },
  },
  {
    name: 'conntrack ctproto',
    tables: TRACKED,
    words: ({ draw }) => option('conntrack', `--ctproto ${draw.pick([6, 17, 1, 58])}`),
  },
  {
    name: 'conntrack ctdir',
    tables: TRACKED,
    words: ({ draw }) => {
      const [match, negated] = draw.pick([
        ['ORIGINAL', 'REPLY'],
        ['REPLY', 'ORIGINAL'],
      ] as const);
      return { match: `-m conntrack --ctdir ${match}`, negated: `-m conntrack --ctdir ${negated}` };
    },
  },
  {
    name: 'conntrack ctstatus',
    tables: TRACKED,
    words: ({ draw }) =>
      option(
        'conntrack',
        `--ctstatus ${draw.pick(['CONFIRMED', 'SEEN_REPLY', 'NONE', 'EXPECTED', 'SEEN_REPLY,CONFIRMED'])}`,
      ),
  },
  {
    name: 'conntrack state and more',
    tables: ['raw', ...TRACKED],
    words: ({ draw }) => {
      const state = draw.pick(['INVALID', '! NEW', 'UNTRACKED,INVALID', 'ESTABLISHED', 'INVALID,NEW']);
      const [turned, names] = state.startsWith('!') ? ['! ', state.slice(2)] : ['', state];
      const other = draw.pick(['--ctproto 6', '! --ctproto 6', '--ctdir REPLY', '! --ctstatus CONFIRMED']);
      return { match: `-m conntrack ${turned}--ctstate ${names} ${other}` };
    },
  },
  {
    name: 'conntrack no state',
    tables: ['raw', ...TRACKED],
    words: ({ draw }) =>
      option('conntrack', draw.pick(['--ctproto 250', '--ctstatus NONE', '--ctorigsrc 192.0.2.1'].slice(0, 2))),
  },
  {
    name: 'state',
    tables: TRACKED,
    words: ({ draw }) => option('state', `--state ${draw.pick(['NEW', 'RELATED,ESTABLISHED', 'INVALID,UNTRACKED'])}`),
  },
  {
    name: 'connmark',
    tables: ['raw', ...TRACKED],
    words: ({ draw }) => option('connmark', `--mark ${draw.pick(['0x0', '0x1', '0x0/0xff', '0x40/0x40'])}`),
  },
  { name: 'helper', tables: ['raw', ...TRACKED], words: () => option('helper', '--helper ftp') },
  {
    name: 'connlabel',
    tables: TRACKED,
    isUndecidable: true,
    words: ({ draw }) => ({
      match: `-m connlabel --label 5${draw.pick(['', ' --set'])}`,
      negated: '-m connlabel ! --label 5',
    }),
  },
  {
    name: 'connbytes',
    tables: TRACKED,
    isUndecidable: true,
    words: ({ draw }) => {
      const rest = `--connbytes-mode ${draw.pick(['packets', 'bytes', 'avgpkt'])} --connbytes-dir ${draw.pick(['original', 'reply', 'both'])}`;
      const range = draw.pick(['1:1', '1:', '60:2000', '0:0']);
      return {
        match: `-m connbytes --connbytes ${range} ${rest}`,
        negated: `-m connbytes ! --connbytes ${range} ${rest}`,
      };
    },
  },
  {
    name: 'connlimit',
    tables: TRACKED,
    isUndecidable: true,
    words: ({ draw }) => {
      const limit = draw.pick([0, 2]);
      const rest = `${limit} --connlimit-mask ${draw.pick([0, 24])}`;
      return { match: `-m connlimit --connlimit-above ${rest}`, negated: `-m connlimit --connlimit-upto ${rest}` };
    },
  },
];

const PLACE_MATCHES: readonly XtMatch[] = [
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

const IPV6_MATCHES: readonly XtMatch[] = [
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

/** What no state decides, so that the walk goes both ways. */
const CHANCE_MATCHES: readonly XtMatch[] = [
  {
    name: 'statistic random',
    isUndecidable: true,
    words: ({ draw }) => {
      const probability = draw.pick(['0.5', '1', '0']);
      return {
        match: `-m statistic --mode random --probability ${probability}`,
        negated: `-m statistic --mode random ! --probability ${probability}`,
      };
    },
  },
  {
    name: 'statistic nth',
    isUndecidable: true,
    words: () => ({ match: '-m statistic --mode nth --every 2 --packet 0' }),
  },
  {
    name: 'limit',
    isUndecidable: true,
    words: ({ draw }) => ({ match: `-m limit --limit ${draw.pick(['1/hour --limit-burst 1', '5/sec'])}` }),
  },
  {
    name: 'hashlimit',
    isUndecidable: true,
    words: ({ draw, network }) => {
      const words = `1/hour --hashlimit-burst 2 --hashlimit-mode ${draw.pick(['srcip', 'dstip,dstport'])} --hashlimit-name ${network.unique('h')}`;
      return { match: `-m hashlimit --hashlimit-upto ${words}`, negated: `-m hashlimit --hashlimit-above ${words}` };
    },
  },
  {
    name: 'recent',
    isUndecidable: true,
    words: ({ draw }) => ({
      match: `-m recent ${draw.pick(['--set', '--rcheck', '--update --seconds 60', '--remove'])} --name K`,
    }),
  },
  { name: 'quota', isUndecidable: true, words: ({ draw }) => option('quota', `--quota ${draw.pick([0, 50, 100000])}`) },
  { name: 'time', isUndecidable: true, words: () => option('time', '--weekdays Mon,Tue,Wed') },
  {
    name: 'string',
    isUndecidable: true,
    words: ({ draw }) => {
      const text = draw.pick(['a', 'zzz']);
      return { match: `-m string --string ${text} --algo bm`, negated: `-m string ! --string ${text} --algo bm` };
    },
  },
  {
    name: 'bpf',
    isUndecidable: true,
    words: ({ packet }) =>
      packet.family === 4 ? { match: '-m bpf --bytecode "4,48 0 0 9,21 0 1 6,6 0 0 1,6 0 0 0"' } : undefined,
  },
  { name: 'cpu', isUndecidable: true, words: () => option('cpu', '--cpu 0') },
  {
    name: 'policy',
    isUndecidable: true,
    hooks: ['PREROUTING', 'INPUT', 'FORWARD'],
    words: () => ({ match: '-m policy --dir in --pol none', negated: '-m policy --dir in --pol ipsec' }),
  },
  {
    name: 'realm',
    isUndecidable: true,
    hooks: ['INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
    words: ({ packet }) => (packet.family === 4 ? option('realm', '--realm 0x0') : undefined),
  },
  { name: 'comment', words: () => ({ match: '-m comment --comment "said by the rule"' }) },
];

export const IPTABLES_MATCH_FEATURES: readonly Feature[] = [
  ...HEADER_MATCHES,
  ...TRANSPORT_MATCHES,
  ...CONNECTION_MATCHES,
  ...PLACE_MATCHES,
  ...IPV6_MATCHES,
  ...CHANCE_MATCHES,
].map(matchFeature);
