import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { L4 } from '../net/packet.ts';
import { hostOf } from '../net/place.ts';
import { parseIptablesRule, parseIptablesSave } from '../parse/iptables-save.ts';
import { compileMatches, isModelled } from './iptables-match.ts';
import { buildHookInput, ECHO, SYN, tcpSyn, udpTo } from './testing/build-hook-input.ts';
import { snapshotOfTexts, type TextFact } from './testing/build-snapshot.ts';

const W1 = hostOf('w1');

type Overrides = Parameters<typeof buildHookInput>[1];

/** yes, no or unknown: whether a rule of these words matches. */
function matches(words: string, input: Overrides = {}, facts: readonly TextFact[] = []): string {
  const rule = parseIptablesRule(`-A FORWARD ${words} -j ACCEPT`, 1)!;
  const { chance } = compileMatches(rule.matches).evaluate(buildHookInput(snapshotOfTexts(facts), input));
  return chance.min === 1 ? 'yes' : chance.max === 0 ? 'no' : 'unknown';
}

const fixture = (name: string): string => readFileSync(new URL(`../parse/fixtures/${name}`, import.meta.url), 'utf8');

describe('every match that iptables knows', () => {
  it.each(['iptables-legacy', 'iptables-nft', 'ip6tables-legacy', 'ip6tables-nft'])(
    'of %s is parsed and either decided or undecidable by name',
    (tool) => {
      const { value, unparsed } = parseIptablesSave(fixture(`${tool}-extensions-1.8.9.txt`));
      expect(unparsed).toEqual([]);
      const rules = value.tables.flatMap((table) => table.chains.flatMap((chain) => chain.rules));
      expect(rules.length).toBeGreaterThan(tool.startsWith('ip6') ? 50 : 200);
      const open = rules.flatMap((rule) => rule.matches.filter((match) => !isModelled(match)));
      expect(open).toEqual([]);
    },
  );

  it('an option that is not known leaves the module undecided', () => {
    expect(matches('-m limit --limit 5/sec --some-day 3')).toBe('unknown');
    expect(isModelled({ module: 'ttl', options: [{ name: 'ttl-ne', negated: false, values: ['3'] }] })).toBe(false);
  });
});

const LATER_FRAGMENT = { packet: { l4: SYN, fragmentOffset: 1480 } };
const STATE_NEW = { meta: { conntrack: 'new' as const } };

describe('a fragment but the first', () => {
  it.each([
    ['-f', 'yes'],
    ['! -f', 'no'],
    ['-p tcp', 'yes'],
    ['-p tcp -m tcp --dport 8080', 'no'],
    ['-p tcp -m tcp ! --dport 80', 'no'],
    ['-p tcp -m tcp ! --tcp-flags SYN SYN', 'no'],
    ['-p tcp -m multiport ! --dports 80,443', 'no'],
  ])('%s', (words, expected) => {
    expect(matches(words, LATER_FRAGMENT)).toBe(expected);
  });
});

describe('selectors', () => {
  it.each([
    ['-p 6', 'yes'],
    ['-p all', 'yes'],
    ['! -p 17', 'yes'],
    ['! -p tcp', 'no'],
    ['-p sctp', 'no'],
    ['-s 10.0.0.5/255.0.0.255', 'yes'],
    ['-s 10.0.0.6/255.0.0.255', 'no'],
    ['! -s 10.0.0.6/255.0.0.255', 'yes'],
    ['-i +', 'yes'],
    ['-i cni0+', 'yes'],
    ['-i cni00', 'no'],
  ])('%s', (words, expected) => {
    expect(matches(words)).toBe(expected);
  });

  it('knows protocols by their names in /etc/protocols', () => {
    for (const [name, protocol] of [
      ['vrrp', 112],
      ['mobility-header', 135],
      ['ipv6-frag', 44],
      ['253', 253],
    ] as const) {
      expect(matches(`-p ${name}`, { packet: { l4: { protocol } } })).toBe('yes');
    }
  });
});

