import type { Feature } from '../feature.ts';
import type { HookPoint } from '../network.ts';
import { type Aim, endsAt, HOOKS_OF } from './iptables-aim.ts';
import { targetFeature, type XtTarget } from './iptables-core.ts';

const MANGLE = HOOKS_OF.mangle!;
const BEFORE_ROUTING: readonly HookPoint[] = ['PREROUTING', 'OUTPUT'];

function target(
  name: string,
  table: string,
  hooks: readonly HookPoint[],
  words: XtTarget['words'],
  more: Partial<XtTarget> = {},
): XtTarget {
  return { name, table, hooks, weight: 1, words, ...more };
}

const MARKS: readonly XtTarget[] = [
  target(
    'MARK forms',
    'mangle',
    MANGLE,
    ({ draw }) =>
      `-j MARK --${draw.pick(['and-mark 0xf0', 'or-mark 0x11', 'xor-mark 0x41', 'set-mark 0x5/0x7', 'set-xmark 0x3/0xf'])}`,
    { witness: () => '-m mark --mark 0x1/0x1' },
  ),
  target(
    'CONNMARK',
    'mangle',
    MANGLE,
    ({ draw }) =>
      `-j CONNMARK --${draw.pick([
        'set-mark 0x1',
        'set-xmark 0x40/0xf0',
        'save-mark',
        'save-mark --nfmask 0xff --ctmask 0xff00',
        'restore-mark',
        'restore-mark --nfmask 0xf0 --ctmask 0xff',
        'or-mark 0x2',
        'set-mark 0x1 --left-shift-mark 3',
        'save-mark --nfmask 0xff --ctmask 0xff --right-shift-mark 1',
      ])}`,
    { witness: () => '-m connmark ! --mark 0x0' },
  ),
  target(
    'HMARK',
    'mangle',
    MANGLE,
    ({ draw }) =>
      `-j HMARK --hmark-tuple ${draw.pick(['src,dst', 'src,dst,sport,dport', 'src,dst,proto,sport,dport'])} --hmark-mod ${draw.pick([2, 7])} --hmark-rnd 0xcafe`,
    { witness: () => '-m mark --mark 0x1' },
  ),
  // Its events are told to nobody here.
  target('CT first', 'raw', BEFORE_ROUTING, () => '-j CT --ctevents new,destroy', { countsOnly: true }),
  target('CT zone of the mark', 'raw', BEFORE_ROUTING, () => '-j CT --zone mark'),
];

const HEADERS: readonly XtTarget[] = [
  target(
    'TOS forms',
    'mangle',
    MANGLE,
    ({ draw }) =>
      `-j TOS --${draw.pick(['and-tos 0xf0', 'or-tos 0x10', 'xor-tos 0x18', 'set-tos 0x10/0x3f', 'set-tos Minimize-Cost'])}`,
  ),
  target('DSCP class', 'mangle', MANGLE, ({ draw }) => `-j DSCP --set-dscp-class ${draw.pick(['AF11', 'EF', 'CS0'])}`),
  target(
    'ECN',
    'mangle',
    MANGLE,
    ({ packet, draw }) =>
      packet.family === 4
        ? `-j ECN ${packet.protocol === 'tcp' && draw.chance(0.5) ? '--ecn-tcp-remove' : '--ecn-ip-ect 1'}`
        : undefined,
    { protocols: ['tcp'] },
  ),
  target(
    'TCPMSS',
    'mangle',
    MANGLE,
    ({ draw }) => `-m tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss ${draw.pick([500, 1200, 1400, 9000])}`,
    {
      protocols: ['tcp'],
      witness: (words) => `-p tcp -m tcpmss --mss ${/--set-mss (\d+)/.exec(words)![1]}`,
    },
  ),
  target(
    'TCPMSS clamp',
    'mangle',
    ['FORWARD', 'FORWARD', 'POSTROUTING'],
    (aim) => {
      const { draw, network, stop } = aim;
      // Who sends by a smaller device knows by himself.
      if (stop.input === undefined && stop.hook !== 'POSTROUTING') return undefined;
      // A smaller device on the way on makes the difference.
      if (stop.output !== undefined && draw.chance(0.85)) {
        const line = `link set dev ${stop.output} mtu ${draw.pick([1300, 1400])}`;
        network.add({ kind: 'ip', ns: stop.ns, line });
      }
      return '-m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu';
    },
    { protocols: ['tcp'], witness: () => '-p tcp -m tcpmss --mss 1:1400' },
  ),
  target(
    'TCPOPTSTRIP',
    'mangle',
    MANGLE,
    ({ draw }) => `-j TCPOPTSTRIP --strip-options ${draw.pick(['mss', 'mss,md5'])}`,
    { protocols: ['tcp'], isUndecidable: true, witness: () => '-p tcp -m tcpmss --mss 1:65535' },
  ),
];

/** Proxies' ports, that nothing else listens on, from here on. */
const PROXY_PORT = 15_000;

/** A silent transparent socket where the rule stands, or none; and a rule for its mark that makes the packet local, or none. */
export function layProxy({ network, stop, packet, draw }: Aim): string | undefined {
  if (stop.isReply) return undefined;
  const { ns } = stop;
  const { family } = packet;
  const number = Number(network.unique(''));
  const port = PROXY_PORT + number;
  const address = family === 4 ? '0.0.0.0' : '::';
  if (draw.chance(0.85)) {
    const socket = { protocol: 'udp', family, address, port, transparent: true, silent: true } as const;
    network.add({ kind: 'socket', ns, socket });
  }
  if (draw.chance(0.7)) {
    const table = 1000 + number;
    network.add({ kind: 'ip', ns, family, line: `rule add fwmark 0x80/0x80 lookup ${table}` });
    network.add({ kind: 'ip', ns, family, line: `route add local default dev lo table ${table}` });
  }
  const onAddress = draw.chance(0.5) ? ` --on-ip ${family === 4 ? '127.0.0.1' : '::1'}` : '';
  return `-j TPROXY --on-port ${port}${onAddress} --tproxy-mark 0x80/0xff`;
}

