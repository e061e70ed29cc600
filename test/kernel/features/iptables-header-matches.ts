import type { Aim } from './iptables-aim.ts';
import { endsAt } from './iptables-aim.ts';
import type { XtMatch } from './iptables-core.ts';
import { isIpv6, near, option, otherAddress, someAddress } from './iptables-words.ts';

/** Matches of header fields. */
export const HEADER_MATCHES: readonly XtMatch[] = [
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
    turns: 0.7,
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

function hasPorts({ packet }: Aim): boolean {
  return packet.protocol !== 'icmp';
}