describe('conntrack without a connection', () => {
  const invalid = { meta: { conntrack: 'invalid' as const } };
  it.each([
    ['-m conntrack --ctstate INVALID --ctproto 17', 'yes'],
    ['-m conntrack --ctstate INVALID --ctdir REPLY', 'yes'],
    ['-m conntrack ! --ctstate NEW --ctorigdst 9.9.9.9', 'yes'],
    ['-m conntrack --ctproto 6', 'no'],
    ['-m conntrack ! --ctproto 17', 'no'],
    ['-m conntrack ! --ctstatus CONFIRMED', 'no'],
    ['-m connmark ! --mark 0x1', 'no'],
    ['-m connlabel ! --label "5"', 'yes'],
    ['-m helper ! --helper ftp', 'yes'],
    ['-m connbytes ! --connbytes 10 --connbytes-mode bytes --connbytes-dir both', 'no'],
  ])('%s', (words, expected) => {
    expect(matches(words, invalid)).toBe(expected);
  });
});

describe('conntrack', () => {
  const connection = {
    original: {
      protocol: 'tcp',
      source: '10.244.0.5',
      sourcePort: 40000,
      destination: '10.96.0.10',
      destinationPort: 80,
    },
    answer: {
      protocol: 'tcp',
      source: '10.244.1.7',
      sourcePort: 8080,
      destination: '10.244.0.5',
      destinationPort: 40000,
    },
    reply: false,
    status: { expected: 'no', seenReply: 'no', assured: 'unknown', confirmed: 'yes' },
  } as const;
  const input = { ...STATE_NEW, connection };
  it.each([
    ['-m conntrack --ctorigdst 10.96.0.0/16 --ctorigdstport 80', 'yes'],
    ['-m conntrack ! --ctorigsrc 10.244.0.5', 'no'],
    ['-m conntrack --ctreplsrc 10.244.1.7 --ctreplsrcport 8000:9000', 'yes'],
    ['-m conntrack --ctrepldstport 1024:65535 ! --ctrepldst 10.0.0.1', 'yes'],
    ['-m conntrack --ctproto 6', 'yes'],
    ['-m conntrack --ctstatus CONFIRMED', 'yes'],
    ['-m conntrack --ctstatus ASSURED,EXPECTED', 'unknown'],
    ['-m conntrack --ctstatus SEEN_REPLY', 'no'],
    ['-m conntrack --ctstatus NONE', 'no'],
    ['-m conntrack ! --ctstatus NONE', 'yes'],
    ['-m conntrack --ctexpire 5:10', 'unknown'],
    ['-m conntrack --ctproto 17 --ctexpire 5:10', 'no'],
    ['-m helper --helper ftp', 'no'],
    ['-m connlabel --label 5', 'unknown'],
    ['-m connlabel --label 5 --set', 'yes'],
    ['-m connlimit --connlimit-above 0 --connlimit-mask 32 --connlimit-saddr', 'yes'],
    ['-m connlimit --connlimit-upto 3 --connlimit-mask 32 --connlimit-saddr', 'unknown'],
  ])('%s', (words, expected) => {
    expect(matches(words, input)).toBe(expected);
  });

  it('of an ICMP error is about the connection that it quotes', () => {
    const l4: L4 = { protocol: 'icmp', type: 3, code: 4 };
    const error = { packet: { l4 }, meta: { conntrack: 'related' as const }, connection };
    expect(matches('-m conntrack --ctproto 6', error)).toBe('yes');
    expect(matches('-m conntrack --ctproto 1', error)).toBe('no');
  });

  it('of an echo has the id as source port, type and code as destination port', () => {
    const original = { protocol: 'icmp', source: '10.0.0.1', sourcePort: 7, destination: '10.0.0.2', type: 8, code: 0 };
    const echo = { packet: { l4: ECHO }, ...STATE_NEW, connection: { original, reply: false } };
    expect(matches('-p icmp -m conntrack --ctproto 1 --ctorigsrcport 7 --ctorigdstport 2048', echo)).toBe('yes');
  });

  it('counts the first packet where accounting is on', () => {
    const first = {
      ...input,
      connection: { ...connection, status: { ...connection.status, confirmed: 'no' } as const },
    };
    const acct = (value: number): TextFact[] => [
      [
        'sysctls',
        W1,
        {},
        JSON.stringify({ files: [{ path: '/proc/sys/net/netfilter/nf_conntrack_acct', text: `${value}\n` }] }),
      ],
    ];
    const rule = (range: string, mode: string, direction: string) =>
      `-m connbytes ${range} --connbytes-mode ${mode} --connbytes-dir ${direction}`;
    expect(matches(rule('--connbytes 1:1', 'packets', 'original'), first, acct(1))).toBe('yes');
    expect(matches(rule('--connbytes 60', 'bytes', 'both'), first, acct(1))).toBe('yes');
    expect(matches(rule('! --connbytes 61', 'bytes', 'both'), first, acct(1))).toBe('yes');
    expect(matches(rule('--connbytes 0:0', 'packets', 'reply'), first, acct(1))).toBe('yes');
    expect(matches(rule('--connbytes 0', 'bytes', 'original'), first, acct(1))).toBe('unknown');
    expect(matches(rule('--connbytes 0', 'bytes', 'reply'), first, acct(1))).toBe('yes');
    expect(matches(rule('! --connbytes 10', 'packets', 'original'), first, acct(0))).toBe('no');
    expect(matches(rule('--connbytes 1:1', 'packets', 'original'), first)).toBe('unknown');
    expect(matches(rule('--connbytes 1:1', 'packets', 'original'), input, acct(1))).toBe('unknown');
  });
});

