import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { L4, Meta } from '../net/packet.ts';
import { hostOf } from '../net/place.ts';
import { parseIptablesSave } from '../parse/iptables-save.ts';
import type { HookName, HookOutcome } from './hook.ts';
import { iptablesHookEntries } from './iptables.ts';
import { isTargetModelled } from './iptables-target.ts';
import { parseNatRange } from './iptables-target-nat.ts';
import { buildHookInput, buildPacket, ECHO, type PacketInput, SYN, tcpSyn } from './testing/build-hook-input.ts';
import { snapshotOfTexts, type TextFact } from './testing/build-snapshot.ts';

const W1 = hostOf('w1');

type Overrides = Parameters<typeof buildHookInput>[1];

interface Run {
  readonly table?: string;
  readonly hook?: HookName;
  readonly family?: 4 | 6;
  readonly input?: Overrides;
  readonly facts?: readonly TextFact[];
}

function run(rules: readonly string[], given: Run = {}): readonly HookOutcome[] {
  const { table = 'mangle', hook = 'forward', family = 4, input = {}, facts = [] } = given;
  const chain = hook.toUpperCase();
  const lines = [`*${table}`, `:${chain} ACCEPT [0:0]`, ...rules.map((rule) => `-A ${chain} ${rule}`), 'COMMIT', ''];
  const snapshot = snapshotOfTexts([
    ['iptables.nft', W1, { family, table: '' }, lines.join('\n')],
    ['iptables.legacy', W1, { family }, ''],
    ...facts,
  ]);
  const { entries } = iptablesHookEntries(snapshot, W1, family);
  const entry = entries.find((one) => one.hook === hook)!;
  return entry.evaluate(buildHookInput(snapshot, { hook, family, ...input }));
}

const only = (rules: readonly string[], given?: Run): HookOutcome => {
  const outcomes = run(rules, given);
  expect(outcomes).toHaveLength(1);
  return outcomes[0]!;
};

const fixture = (name: string): string => readFileSync(new URL(`../parse/fixtures/${name}`, import.meta.url), 'utf8');

describe('every target that iptables knows', () => {
  it.each(['iptables-legacy', 'iptables-nft', 'ip6tables-legacy', 'ip6tables-nft'])(
    'of %s is modelled or named',
    (tool) => {
      const { value } = parseIptablesSave(fixture(`${tool}-extensions-1.8.9.txt`));
      const targets = value.tables.flatMap((table) =>
        table.chains.flatMap((chain) => chain.rules.map((rule) => rule.target)),
      );
      const open = targets.filter((target) => target && !isTargetModelled(target)).map((target) => target!.name);
      // A mark that is a hash of the connection’s ends.
      expect(open).toEqual(tool.startsWith('ip6') ? [] : ['HMARK']);
    },
  );
});

describe('marks', () => {
  const marked = (words: string, meta: Partial<Meta>): Meta => only([`-j ${words}`], { input: { meta } }).meta;

  it.each([
    ['MARK --set-xmark 0x1/0x3', 0xff, 0xfd],
    ['MARK --set-mark 0x1/0x3', 0xff, 0xfd],
    ['MARK --set-mark 0x10/0x3', 0xff, 0xfc],
    ['MARK --and-mark 0xf0', 0xff, 0xf0],
    ['MARK --or-mark 0x100', 0xff, 0x1ff],
    ['MARK --xor-mark 0x0f', 0xff, 0xf0],
    ['MARK --set-xmark 0x0/0xffffff00', 0xffff_ffff, 0xff],
  ])('%s', (words, from, to) => {
    expect(marked(words, { mark: from }).mark).toBe(to);
  });

  it.each([
    ['CONNMARK --set-xmark 0x1/0xffffffff --left-shift-mark 2', { connmark: 0xff }, { connmark: 4 }],
    [
      'CONNMARK --save-mark --nfmask 0xff --ctmask 0xff --right-shift-mark 2',
      { mark: 0x1f4, connmark: 0xf00 },
      { connmark: 0xf3d },
    ],
    ['CONNMARK --save-mark --nfmask 0xf --ctmask 0xff', { mark: 0x1f4, connmark: 0xfff }, { connmark: 0xf04 }],
    ['CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff00', { mark: 0xab, connmark: 0x1200 }, { mark: 0x1200 }],
    ['CONNMARK --or-mark 0x10', { connmark: 0x1 }, { connmark: 0x11 }],
  ])('%s', (words, from, to) => {
    expect(marked(words, from)).toMatchObject(to);
    expect(marked(words, { ...from, conntrack: 'untracked' })).toMatchObject(from);
  });
});

