import type { Feature } from '../feature.ts';
import { addNamed, mostly, type NftAim, type NftWords, nftMatch } from './nft-core.ts';

const EARLY = [-310];
const TRACKED = [-150, -10, 10];

function device({ stop }: NftAim): { readonly key: string; readonly name: string } | undefined {
  if (stop.input !== undefined) return { key: 'iif', name: stop.input };
  return stop.output === undefined ? undefined : { key: 'oif', name: stop.output };
}

function addressType({ ip }: NftAim): string {
  return ip === 'ip' ? 'ipv4_addr' : 'ipv6_addr';
}

function other({ ip }: NftAim): string {
  return ip === 'ip' ? '198.51.100.9' : '2001:db8:9::9';
}

/** A prefix that holds the address. */
function around(address: string, draw: NftAim['draw']): string {
  return `${address}/${address.includes(':') ? draw.pick([48, 64, 96]) : draw.pick([8, 16, 24])}`;
}

const MATCHES: readonly NftWords[] = [
  {
    name: 'device name',
    words: (aim) => {
      const found = device(aim);
      if (!found) return undefined;
      const written = aim.draw.pick([
        `"${found.name}"`,
        `"${found.name.slice(0, 2)}*"`,
        `{ "nodev", "${found.name}" }`,
      ]);
      return `${found.key}name ${mostly(aim.draw, '', '!= ')}${written}`;
    },
  },
  {
    name: 'payload ip',
    words: ({ ip, ends, draw, stop, ...aim }) => {
      const ttl = ip === 'ip' ? 'ttl' : 'hoplimit';
      return draw.pick([
        `${ip} saddr ${around(ends.source, draw)}`,
        `${ip} daddr != ${other({ ip, ends, draw, stop, ...aim })}`,
        `${ip} ${ttl} ${mostly(draw, stop.ttl, stop.ttl + 1)}`,
        `${ip} ${ttl} <= ${stop.ttl}`,
        `${ip} dscp ${draw.pick(['cs0', '!= ef', '{ cs0, af11 }'])}`,
        `${ip} version ${ip === 'ip' ? 4 : 6}`,
        `${ip} length ${draw.pick(['< 1000', '20-200', '!= 77'])}`,
        ip === 'ip' ? 'ip frag-off & 0x1fff == 0' : 'ip6 nexthdr != 43',
      ]);
    },
  },
  {
    name: 'payload transport',
    protocols: ['tcp', 'udp'],
    words: ({ packet: { protocol }, ends, draw }) =>
      draw.pick([
        `${protocol} dport { ${ends.destinationPort}, 1 }`,
        `${protocol} sport ${mostly(draw, '1024-65535', '1-1023')}`,
        `th dport != ${mostly(draw, ends.sourcePort, ends.destinationPort)}`,
        `@th,0,16 ${ends.sourcePort}`,
        `@th,16,16 & 0xfff0 == ${ends.destinationPort & 0xfff0}`,
      ]),
  },
  {
    name: 'tcp flags',
    protocols: ['tcp'],
    words: ({ draw }) =>
      `tcp flags ${draw.pick(['syn', '& (syn|ack) == syn', '& (fin|syn|rst|ack) == syn|ack', '! rst', '{ syn, syn|ack }', '!= ack'])}`,
  },
  {
    name: 'icmp',
    protocols: ['icmp'],
    words: ({ packet, draw }) => {
      const icmp = packet.family === 4 ? 'icmp' : 'icmpv6';
      return `${icmp} ${draw.pick(['type echo-request', 'type echo-reply', 'type != echo-request', 'code 0', 'type { echo-request, echo-reply }'])}`;
    },
  },
  {
    name: 'raw payload',
    words: ({ ip, draw, stop }) =>
      ip === 'ip'
        ? draw.pick([
            `@nh,64,8 ${mostly(draw, stop.ttl, stop.ttl + 1)}`,
            '@nh,0,4 4',
            '@nh,51,13 0',
            '@nh,72,8 { 1, 6, 17 }',
          ])
        : draw.pick([`@nh,56,8 ${mostly(draw, stop.ttl, stop.ttl + 1)}`, '@nh,0,4 6', '@nh,48,8 { 6, 17, 58 }']),
  },
  {
    name: 'ether',
    hooks: ['PREROUTING', 'INPUT', 'FORWARD', 'POSTROUTING', 'OUTPUT'],
    words: ({ ip, draw, table }) =>
      table.startsWith('inet') ? `ether type ${mostly(draw, '', '!= ')}${ip}` : undefined,
  },
  {
    name: 'meta',
    words: ({ packet, draw, ip }) =>
      draw.pick([
        `meta mark ${mostly(draw, packet.mark ?? 0, 3)}`,
        'meta mark & 0x40 == 0',
        'meta mark < 0x100',
        `meta length ${draw.pick(['< 1000', '20-200', '> 60', '> 2000'])}`,
        `meta protocol ${ip}`,
        `meta pkttype ${mostly(draw, 'host', 'multicast')}`,
        'meta pkttype != { broadcast, multicast }',
        `meta l4proto ${mostly(draw, packet.protocol === 'icmp' ? (ip === 'ip' ? 'icmp' : 'ipv6-icmp') : packet.protocol, 'sctp')}`,
      ]),
  },
  {
    name: 'meta device properties',
    words: (aim) => {
      const found = device(aim);
      return (
        found &&
        `${found.key}${aim.draw.pick(['type ether', 'type != loopback', 'group default', 'group 0', 'group 9', 'type loopback'])}`
      );
    },
  },
  {
    name: 'meta owner',
    hooks: ['OUTPUT'],
    words: ({ packet, stop, draw }) =>
      stop.isReply
        ? undefined
        : `meta ${draw.pick([`skuid ${packet.uid ?? 0}`, `skgid ${packet.gid ?? 0}`, 'skuid != 4711', 'skuid 4711'])}`,
  },
  {
    name: 'ct state',
    words: ({ draw }) =>
      `ct state ${draw.pick(['new', 'established', 'established,related', 'invalid', '!= invalid', '{ new, untracked }', 'new,untracked'])}`,
  },
  {
    name: 'ct keys',
    priorities: TRACKED,
    words: ({ draw, ends, ip, packet, stop }) => {
      const [first, second] = stop.isReply ? [ends.destination, ends.source] : [ends.source, ends.destination];
      return draw.pick([
        `ct direction ${stop.isReply ? 'reply' : 'original'}`,
        `ct original ${ip} saddr ${mostly(draw, first, second)}`,
        `ct original ${ip} daddr ${around(second, draw)}`,
        `ct l3proto ${ip === 'ip' ? 'ipv4' : 'ipv6'}`,
        `ct mark ${draw.pick(['0', '!= 1', '< 5'])}`,
        'ct zone 0',
        `ct status ${draw.pick(['snat', 'dnat', '& (snat|dnat) == 0', 'seen-reply', 'confirmed'])}`,
        'ct helper != "ftp"',
        ...(packet.protocol === 'icmp' ? [] : [`ct protocol ${packet.protocol}`]),
      ]);
    },
  },
  {
    name: 'fib',
    hooks: ['PREROUTING', 'INPUT', 'FORWARD'],
    words: ({ draw, stop }) =>
      draw.pick([
        'fib daddr type local',
        'fib daddr type != local',
        'fib saddr type unicast',
        'fib daddr type { local, unicast }',
        'fib saddr . iif oif exists',
        'fib saddr . iif oif missing',
        'fib saddr oif exists',
        ...(stop.input === undefined
          ? []
          : [`fib saddr oifname "${stop.input}"`, `fib saddr . iif oifname "${stop.input}"`]),
      ]),
  },
  {
    name: 'fib mark',
    hooks: ['PREROUTING', 'INPUT'],
    words: ({ draw }) => `fib saddr . mark ${draw.pick(['. iif ', ''])}oif ${mostly(draw, 'exists', 'missing')}`,
  },
  {
    name: 'rt nexthop',
    hooks: ['FORWARD', 'POSTROUTING', 'OUTPUT'],
    words: ({ ip, ends, draw }) => `rt ${ip} nexthop ${mostly(draw, '!= ', '')}${ends.source}`,
  },
  {
    name: 'exthdr',
    words: ({ ip, draw }) =>
      ip === 'ip'
        ? draw.pick(['ip option rr missing', 'ip option lsrr exists'])
        : draw.pick(['exthdr frag missing', 'exthdr hbh exists', 'exthdr rt missing']),
  },
  {
    name: 'tcp option',
    protocols: ['tcp'],
    words: ({ draw }) => `tcp option maxseg ${draw.pick(['exists', 'missing', 'size > 500', 'size 1-9000'])}`,
  },
  {
    name: 'socket',
    hooks: ['PREROUTING', 'INPUT'],
    protocols: ['tcp'],
    words: ({ stop, draw }) => (stop.isReply ? undefined : `socket wildcard ${mostly(draw, 1, 0)}`),
  },
  {
    name: 'jhash',
    words: ({ ip, draw }) => {
      const what = draw.pick([`${ip} saddr`, `${ip} saddr . ${ip} daddr`, `${ip} daddr . meta l4proto`]);
      return `jhash ${what} mod ${draw.pick([2, 3])} seed 0x${draw.int(1, 9999).toString(16)} ${draw.pick(['== 0', '!= 0', '< 1'])}`;
    },
  },
  { name: 'numgen', isUndecidable: true, words: ({ draw }) => `numgen ${draw.pick(['random', 'inc'])} mod 2 0` },
  { name: 'symhash', isUndecidable: true, words: () => 'symhash mod 2 0' },
  {
    name: 'meta of chance',
    isUndecidable: true,
    words: ({ draw }) =>
      `meta ${draw.pick(['cpu 0-7', 'cpu 4000-4007', 'random < 2147483648', 'hour "00:00"-"23:59"', 'day { 0, 1, 2, 3, 4, 5, 6 }', 'cgroup 0', 'cgroup 9'])}`,
  },
  {
    name: 'ct of the entry',
    isUndecidable: true,
    priorities: TRACKED,
    words: ({ draw }) =>
      `ct ${draw.pick(['bytes < 100000', 'packets < 9', 'expiration < 1h', 'label != 5', 'original packets < 9', 'packets > 99'])}`,
  },
  {
    name: 'object',
    isUndecidable: true,
    words: (aim) => {
      const name = aim.network.unique('o');
      const [kind, definition] = aim.draw.pick([
        ['quota', 'over 1 bytes'],
        ['quota', '1 mbytes'],
        ['quota', 'over 1 mbytes'],
        ['limit', 'rate 10/second'],
      ] as const);
      aim.network.add({ kind: 'nft', ns: aim.stop.ns, line: `add ${kind} ${aim.table} ${name} { ${definition} ; }` });
      return `${kind} name "${name}"`;
    },
  },
  { name: 'limit', isUndecidable: true, words: ({ draw }) => `limit rate ${draw.pick(['', 'over '])}10/second` },
  { name: 'quota', isUndecidable: true, words: ({ draw }) => `quota ${mostly(draw, 'until', 'over')} 1 mbytes` },
  {
    name: 'connlimit',
    isUndecidable: true,
    priorities: TRACKED,
    words: ({ draw }) => `ct count ${mostly(draw, '', 'over ')}1`,
  },
  {
    name: 'anonymous set',
    words: (aim) => {
      const { ip, ends, draw } = aim;
      return draw.pick([
        `${ip} saddr { ${other(aim)}, ${mostly(draw, ends.source, ends.destination)} }`,
        `${ip} daddr != { ${other(aim)}, ${mostly(draw, ends.source, ends.destination)} }`,
        `${ip} saddr { ${around(ends.source, draw)}, ${other(aim)} }`,
        `${ip} saddr . ${ip} daddr { ${ends.source} . ${ends.destination}, ${other(aim)} . ${ends.source} }`,
      ]);
    },
  },
  {
    name: 'named set',
    words: (aim) => {
      const { ip, ends, draw } = aim;
      const flags = draw.pick(['', 'flags interval; ', 'flags timeout; timeout 1h; ']);
      const held = flags.includes('interval') ? around(ends.source, draw) : ends.source;
      const elements = `${mostly(draw, held, other(aim))}, ${ip === 'ip' ? '203.0.113.1' : '2001:db8:77::1'}`;
      return `${ip} saddr ${draw.pick(['', '!= '])}${addNamed(aim, 'set', `type ${addressType(aim)}; ${flags}elements = { ${elements} }`)}`;
    },
  },
  {
    name: 'concatenated interval set',
    protocols: ['tcp', 'udp'],
    words: (aim) => {
      const { ip, ends, draw } = aim;
      const port = `${Math.max(1, ends.destinationPort - 5)}-${ends.destinationPort + mostly(draw, 5, -1)}`;
      const elements = `${around(ends.source, draw)} . ${port}, ${other(aim)} . 1-9`;
      const set = addNamed(
        aim,
        'set',
        `type ${addressType(aim)} . inet_service; flags interval; elements = { ${elements} }`,
      );
      return `${ip} saddr . th dport ${set}`;
    },
  },
  {
    name: 'state before tracking',
    hooks: ['PREROUTING', 'OUTPUT'],
    priorities: EARLY,
    words: ({ draw }) =>
      mostly(draw, 'ct state invalid', draw.pick(['ct state new', 'ct mark 0', 'ct direction original'])),
  },
];

export const NFT_MATCH_FEATURES: readonly Feature[] = MATCHES.map(nftMatch);