describe('headers', () => {
  const v6 = { source: 'fd00::1', destination: 'fd00::2' };
  it.each([
    ['-m length --length 60', {}, 'yes'],
    ['-m length --length 60', { packet: { ...v6 } }, 'yes'],
    ['-m dscp --dscp-class AF11', { packet: { tos: 0x28 } }, 'yes'],
    ['-m dscp ! --dscp 0x0a', { packet: { tos: 0x2b } }, 'no'],
    ['-m ecn --ecn-ip-ect 2', { packet: { tos: 2 } }, 'yes'],
    ['-m ecn ! --ecn-ip-ect 1', { packet: { tos: 1 } }, 'no'],
    ['-p tcp -m ecn --ecn-tcp-ece', {}, 'unknown'],
    ['-p tcp -m ecn --ecn-tcp-ece', { packet: { l4: { ...SYN, flags: ['rst'] } } }, 'no'],
    ['-p tcp -m tcpmss ! --mss 1:1000', { packet: { l4: { ...SYN, flags: ['ack'], mss: undefined } } }, 'yes'],
    ['-p ah -m ah ! --ahspi 5', { packet: { l4: { protocol: 51 } } }, 'unknown'],
    ['-p ah -m ah --ahspi 0:4294967295', { packet: { l4: { protocol: 51 } } }, 'yes'],
    ['-m frag --fragfirst', { packet: { ...v6 } }, 'no'],
    ['-m frag', { packet: { ...v6, fragmentOffset: 1 } }, 'yes'],
    ['-m frag --fragfirst', { packet: { ...v6, fragmentOffset: 0 } }, 'yes'],
    ['-m frag --fragfirst', { packet: { ...v6, fragmentOffset: 1 } }, 'no'],
    ['-m frag --fragid 0:4294967295', { packet: { ...v6, fragmentOffset: 1 } }, 'yes'],
    ['-m frag --fragid 7', { packet: { ...v6, fragmentOffset: 1 } }, 'unknown'],
    ['-m frag --fragmore', { packet: { ...v6, fragmentOffset: 0 } }, 'yes'],
    ['-m frag --fraglast', { packet: { ...v6, fragmentOffset: 0 } }, 'no'],
    ['-m frag --fraglast', { packet: { ...v6, fragmentOffset: 1 } }, 'unknown'],
    ['-m rt ! --rt-type 0', { packet: { ...v6 } }, 'no'],
    ['-m ipv6header --header protocol', { packet: { ...v6 } }, 'yes'],
    ['-m ipv6header ! --header ipv6-frag', { packet: { ...v6 } }, 'yes'],
    ['-m ipv6header --header ipv6-frag --soft', { packet: { ...v6 } }, 'no'],
    ['-m ipv6header ! --header ipv6-frag --soft', { packet: { ...v6 } }, 'yes'],
    ['-m quota --quota 59', {}, 'no'],
    ['-m quota ! --quota 0', {}, 'yes'],
    ['-m quota --quota 60', {}, 'unknown'],
    ['-m nfacct --nfacct-name other', {}, 'unknown'],
    ['-p icmp -m icmp --icmp-type port-unreachable', { packet: { l4: { protocol: 'icmp', type: 3, code: 3 } } }, 'yes'],
    ['-p icmp -m icmp ! --icmp-type any', { packet: { l4: ECHO } }, 'no'],
  ] as const)('%s %j', (words, input, expected) => {
    expect(matches(words, input as Overrides)).toBe(expected);
  });
});

