import { type Aim, endsAt } from './iptables-aim.ts';
import type { MatchWords, XtMatch } from './iptables-core.ts';
import { isIpv6, near, option } from './iptables-words.ts';

/** Matches of ports, flags and types. */
export const TRANSPORT_MATCHES: readonly XtMatch[] = [
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
      const { draw, network, stop } = aim;
      const [own, name] = stop.isReply ? ['0', 'echo-reply'] : ['8', 'echo-request'];
      const [own6, name6] = stop.isReply ? ['129', 'echo-reply'] : ['128', 'echo-request'];
      // Where neighbours ask each other, the rule would meet their questions.
      if (isIpv6(aim) && network.realNeighbours) return undefined;
      return isIpv6(aim)
        ? option('icmp6', `--icmpv6-type ${draw.pick([own6, name6, `${own6}/0`, 'echo-reply', '1/4', '128/1'])}`)
        : option('icmp', `--icmp-type ${draw.pick([own, name, `${own}/0`, 'echo-reply', '3/3', '8/1', 'any'])}`);
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