describe('CT', () => {
  const raw = (rules: readonly string[], meta: Partial<Meta> = {}): HookOutcome =>
    only(rules, { table: 'raw', hook: 'prerouting', input: { meta: { conntrack: 'none', ...meta } } });

  it('sets the zone of both directions or of one, and from the mark', () => {
    expect(raw(['-j CT --zone 5']).meta).toMatchObject({ zone: 5 });
    expect(raw(['-j CT --zone 5']).meta.zoneDirection).toBeUndefined();
    expect(raw(['-j CT --zone-orig 5']).meta).toMatchObject({ zone: 5, zoneDirection: 'original' });
    expect(raw(['-j CT --zone-reply 7']).meta).toMatchObject({ zone: 7, zoneDirection: 'reply' });
    expect(raw(['-j CT --zone mark'], { mark: 0x12345 }).meta.zone).toBe(0x2345);
  });

  it('counts once: the first of CT and NOTRACK', () => {
    expect(raw(['-j CT --zone 5', '-j CT --zone 6']).meta.zone).toBe(5);
    expect(raw(['-p tcp -j CT --helper ftp', '-j CT --zone 6']).meta.zone).toBe(0);
    const outcome = raw(['-j CT --zone 5', '-j NOTRACK']);
    expect([outcome.notrack, outcome.meta.conntrack]).toEqual([undefined, 'none']);
    expect(raw(['-j NOTRACK', '-j CT --zone 5']).meta).toMatchObject({ conntrack: 'untracked', zone: 0 });
  });

  it('leaves a packet alone that has its connection, as one that came by lo has', () => {
    expect(raw(['-j CT --notrack'], { conntrack: 'new' }).notrack).toBeUndefined();
    expect(raw(['-j CT --zone 5'], { conntrack: 'established' }).meta.zone).toBe(0);
  });

  it('with a template the state is NEW', () => {
    expect(raw(['-j CT --zone 5', '-m conntrack --ctstate NEW -j MARK --set-xmark 0x1/0x1']).meta.mark).toBe(1);
    expect(raw(['-m conntrack --ctstate NEW -j MARK --set-xmark 0x1/0x1']).meta.mark).toBe(0);
  });
});

describe('ranges of NAT', () => {
  it.each([
    ['10.0.0.1:80-90/5000', { address: '10.0.0.1', port: 80, portTo: 90, portBase: 5000 }],
    ['[fd00::1-fd00::9]:80-90', { address: 'fd00::1', addressTo: 'fd00::9', port: 80, portTo: 90 }],
    ['fd00::1-fd00::5', { address: 'fd00::1', addressTo: 'fd00::5' }],
    ['10.0.0.300', undefined],
  ])('%s', (text, range) => {
    expect(parseNatRange(text)).toEqual(range);
  });

  it('carry how ports and addresses are chosen', () => {
    const nat = (words: string, hook: HookName) => only([`-p tcp -j ${words}`], { table: 'nat', hook }).nat;
    expect(nat('DNAT --to-destination 10.0.0.1-10.0.0.9:80-90 --random --persistent', 'prerouting')).toMatchObject({
      random: true,
      persistent: true,
    });
    expect(nat('SNAT --to-source 10.0.0.1 --random-fully', 'postrouting')).toMatchObject({ fullyRandom: true });
    expect(nat('MASQUERADE --to-ports 1000-2000 --random', 'postrouting')).toMatchObject({
      to: { port: 1000, portTo: 2000 },
      random: true,
    });
    expect(nat('NETMAP --to 10.9.8.0/255.255.0.255', 'prerouting')).toEqual({
      kind: 'destination',
      to: { address: '10.9.1.0' },
    });
    expect(nat('NETMAP --to 10.9.8.0/24', 'postrouting')).toEqual({ kind: 'source', to: { address: '10.9.8.5' } });
  });
});