describe('u32', () => {
  it.each([
    ['"0x6&0xff=0x6"', 'yes'], // the protocol
    ['"0x5&0xff=0x40"', 'yes'], // the TTL
    ['"0x8>>0x10&0xff=0x6"', 'yes'],
    ['"0xc=0xaf40005"', 'yes'], // the source
    ['"0x0>>0x16&0x3c@0x0&0xffff=0x1f90"', 'yes'], // the destination port behind the header's length
    ['"0x0>>0x16&0x3c@0x0>>0x10=0x8000:0xffff"', 'unknown'], // a source port that is not chosen yet
    ['"0x0>>0x16&0x3c@0xc&0x20000=0x20000"', 'yes'], // SYN
    ['"0x4>>0x10=0x1"', 'unknown'], // the identification
    ['"0x2&0xffff=0:0xffff"', 'yes'],
    ['"0x39&0x0=0x0"', 'no'], // behind the packet's end
  ])('%s', (program, expected) => {
    expect(matches(`-m u32 --u32 ${program}`)).toBe(expected);
    const opposite = { yes: 'no', no: 'yes', unknown: 'unknown' }[expected];
    expect(matches(`-m u32 ! --u32 ${program}`)).toBe(opposite);
  });
});

describe('devices', () => {
  const links = JSON.stringify([
    { ifindex: 1, ifname: 'lo', mtu: 65536, link_type: 'loopback', flags: ['LOOPBACK'], addr_info: [] },
    { ifindex: 2, ifname: 'cni0', mtu: 1450, link_type: 'ether', flags: [], group: 'default', addr_info: [] },
    { ifindex: 3, ifname: 'tun0', mtu: 1450, link_type: 'none', flags: [], group: '7', addr_info: [] },
  ]);
  const facts: TextFact[] = [['links', W1, {}, links]];
  const macs = { source: '02:00:00:ff:00:01', destination: '02:00:00:00:00:02' };

  it('mac matches only what came by Ethernet, negated or not', () => {
    const packet = { macs };
    expect(matches('-m mac --mac-source 02:00:00:FF:00:01', { packet }, facts)).toBe('yes');
    expect(matches('-m mac ! --mac-source 02:00:00:ff:00:09', { packet, input: 'tun0' }, facts)).toBe('no');
    expect(matches('-m mac ! --mac-source 02:00:00:ff:00:09', { packet, input: 'cni0' })).toBe('unknown');
  });

  it('eui64 compares the source with the MAC', () => {
    const packet = {
      source: 'fe80::ff:ff:fe00:1',
      destination: 'fd00::2',
      macs: { ...macs, source: '02:00:00:00:00:01' },
    };
    expect(matches('-m eui64', { packet: { ...packet, source: 'fd00::ff:fe00:1' } }, facts)).toBe('yes');
    expect(matches('-m eui64', { packet }, facts)).toBe('no');
  });

  it('pkttype is what the frame was sent to; of a socket’s own packet always unicast', () => {
    const group = { destination: '239.1.1.1', macs: { ...macs, destination: '01:00:5e:01:01:01' } };
    expect(matches('-m pkttype --pkt-type multicast', { packet: group })).toBe('yes');
    expect(
      matches('-m pkttype --pkt-type broadcast', { packet: { macs: { ...macs, destination: 'ff:ff:ff:ff:ff:ff' } } }),
    ).toBe('yes');
    const sent = {
      hook: 'output' as const,
      input: undefined,
      packet: { destination: '239.1.1.1' },
    } as unknown as Overrides;
    expect(matches('-m pkttype --pkt-type unicast', sent)).toBe('yes');
  });

  it('devgroup compares with what the link is in', () => {
    expect(matches('-m devgroup --src-group default', {}, facts)).toBe('yes');
    expect(matches('-m devgroup ! --src-group 0x7', { input: 'tun0' }, facts)).toBe('no');
    expect(matches('-m devgroup --src-group 0x3/0x3', { input: 'tun0' }, facts)).toBe('yes');
    expect(matches('-m devgroup --src-group 0x7', {})).toBe('unknown');
  });

  it('physdev-out matches nothing before the port of exit is known, negated or not', () => {
    const entered = { physicalInput: 'veth1' };
    expect(matches('-m physdev ! --physdev-out veth2', entered)).toBe('no');
    expect(matches('-m physdev ! --physdev-is-out', entered)).toBe('yes');
    expect(matches('-m physdev ! --physdev-in veth2 ! --physdev-is-bridged', entered)).toBe('yes');
    expect(matches('-m physdev ! --physdev-in veth2 --physdev-is-in', {})).toBe('no');
  });
});