/** The packet's own address comes into an empty set, or goes out of a full one. */
function addsToSet(aim: Aim): string {
  const { network, stop, packet, draw } = aim;
  const name = network.unique('w');
  const side = draw.pick(['src', 'dst'] as const);
  const ends = endsAt(aim);
  const line = (text: string): void => network.add({ kind: 'ipset', ns: stop.ns, line: text });
  line(`create ${name} hash:ip family ${packet.family === 6 ? 'inet6' : 'inet'}`);
  if (draw.chance(0.6)) return `-j SET --add-set ${name} ${side}`;
  line(`add ${name} ${side === 'src' ? ends.source : ends.destination}`);
  return `-j SET --del-set ${name} ${side}`;
}

const PROXIES: readonly XtTarget[] = [
  // It takes the SYN for itself: what follows of it the walk does not know, so that it is never decisive.
  target(
    'SYNPROXY',
    'filter',
    ['INPUT', 'FORWARD'],
    ({ stop }) =>
      stop.isReply
        ? undefined
        : '-m tcp --tcp-flags SYN,RST,ACK SYN -j SYNPROXY --sack-perm --timestamp --wscale 7 --mss 1460',
    { protocols: ['tcp'], isUndecidable: true },
  ),
  target('TPROXY', 'mangle', ['PREROUTING'], layProxy, { protocols: ['udp'], isUndecidable: true }),
];

/** What has no effect on the packet; the rule behind shows that it goes on. */
const NO_EFFECT = { countsOnly: true, witness: () => '' } as const;
/** Nobody routes it: a copy for it is lost. */
const NOWHERE = { 4: '203.0.113.77', 6: '2001:db8:77::7' } as const;

const PASSING: readonly XtTarget[] = [
  target('NFLOG', 'mangle', MANGLE, () => '-j NFLOG --nflog-group 7 --nflog-prefix "-x y"', NO_EFFECT),
  target('LOG', 'mangle', MANGLE, () => '-j LOG --log-prefix "x -j DROP "', NO_EFFECT),
  target('CLASSIFY', 'mangle', ['FORWARD', 'OUTPUT', 'POSTROUTING'], () => '-j CLASSIFY --set-class 1:2', NO_EFFECT),
  target('CHECKSUM', 'mangle', ['POSTROUTING'], () => '-j CHECKSUM --checksum-fill', {
    protocols: ['udp'],
    ...NO_EFFECT,
  }),
  target('TRACE', 'raw', BEFORE_ROUTING, () => '-j TRACE', NO_EFFECT),
  target('AUDIT', 'mangle', MANGLE, ({ draw }) => `-j AUDIT --type ${draw.pick(['accept', 'drop'])}`, NO_EFFECT),
  target(
    'TEE',
    'mangle',
    ['PREROUTING', 'INPUT', 'FORWARD', 'POSTROUTING'],
    // Pods have a default route, by which the copy would be one more frame, which no walk tells of.
    ({ packet }) => `-j TEE --gateway ${NOWHERE[packet.family]}`,
    { ...NO_EFFECT, onNodes: true },
  ),
  target(
    'RATEEST',
    'mangle',
    MANGLE,
    ({ network }) => `-j RATEEST --rateest-name ${network.unique('r')} --rateest-interval 250ms --rateest-ewmalog 0.5s`,
    NO_EFFECT,
  ),
  target(
    'IDLETIMER',
    'mangle',
    MANGLE,
    ({ network }) => `-j IDLETIMER --timeout 9 --label ${network.unique('t')}`,
    NO_EFFECT,
  ),
  target('no target', 'mangle', MANGLE, () => '', NO_EFFECT),
  // Nobody listens on the queue.
  target('NFQUEUE', 'mangle', MANGLE, ({ draw }) => `-j NFQUEUE --queue-num ${draw.pick(['7', '9'])} --queue-bypass`, {
    isUndecidable: true,
    witness: () => '',
  }),
  target('SET', 'mangle', MANGLE, addsToSet, {
    witness: (words) => `-m set --match-set ${/-set (\S+ \S+)/.exec(words)![1]}`,
  }),
  target(
    'REJECT all',
    'filter',
    HOOKS_OF.filter!,
    ({ packet, draw }) =>
      `-j REJECT --reject-with ${draw.pick(
        packet.family === 6
          ? [
              'icmp6-no-route',
              'icmp6-adm-prohibited',
              'icmp6-addr-unreachable',
              'icmp6-port-unreachable',
              'icmp6-policy-fail',
              'icmp6-reject-route',
            ]
          : [
              'icmp-net-unreachable',
              'icmp-host-unreachable',
              'icmp-proto-unreachable',
              'icmp-port-unreachable',
              'icmp-net-prohibited',
              'icmp-host-prohibited',
              'icmp-admin-prohibited',
            ],
      )}`,
  ),
];

/** Terminal ones stand back behind the others. */
const RARE = new Set(['REJECT all']);

export const IPTABLES_TARGET_FEATURES: readonly Feature[] = [...MARKS, ...PROXIES, ...HEADERS, ...PASSING].map(
  (one) => ({
    ...targetFeature(one),
    ...(RARE.has(one.name) ? { weight: 0.4 } : {}),
  }),
);