describe('headers', () => {
  it.each([
    ['TTL --ttl-set 5', { ttl: 5 }],
    ['TTL --ttl-inc 200', { ttl: 255 }],
    ['TTL --ttl-dec 70', { ttl: 0 }],
    ['TOS --set-tos 0x00/0xef', { tos: 0x10 }],
    ['TOS --and-tos 0xf0', { tos: 0xb0 }],
    ['TOS --or-tos 0x40', { tos: 0xfb }],
    ['TOS --xor-tos 0xff', { tos: 0x44 }],
    ['DSCP --set-dscp 0x0a', { tos: 0x2b }],
    ['DSCP --set-dscp-class EF', { tos: 0xbb }],
    ['ECN --ecn-ip-ect 1', { tos: 0xb9 }],
  ])('%s', (words, ip) => {
    expect(only([`-j ${words}`], { input: { packet: { tos: 0xbb, ttl: 64 } } }).packet.ip).toMatchObject(ip);
  });

  it('ECN takes the flags out of TCP', () => {
    const l4 = { ...SYN, flags: ['syn', 'ece', 'cwr'] } as L4;
    const { packet } = only(['-p tcp -j ECN --ecn-tcp-remove'], { input: { packet: { l4 } } });
    expect(packet.l4).toMatchObject({ flags: ['syn'] });
  });
});

describe('TCPMSS', () => {
  const links = JSON.stringify([
    { ifindex: 1, ifname: 'lo', mtu: 65536, link_type: 'loopback', flags: ['LOOPBACK'], addr_info: [] },
    { ifindex: 2, ifname: 'cni0', mtu: 1450, link_type: 'ether', flags: [], addr_info: [] },
    { ifindex: 3, ifname: 'eth0', mtu: 1500, link_type: 'ether', flags: [], addr_info: [] },
  ]);
  const facts = (routes: string): TextFact[] => [
    ['links', W1, {}, links],
    ['sysctls', W1, {}, JSON.stringify({ files: [] })],
    ['routes', W1, { family: 4 }, routes],
    ['rules', W1, { family: 4 }, JSON.stringify([{ priority: 32766, src: 'all', table: '254' }])],
  ];
  const route = {
    type: 'unicast',
    hop: { device: 'eth0', weight: 1, flags: [] },
  } as const;
  const CLAMP = '-p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu';
  const mssOf = ({ packet: { l4 } }: HookOutcome): unknown => ('sourcePort' in l4 ? l4.mss : undefined);
  const syn = (mss: number): Overrides => ({ packet: { l4: { ...tcpSyn(80), mss } as L4 }, route }) as Overrides;

  it('clamps to the smaller MTU of the way on and the way back', () => {
    expect(mssOf(only([CLAMP], { input: syn(1460), facts: facts('10.244.0.0/24 dev cni0\n') }))).toBe(1410);
    expect(mssOf(only([CLAMP], { input: syn(1460), facts: facts('10.244.0.0/24 dev cni0 mtu 1300\n') }))).toBe(1260);
    expect(mssOf(only([CLAMP], { input: syn(1460), facts: facts('10.9.0.0/24 dev cni0\n') }))).toBe(1460);
    expect(mssOf(only([CLAMP], { input: syn(1200), facts: facts('10.244.0.0/24 dev cni0\n') }))).toBe(1200);
  });

  it('does not guess without the routes', () => {
    expect(mssOf(only([CLAMP], { input: syn(1460), facts: [['links', W1, {}, links]] }))).toBeUndefined();
  });

  it('sets a lower value, never a higher one, and adds the option to a bare header', () => {
    const set = (mss: number): string => `-p tcp -j TCPMSS --set-mss ${mss}`;
    expect(mssOf(only([set(1000)], { input: syn(1460) }))).toBe(1000);
    expect(mssOf(only([set(9000)], { input: syn(1460) }))).toBe(1460);
    const bare = { packet: { l4: { ...SYN, mss: undefined } as L4, lengthBytes: 40 } };
    const { packet } = only([set(1000)], { input: bare });
    expect([packet.lengthBytes, packet.l4]).toMatchObject([44, { mss: 536 }]);
  });

  it('TCPOPTSTRIP takes it out', () => {
    expect(mssOf(only(['-p tcp -j TCPOPTSTRIP --strip-options mss,wscale'], { input: syn(1460) }))).toBeUndefined();
    expect(mssOf(only(['-p tcp -j TCPOPTSTRIP --strip-options wscale'], { input: syn(1460) }))).toBe(1460);
  });
});