describe('sockets', () => {
  const own = (l4: L4, socket: object = {}): Overrides => ({ hook: 'output', socket, packet: { l4 } }) as Overrides;

  it('the kernel’s own packets have no owner', () => {
    const answer: L4 = { protocol: 'icmp', type: 0, code: 0, id: 1 };
    expect(matches('-m owner --uid-owner 0', own(answer))).toBe('no');
    expect(matches('-m owner ! --uid-owner 1337', own(answer))).toBe('yes');
    expect(matches('-m owner --socket-exists', own(answer))).toBe('yes');
    expect(matches('-m owner --uid-owner 0', own(ECHO))).toBe('unknown');
  });

  it('a forwarded packet matches where all tests are negated, and is in no cgroup', () => {
    expect(matches('-m owner ! --uid-owner 5 ! --gid-owner 5', { hook: 'postrouting' })).toBe('yes');
    expect(matches('-m owner ! --uid-owner 5 --gid-owner 5', { hook: 'postrouting' })).toBe('no');
    expect(matches('-m cgroup ! --cgroup 1', { hook: 'postrouting' })).toBe('no');
    expect(matches('-m cgroup ! --cgroup 1', own(SYN))).toBe('unknown');
  });

  it('a group is sought among the supplementary ones where the rule says so', () => {
    expect(matches('-m owner --gid-owner 5', own(SYN, { gid: 6 }))).toBe('no');
    expect(matches('-m owner --gid-owner 5 --suppl-groups', own(SYN, { gid: 6 }))).toBe('unknown');
    expect(matches('-m owner --gid-owner 5-7', own(SYN, { gid: 6 }))).toBe('yes');
  });

  it('socket finds a listener of its own address, and any with --nowildcard', () => {
    const facts: TextFact[] = [
      ['sockets', W1, {}, 'tcp LISTEN 0 128 10.244.1.7:8080 0.0.0.0:*\ntcp LISTEN 0 128 0.0.0.0:9090 0.0.0.0:*\n'],
    ];
    const at = (port: number): Overrides => ({ hook: 'prerouting', packet: { l4: tcpSyn(port) } });
    expect(matches('-m socket', at(8080), facts)).toBe('yes');
    expect(matches('-m socket --transparent', at(8080), facts)).toBe('unknown');
    expect(matches('-m socket', at(9090), facts)).toBe('no');
    expect(matches('-m socket --nowildcard', at(9090), facts)).toBe('yes');
    expect(matches('-m socket --nowildcard', at(7070), facts)).toBe('no');
    expect(matches('-m socket', at(8080))).toBe('unknown');
    expect(matches('-m socket', { packet: { l4: ECHO } }, facts)).toBe('no');
    expect(matches('-m socket', { packet: { l4: udpTo(53) }, meta: { conntrack: 'established' } }, facts)).toBe(
      'unknown',
    );
  });
});

