import type { Aim } from './iptables-aim.ts';
import type { XtMatch } from './iptables-core.ts';
import { option, someAddress, TRACKED } from './iptables-words.ts';

/** Matches of the packet's connection. */
export const CONNECTION_MATCHES: readonly XtMatch[] = [
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
    words: ({ draw, packet }) => {
      const own = { tcp: 6, udp: 17, icmp: packet.family === 6 ? 58 : 1 }[packet.protocol];
      return option('conntrack', `--ctproto ${draw.pick([own, own, own, 6, 17, 1, 58])}`);
    },
  },
  {
    name: 'conntrack ctdir',
    tables: TRACKED,
    words: ({ draw, stop }) => {
      const isReply = draw.chance(0.8) ? stop.isReply : !stop.isReply;
      const [match, negated] = isReply ? ['REPLY', 'ORIGINAL'] : ['ORIGINAL', 'REPLY'];
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
    turns: 0.7,
    tables: ['raw', ...TRACKED],
    words: ({ draw }) =>
      option('conntrack', draw.pick(['--ctproto 250', '--ctstatus NONE', '--ctorigsrc 192.0.2.1'].slice(0, 2))),
  },
  {
    name: 'state',
    tables: TRACKED,
    words: ({ draw, stop }) => {
      const own = stop.isReply ? 'RELATED,ESTABLISHED' : 'NEW';
      return option('state', `--state ${draw.pick([own, own, 'NEW', 'RELATED,ESTABLISHED', 'INVALID,UNTRACKED'])}`);
    },
  },
  {
    name: 'connmark',
    tables: ['raw', ...TRACKED],
    words: ({ draw }) => option('connmark', `--mark ${draw.pick(['0x0', '0x1', '0x0/0xff', '0x40/0x40'])}`),
  },
  {
    name: 'conntrack ctexpire',
    tables: TRACKED,
    isUndecidable: true,
    words: ({ draw }) => option('conntrack', `--ctexpire ${draw.pick(['0:1000000', '0', '100000:200000'])}`),
  },
  { name: 'helper', turns: 0.6, tables: ['raw', ...TRACKED], words: () => option('helper', '--helper ftp') },
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

function connectionEnds(aim: Aim): {
  readonly client: string;
  readonly server: string;
  readonly ports: [number, number];
} {
  const { packet, network } = aim;
  const client = packet.source ?? network.host(packet.ns).address[packet.family];
  return { client, server: packet.destination, ports: [packet.sourcePort, packet.destinationPort] };
}