describe('prefix translation', () => {
  const given = (source: string, destination: string, l4: L4 = SYN): Run => ({
    family: 6,
    hook: 'postrouting',
    input: { packet: { source, destination, l4 } },
  });
  const SNPT = '-j SNPT --src-pfx fd01:203:405::/48 --dst-pfx 2001:db8:1::/48';

  it('is that of RFC 6296 §2.6 for prefixes of 48 bits', () => {
    const { packet } = only([SNPT], given('fd01:203:405:1::1234', '2001:db8:9::1'));
    expect(packet.ip.source).toBe('2001:db8:1:d550::1234');
    const back = only(['-j DNPT --src-pfx 2001:db8:1::/48 --dst-pfx fd01:203:405::/48'], {
      ...given('2001:db8:9::1', '2001:db8:1:d550::1234'),
      hook: 'prerouting',
    });
    expect(back.packet.ip.destination).toBe('fd01:203:405:1::1234');
  });

  it('changes a word of the last four behind longer prefixes, and drops where none can be', () => {
    const rule = '-j SNPT --src-pfx fd01:203:405:1::/64 --dst-pfx 2001:db8:1:2::/64';
    expect(only([rule], given('fd01:203:405:1::5', '2001:db8:9::1')).packet.ip.source).toBe('2001:db8:1:2:d54e::5');
    const full = 'fd01:203:405:1:ffff:ffff:ffff:ffff';
    expect(only([rule], given(full, '2001:db8:9::1')).verdict.kind).toBe('drop');
  });

  it('turns back what an ICMP error quotes', () => {
    const about = buildPacket({ source: '2001:db8:9::1', destination: 'fd01:203:405:1::1234' });
    const l4: L4 = { protocol: 'icmpv6', type: 1, code: 0, about };
    const { packet } = only([SNPT], given('fd01:203:405:1::1', '2001:db8:9::1', l4));
    expect(packet.l4).toMatchObject({ about: { ip: { destination: '2001:db8:1:d550::1234' } } });
  });
});

describe('sets that are written', () => {
  const sets = 'create S hash:ip family inet\nadd S 10.0.0.1\n';
  const facts: TextFact[] = [['ipsets', W1, {}, sets]];

  it('are not what was collected for what comes after', () => {
    const test = '-m set --match-set S src -j MARK --set-xmark 0x1/0x1';
    expect(only([test], { facts }).meta.mark).toBe(0);
    const outcomes = run(['-j SET --add-set S src', test], { facts });
    expect(outcomes.map((one) => one.meta.mark).toSorted()).toEqual([0, 1]);
    expect(outcomes[0]!.touched).toEqual(['ipset S']);
    expect(only(['-j SET --add-set OTHER src', test], { facts }).meta.mark).toBe(0);
  });

  it('a mark that an entry would give is not modelled', () => {
    expect(run(['-j SET --map-set S src --map-mark'], { facts }).map((one) => one.verdict.kind)).toContain('unknown');
    expect(only(['-j SET --map-set S src --map-prio'], { facts }).verdict.kind).toBe('accept');
  });
});