describe('addrtype of IPv6', () => {
  const to = (destination: string, type: 'local' | 'unicast' = 'unicast'): Overrides => ({
    packet: { source: 'fd00::1', destination },
    addressType: () => type,
  });
  it.each([
    ['-m addrtype --dst-type UNICAST', to('fd00::2', 'local'), 'yes'],
    ['-m addrtype --dst-type UNICAST', to('ff02::1'), 'no'],
    ['-m addrtype --dst-type UNICAST', to('::ffff:10.0.0.1'), 'no'],
    ['-m addrtype --dst-type MULTICAST', to('ff02::1'), 'yes'],
    ['-m addrtype --dst-type MULTICAST,UNICAST', to('ff02::1'), 'no'],
    ['-m addrtype --dst-type LOCAL,UNICAST', to('fd00::2'), 'no'],
    ['-m addrtype ! --dst-type LOCAL', to('fd00::2', 'local'), 'no'],
    ['-m addrtype --dst-type UNREACHABLE', to('fd00::2'), 'unknown'],
  ] as const)('%s', (words, input, expected) => {
    expect(matches(words, input)).toBe(expected);
  });

  it('asks the routes for UNREACHABLE', () => {
    const facts = (line: string): TextFact[] => [
      ['routes', W1, { family: 6 }, `${line}\n`],
      ['rules', W1, { family: 6 }, JSON.stringify([{ priority: 32766, src: 'all', table: '254' }])],
    ];
    expect(matches('-m addrtype --dst-type UNREACHABLE', to('fd00::2'), facts('fd00::/64 dev cni0 metric 256'))).toBe(
      'no',
    );
    expect(matches('-m addrtype --dst-type UNREACHABLE', to('fd01::2'), facts('fd00::/64 dev cni0 metric 256'))).toBe(
      'yes',
    );
    expect(
      matches('-m addrtype --dst-type UNREACHABLE', to('fd00::2'), facts('unreachable fd00::/64 dev lo metric 1024')),
    ).toBe('yes');
  });

  it('asks the device for its addresses where it is limited to one', () => {
    const link = (ifname: string, ...addresses: string[]): object => {
      const addr_info = addresses.map((local) => ({ family: 'inet6', local, prefixlen: 128, scope: 'global' }));
      return { ifindex: 1, ifname, flags: ['UP'], mtu: 1500, operstate: 'UP', link_type: 'ether', addr_info };
    };
    const facts: TextFact[] = [
      ['links', W1, {}, JSON.stringify([link('lo', 'fd00::2'), link('cni0', 'fd00::2'), link('eth0', 'fd00::3')])],
    ];
    const words = '-m addrtype --dst-type LOCAL --limit-iface-in';
    // The route may be by another device that has the address as well.
    expect(matches(words, to('fd00::2', 'unicast'), facts)).toBe('yes');
    expect(matches(words, to('fd00::3', 'local'), facts)).toBe('no');
    expect(matches(words, to('fd00::3', 'local'))).toBe('unknown');
  });
});