describe('TPROXY and SYNPROXY', () => {
  const TPROXY = '-p tcp -j TPROXY --on-port 15001 --on-ip 127.0.0.1 --tproxy-mark 0x1/0xff';
  const listening = (address: string): TextFact[] => [
    ['sockets', W1, {}, `tcp LISTEN 0 128 ${address}:15001 0.0.0.0:*\n`],
  ];
  const given = (facts: readonly TextFact[], l4: L4 = SYN): Run => ({
    hook: 'prerouting',
    facts,
    input: { packet: { l4 } },
  });

  it('drops a SYN that no listener would get', () => {
    const found = run([TPROXY], given(listening('127.0.0.1')));
    expect(found.map(({ verdict }) => verdict.kind).toSorted()).toEqual(['drop', 'tproxy']);
    expect(found.find(({ verdict }) => verdict.kind === 'tproxy')!.verdict).toMatchObject({ port: 15001 });
    expect(only([TPROXY], given(listening('127.0.0.2'))).verdict.kind).toBe('drop');
    expect(run([TPROXY], given([])).map(({ verdict }) => verdict.kind)).toContain('tproxy');
    const anywhere = TPROXY.replace('127.0.0.1', '0.0.0.0');
    expect(run([anywhere], given(listening('127.0.0.2'))).map(({ verdict }) => verdict.kind)).toContain('tproxy');
    expect(only([anywhere.replace('15001', '15002')], given(listening('127.0.0.2'))).verdict.kind).toBe('drop');
    const inMid = { ...SYN, flags: ['ack'] } as L4;
    expect(run([TPROXY], given(listening('127.0.0.2'), inMid)).map(({ verdict }) => verdict.kind)).toContain('tproxy');
  });

  it('SYNPROXY answers the handshake itself and lets the rest through', () => {
    const verdictOf = (flags: readonly string[]) =>
      only(['-p tcp -j SYNPROXY --mss 1460'], { table: 'filter', input: { packet: { l4: { ...SYN, flags } as L4 } } })
        .verdict;
    expect(verdictOf(['syn'])).toMatchObject({ kind: 'unknown', because: expect.stringContaining('SYNPROXY') });
    expect(verdictOf(['ack']).kind).toBe('unknown');
    expect(verdictOf(['syn', 'ack']).kind).toBe('accept');
    expect(verdictOf(['rst', 'ack']).kind).toBe('accept');
  });

  it('neither touches other protocols', () => {
    expect(
      only(['-p tcp -j SYNPROXY --mss 1460'], { table: 'filter', input: { packet: { l4: ECHO } } }).verdict.kind,
    ).toBe('accept');
  });
});

describe('HMARK', () => {
  const FULL = '--hmark-src-prefix 32 --hmark-dst-prefix 32 --hmark-sport-mask 0xffff --hmark-dport-mask 0xffff';
  const udp = (source: string, destination: string, destinationPort: number): PacketInput => ({
    source,
    destination,
    l4: { protocol: 'udp', sourcePort: 4444, destinationPort },
  });

  // As Linux 6.18 marked them.
  it.each([
    [`${FULL} --hmark-rnd 0x0000cafe --hmark-mod 100000 --hmark-offset 7`, udp('127.0.0.1', '127.0.0.1', 100), 53367],
    [`${FULL} --hmark-rnd 0x0000cafe --hmark-mod 100000 --hmark-offset 7`, udp('127.0.0.1', '10.0.5.1', 101), 61512],
    [`${FULL} --hmark-rnd 0x0000cafe --hmark-mod 100000 --hmark-offset 7`, udp('10.0.5.1', '127.0.0.9', 102), 39322],
    [
      '--hmark-src-prefix 32 --hmark-dst-prefix 32 --hmark-rnd 0x0000beef --hmark-mod 100000',
      udp('10.0.5.1', '127.0.0.9', 200),
      98281,
    ],
    [
      '--hmark-src-prefix 24 --hmark-dst-prefix 16 --hmark-sport-mask 0x00ff --hmark-dport-mask 0x0000 --hmark-sport 0x0100 --hmark-proto-mask 0xff --hmark-rnd 0x0000beef --hmark-mod 65536',
      udp('10.0.5.1', '127.3.0.9', 201),
      20328,
    ],
    [
      '--hmark-src-prefix 128 --hmark-dst-prefix 128 --hmark-sport-mask 0xffff --hmark-dport-mask 0xffff --hmark-rnd 0x0000cafe --hmark-mod 100000',
      udp('::1', '::1', 100),
      30250,
    ],
  ])('%s', (options, packet, mark) => {
    const family = packet.source!.includes(':') ? 6 : 4;
    expect(only([`-j HMARK ${options}`], { family, input: { packet } }).meta.mark).toBe(mark);
  });

  it('is not guessed of a port that is not chosen yet', () => {
    const outcomes = run([`-j HMARK ${FULL} --hmark-rnd 0x0000cafe --hmark-mod 10`]);
    expect(outcomes.map((one) => one.verdict.kind)).toContain('unknown');
  });
});
