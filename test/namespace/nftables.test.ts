import { execFileSync, spawnSync } from 'node:child_process';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { L4 } from '../../src/net/packet.ts';
import { parseIpLink } from '../../src/parse/ip-link.ts';
import { parseIpRoute } from '../../src/parse/ip-route.ts';
import { parseIpRule } from '../../src/parse/ip-rule.ts';
import { parseNftJson } from '../../src/parse/nft-json.ts';
import type { HookName, HookOutcome } from '../../src/simulate/hook.ts';
import {
  FIRST,
  type FixtureFact,
  type FixturePacket,
  nftFacts,
  snapshotOf,
  throughHook,
} from '../../src/simulate/testing/nftables-fixture.ts';

/**
 * The simulation against the kernel: two namespaces and a cable; one packet is sent, and the rules whose counters rose are
 * compared with the rules that the walk says matched. Needs root, `ip` and `nft`; skipped without them.
 */
const SENDER = 'podtriage-nft-a';
const RECEIVER = 'podtriage-nft-b';
const FROM = '192.0.2.1';
const TO = '192.0.2.2';

function run(command: readonly string[], input?: string): string {
  return execFileSync(command[0]!, command.slice(1), { encoding: 'utf8', input, stdio: ['pipe', 'pipe', 'pipe'] });
}

function within(namespace: string, ...command: readonly string[]): string {
  return run(['ip', 'netns', 'exec', namespace, ...command]);
}

function usable(): boolean {
  if (process.getuid?.() !== 0) return false;
  return ['ip', 'nft', 'ping'].every((tool) => spawnSync('which', [tool]).status === 0);
}

interface Sent {
  readonly send: readonly string[];
  readonly l4: L4;
  /** Rules that look at bytes which the walk does not know (an ICMP message where a port would be). */
  readonly undecided?: readonly string[];
}

const ICMP: Sent = { send: ['ping', '-c1', '-W1', TO], l4: { protocol: 'icmp', type: 8, code: 0 } };

function udp(port: number): Sent {
  return {
    send: ['bash', '-c', `echo > /dev/udp/${TO}/${port}`],
    l4: { protocol: 'udp', sourcePort: 'ephemeral', destinationPort: port },
  };
}

function tcp(port: number): Sent {
  return {
    send: ['timeout', '0.3', 'bash', '-c', `echo > /dev/tcp/${TO}/${port}`],
    l4: { protocol: 'tcp', sourcePort: 'ephemeral', destinationPort: port, flags: ['syn'], mss: 1460 },
  };
}

const LENGTHS: Readonly<Record<string, number>> = { icmp: 84, udp: 29, tcp: 60 };

/** Each rule begins or ends with `counter`, so that the kernel tells which of them were run to there. */
const CASES: readonly { readonly name: string; readonly rules: string; readonly packets: readonly Sent[] }[] = [
  {
    name: 'a field that the packet has not leaves the rule, whatever the operator',
    rules: `table inet t { chain in { type filter hook input priority 0;
      tcp dport 80 counter
      tcp dport != 80 counter
      tcp dport != { 22, 80-90 } counter
      udp dport >= 53 counter
      th dport 53 counter
      icmp type echo-request counter
      icmp type != echo-request counter
      ip6 saddr != ::1 counter
      ip saddr != 10.0.0.0/8 counter
      meta l4proto { tcp, udp } counter
      ip protocol udp counter } }`,
    packets: [tcp(80), tcp(99), udp(53), { ...ICMP, undecided: ['t in#5'] }],
  },
  {
    name: 'devices: wildcards, and the one that is not there',
    rules: `table inet t { chain in { type filter hook input priority 0;
      iifname "et*" counter
      iifname { "lo", "eth0" } counter
      iif eth0 counter
      oifname != "eth0" counter
      oifname "eth0" counter
      iifname != "eth1" counter } }`,
    packets: [udp(53)],
  },
  {
    name: 'sets: intervals, concatenations, maps with a rest',
    rules: `table inet t {
      set nets { type ipv4_addr; flags interval; elements = { 192.0.2.0/31, 198.51.100.1-198.51.100.9 } }
      set pairs { type ipv4_addr . inet_service; flags interval; elements = { 192.0.2.0/24 . 50-60, 192.0.2.1 . 80 } }
      chain hit { counter; }
      chain rest { counter; return; }
      map verdicts { type inet_service : verdict; flags interval; elements = { 1-52 : drop, 53 : jump hit, * : jump rest } }
      chain in { type filter hook input priority 0;
        ip saddr @nets counter
        ip saddr != @nets counter
        ip daddr @nets counter
        ip saddr . udp dport @pairs counter
        ip saddr . th dport @pairs counter
        udp dport vmap @verdicts
        counter } }`,
    packets: [udp(53), udp(55), udp(7), tcp(80)],
  },
  {
    name: 'jump, goto and return',
    rules: `table inet t {
      chain leaf { udp dport 53 counter return; counter; }
      chain middle { counter jump leaf; counter goto leaf; counter; }
      chain in { type filter hook input priority 0; counter jump middle; counter; udp dport 55 counter return; counter; } }`,
    packets: [udp(53), udp(54), udp(55)],
  },
  {
    name: 'TCP flags',
    rules: `table inet t { chain in { type filter hook input priority 0;
      tcp flags syn counter
      tcp flags ! ack counter
      tcp flags == syn counter
      tcp flags & (syn|ack) == syn counter
      tcp flags & (fin|syn|rst|ack) != syn counter
      tcp flags { syn, syn|ack } counter } }`,
    packets: [tcp(80), udp(53)],
  },
  {
    name: 'connection tracking',
    rules: `table inet t { chain in { type filter hook input priority 0;
      ct state new counter
      ct state established,related counter
      ct state { new, untracked } counter
      ct state ! invalid counter
      ct status dnat counter
      ct status & (snat|dnat) == 0 counter
      ct direction original counter
      ct original ip saddr ${FROM} counter
      ct original ip6 saddr != ::1 counter
      ct reply ip saddr ${TO} counter
      ct zone 0 counter
      ct mark 0 counter } }`,
    packets: [udp(53), tcp(80), ICMP],
  },
  {
    name: 'notrack',
    rules: `table ip t {
      chain pre { type filter hook prerouting priority raw; ct state invalid counter; udp dport 53 counter notrack; ct state untracked counter; }
      chain in { type filter hook input priority 0; ct state untracked counter; ct state new counter; ct mark 0 counter; ct zone 0 counter; } }`,
    packets: [udp(53), udp(54)],
  },
  {
    name: 'marks and bits',
    rules: `table inet t { chain in { type filter hook input priority 0;
      meta mark set meta mark | 0x4000 counter
      meta mark & 0x4000 == 0x4000 counter
      meta mark & 0x8000 != 0 counter
      meta mark set meta mark ^ 0x4001 counter
      meta mark 0x1 counter
      meta mark set meta mark << 4 counter
      meta mark 0x10 counter
      ct mark set meta mark counter
      meta mark set udp dport map { 53 : 0x7, 54 : 0x8 } counter
      meta mark { 0x7, 0x9 } counter
      ct mark & 0x10 == 0x10 counter
      ct mark 0x11 counter } }`,
    packets: [udp(53), udp(54), udp(55)],
  },
  {
    name: 'fields of the headers',
    rules: `table inet t { chain in { type filter hook input priority 0;
      ip ttl 64 counter
      ip ttl < 64 counter
      ip dscp cs0 counter
      ip version 4 counter
      ip length 20-70 counter
      meta length > 70 counter
      udp length 9 counter
      icmp code 0 counter
      meta pkttype host counter
      meta nfproto ipv4 counter
      meta protocol ip counter
      ip frag-off & 0x1fff != 0 counter
      @th,16,16 53 counter
      @nh,96,32 0xc0000201 counter
      ip ttl set 9 counter
      ip ttl 9 counter } }`,
    packets: [udp(53), tcp(80), { ...ICMP, undecided: ['t in#13'] }],
  },
  {
    name: 'raw bits of the headers',
    rules: `table inet t { chain in { type filter hook input priority 0;
      @nh,0,4 4 counter
      @nh,4,4 5 counter
      @nh,8,6 0 counter
      @nh,16,16 >= 60 counter
      @nh,48,1 0 counter
      @nh,49,1 1 counter
      @nh,51,13 0 counter
      @nh,64,8 64 counter
      @nh,72,8 { 6, 17 } counter
      @nh,96,32 & 0xffffff00 == 0xc0000200 counter
      @th,0,16 0x800 counter
      @th,16,16 != 54 counter
      @th,104,8 2 counter
      @th,32,16 9 counter
      @th,8000,8 != 1 counter
      @ll,96,16 0x800 counter
      ether type ip counter
      ether type != ip6 counter } }`,
    packets: [
      udp(53),
      { ...tcp(80), undecided: ['t in#14'] },
      { ...ICMP, undecided: ['t in#12', 't in#13', 't in#14'] },
    ],
  },
  {
    name: 'keys of meta',
    rules: `table inet t { chain pre { type filter hook prerouting priority -150;
        meta skuid 0 counter
        meta skuid != 0 counter
        meta rtclassid 0 counter
        meta ipsec missing counter
        meta ipsec exists counter
        rt ip nexthop ${TO} counter
        oiftype ether counter }
      chain in { type filter hook input priority 0;
        iiftype ether counter
        iiftype != loopback counter
        iifgroup default counter
        oifgroup default counter
        meta sdifname != "vrf0" counter
        meta sdif 0 counter
        meta l4proto 17 counter
        meta protocol != ip6 counter
        meta nfproto ipv6 counter
        meta length 29 counter
        meta pkttype != { broadcast, multicast } counter
        rt ip nexthop ${TO} counter
        rt ip nexthop != ${TO} counter } }`,
    packets: [udp(53), tcp(80)],
  },
  {
    name: 'keys of a connection',
    rules: `table inet t { chain pre { type filter hook prerouting priority raw;
        ct state new counter
        udp dport 53 ct zone set 7 counter
        ct state new counter
        ct zone 7 counter
        ct zone set 8 counter
        ct zone 8 counter
        udp dport 53 notrack counter
        ct state untracked counter
        ct mark 0 counter }
      chain in { type filter hook input priority 0;
        ct zone 7 counter
        ct zone 0 counter
        ct original zone 7 counter
        ct reply zone 7 counter
        ct packets 1 counter
        ct original packets 1 counter
        ct reply packets 0 counter
        ct bytes > 28 counter
        ct avgpkt 29 counter
        ct helper "ftp" counter
        ct helper != "ftp" counter
        ct status snat counter
        ct status assured counter
        ct status confirmed counter
        ct status & (expected|seen-reply|assured|confirmed) == 0 counter
        ct direction reply counter
        ct l3proto ipv4 counter
        ct protocol udp counter
        ct reply ip daddr ${FROM} counter
        meta l4proto udp ct reply proto-src 53 counter
        meta l4proto { tcp, udp } ct original proto-dst { 53, 80 } counter } }`,
    packets: [udp(53), udp(54), tcp(80), ICMP],
  },
  {
    name: 'options and extension headers',
    rules: `table inet t { chain in { type filter hook input priority 0;
      ip option rr exists counter
      ip option lsrr missing counter
      exthdr frag exists counter
      exthdr hbh missing counter
      tcp option maxseg exists counter
      tcp option maxseg missing counter
      tcp option maxseg size 1460 counter
      tcp option maxseg size > 1460 counter
      tcp option maxseg size set 1200 counter
      tcp option maxseg size 1200 counter
      tcp option maxseg size set 9000 counter
      tcp option maxseg size 1200 counter
      reset tcp option maxseg counter
      tcp option maxseg missing counter
      tcp option maxseg size set 500 counter
      sctp chunk init exists counter } }`,
    packets: [udp(53), { ...tcp(80), undecided: ['t in#14'] }],
  },
  {
    name: 'hashes of known values',
    rules: `table ip t { chain in { type filter hook input priority 0;
      ${Array.from({ length: 5 }, (_, n) => `jhash ip saddr mod 5 seed 0x1234 == ${n} counter`).join('\n')}
      ${Array.from({ length: 5 }, (_, n) => `jhash ip saddr . ip daddr mod 5 seed 0xdeadbeef == ${n} counter`).join('\n')}
      ${Array.from({ length: 5 }, (_, n) => `jhash ip saddr . ip protocol . th dport . ip daddr mod 5 seed 7 offset 10 == ${10 + n} counter`).join('\n')}
      ${Array.from({ length: 3 }, (_, n) => `jhash th dport mod 3 seed 99 == ${n} counter`).join('\n')} } }`,
    packets: [udp(53), udp(54), tcp(80)],
  },
  {
    name: 'what a rule writes, a later one reads',
    rules: `table ip t { chain in { type filter hook input priority 0;
      ip dscp set ef counter
      ip dscp ef counter
      ip ecn set ect0 counter
      @nh,8,8 0xba counter
      ip saddr set 198.51.100.7 counter
      ip saddr 198.51.100.0/24 counter
      ip id set 7 counter
      @nh,64,8 set 3 counter
      ip ttl 3 counter
      udp dport set 1053 counter
      udp dport 1053 counter
      tcp dport set 8080 counter
      th dport 8080 counter
      tcp flags set ack counter
      tcp flags ack counter
      @th,16,16 set 99 counter
      th dport 99 counter
      icmp type echo-request icmp code set 3 counter
      icmp code 3 counter
      meta priority set 1 counter
      meta mark set ip saddr map { 198.51.100.7 : 9 } counter
      meta mark 9 counter
      meta mark set ip saddr map { 198.51.100.8 : 8 } counter
      meta mark set jhash ip daddr mod 4 seed 5 offset 100 counter
      meta mark >= 100 counter } }`,
    packets: [udp(53), tcp(80), { ...ICMP, undecided: ['t in#13', 't in#17', 't in#18'] }],
  },
  {
    name: 'objects by name and by map, and statements that leave the rule',
    rules: `table inet t {
      counter c1 { }
      counter c2 { }
      ct helper ftp { type "ftp" protocol tcp; }
      ct timeout short { protocol udp; policy = { unreplied : 5, replied : 5 }; }
      chain in { type filter hook input priority 0;
        counter name "c1" counter
        counter name th dport map { 53 : "c1", 80 : "c2" } counter
        tcp dport 80 ct helper set "ftp" counter
        udp dport 53 ct timeout set "short" counter
        log prefix "x" counter
        meta nftrace set 1 counter
        ct event set new counter
        udp dport 53 meta nftrace set 1 counter } }`,
    packets: [udp(53), udp(54), tcp(80), ICMP],
  },
  {
    name: 'where a route leads',
    rules: `table inet t { chain pre { type filter hook prerouting priority -150;
      fib saddr oif eth0 counter
      fib saddr oifname "eth0" counter
      fib saddr . iif oif exists counter
      fib saddr . iif oif missing counter
      fib daddr oif exists counter
      fib daddr oif missing counter
      fib daddr . iif oif eth0 counter
      fib daddr . iif type local counter
      fib saddr . iif type unicast counter
      fib saddr . mark oif exists counter
      fib daddr type != local counter } }`,
    packets: [udp(53)],
  },
  {
    name: 'the type of an address',
    rules: `table inet t { chain pre { type filter hook prerouting priority -150;
      fib daddr type local counter
      fib daddr . iif type local counter
      fib saddr type local counter
      fib saddr type unicast counter
      fib daddr type { local, broadcast } counter } }`,
    packets: [udp(53)],
  },
  {
    name: 'dynamic sets',
    rules: `table inet t {
      set seen { type ipv4_addr; flags dynamic,timeout; timeout 1m; }
      set old { type ipv4_addr; flags dynamic,timeout; timeout 1m; elements = { ${FROM} } }
      chain in { type filter hook input priority 0;
        ip saddr @seen counter
        ip saddr @old counter
        update @seen { ip saddr } counter
        counter } }`,
    packets: [udp(53)],
  },
  {
    name: 'dynamic sets with keys, deletions and expressions',
    rules: `table inet t {
      set seen { type ipv4_addr . inet_service; flags dynamic,timeout; timeout 1m; }
      set old { type ipv4_addr; flags dynamic,timeout; timeout 1m; elements = { 192.0.2.99 } }
      set few { type ipv4_addr; size 1; flags dynamic; }
      map marks { type ipv4_addr : mark; flags dynamic,timeout; timeout 1m; elements = { 192.0.2.99 : 5 } }
      chain pre { type filter hook prerouting priority -10;
        udp dport 53 add @seen { ip saddr . udp dport } counter
        delete @old { ip saddr } counter
        add @few { ip saddr } counter }
      chain in { type filter hook input priority 0;
        ip saddr . th dport @seen counter
        ip saddr @few counter
        ip daddr @few counter
        add @marks { ip daddr : 7 } counter
        counter } }`,
    packets: [udp(53), udp(54), tcp(80)].map((sent) => ({ ...sent, undecided: ['t in#4'] })),
  },
  {
    name: 'NAT in order of priority, and what later chains see',
    rules: `table ip t {
      chain first { type nat hook prerouting priority -110; udp dport 53 counter redirect to :5353; counter; }
      chain in { type filter hook input priority 0; udp dport 53 counter; udp dport 5353 counter; ct status dnat counter; ip protocol udp ct original proto-dst 53 counter; } }
      table inet u { chain nat { type nat hook prerouting priority -100;
        meta l4proto tcp dnat ip6 to [::1]:80
        ip saddr . tcp dport vmap { ${FROM} . 80 : accept }
        counter
        dnat ip to ip saddr map { ${FROM} : ${TO} }
        counter } }`,
    packets: [udp(53), tcp(80), tcp(81)],
  },
  {
    name: 'verdicts: a later base chain still decides, a drop does not',
    rules: `table inet t {
      chain a { type filter hook input priority -5; udp dport 53 counter accept; udp dport 54 counter drop; }
      chain b { type filter hook input priority 0; policy drop; udp dport 53 counter; udp dport 54 counter; udp dport 55 counter reject; counter; }
      chain c { type filter hook input priority 5; counter; } }`,
    packets: [udp(53), udp(54), udp(55), ICMP],
  },
];

describe.skipIf(!usable())('nftables in the kernel and in the simulation', () => {
  beforeAll(() => {
    for (const name of [SENDER, RECEIVER]) spawnSync('ip', ['netns', 'del', name]);
    run(['ip', 'netns', 'add', SENDER]);
    run(['ip', 'netns', 'add', RECEIVER]);
    run(['ip', '-n', SENDER, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', RECEIVER]);
    for (const [name, address] of [
      [SENDER, FROM],
      [RECEIVER, TO],
    ] as const) {
      within(name, 'sysctl', '-qw', 'net.ipv6.conf.all.disable_ipv6=1');
      run(['ip', '-n', name, 'addr', 'add', `${address}/24`, 'dev', 'eth0']);
      run(['ip', '-n', name, 'link', 'set', 'eth0', 'up']);
    }
    spawnSync('ip', ['netns', 'exec', SENDER, 'ping', '-c1', '-W1', TO]);
  });

  afterAll(() => {
    for (const name of [SENDER, RECEIVER]) spawnSync('ip', ['netns', 'del', name]);
  });

  beforeEach(() => {
    within(RECEIVER, 'nft', 'flush', 'ruleset');
  });

  const rows = CASES.flatMap(({ name, rules, packets }) =>
    packets.map((sent) => ({ name, rules, sent, what: sent.send.join(' ') })),
  );
  it.each(rows)('$name: $what', ({ rules, sent }) => {
    run(['ip', 'netns', 'exec', RECEIVER, 'nft', '-f', '-'], inLines(rules));
    const before = within(RECEIVER, 'nft', '-j', 'list', 'ruleset');
    spawnSync('ip', ['netns', 'exec', SENDER, ...sent.send], { timeout: 3000 });
    const counted = countedRules(within(RECEIVER, 'nft', '-j', 'list', 'ruleset'));
    const { matched, undecided } = simulated(before, sent);
    expect(undecided).toEqual(sent.undecided ?? []);
    const decided = [...counted.risen].filter((rule) => !undecided.includes(rule));
    const onlyKernel = decided.filter((rule) => !matched.includes(rule));
    const onlyWalk = matched.filter((rule) => counted.known.has(rule) && !counted.risen.has(rule));
    expect(`kernel: ${onlyKernel}; walk: ${onlyWalk}`).toBe('kernel: ; walk: ');
  });
});

/** nft wants a line's end or a semicolon between two closing braces. */
function inLines(rules: string): string {
  return rules.replaceAll(/ \}(?= \}|\n|$)/g, '\n}');
}

/** Rules with a counter, and those that have counted. */
function countedRules(json: string): { known: ReadonlySet<string>; risen: ReadonlySet<string> } {
  const known = new Set<string>();
  const risen = new Set<string>();
  for (const table of parseNftJson(json).value.tables) {
    for (const chain of table.chains) {
      for (const rule of chain.rules) {
        if (rule.packets === undefined) continue;
        known.add(`${table.name} ${chain.name}#${rule.number}`);
        if (rule.packets > 0) risen.add(`${table.name} ${chain.name}#${rule.number}`);
      }
    }
  }
  return { known, risen };
}

/** Devices, routes and sockets of the receiver, as the collectors ask for them. */
function receiverFacts(): readonly FixtureFact[] {
  const args = { family: 4 };
  return [
    { name: 'links', value: parseIpLink(within(RECEIVER, 'ip', '-d', '-s', '-j', 'addr', 'show')).value },
    {
      name: 'routes',
      args,
      value: parseIpRoute(within(RECEIVER, 'ip', '-d', '-j', 'route', 'show', 'table', 'all'), 4).value,
    },
    { name: 'rules', args, value: parseIpRule(within(RECEIVER, 'ip', '-j', 'rule', 'show'), 4).value },
    { name: 'sockets', value: [] },
  ];
}

function simulated(json: string, sent: Sent): { matched: readonly string[]; undecided: readonly string[] } {
  const snapshot = snapshotOf([...nftFacts(json), ...receiverFacts()]);
  const given: FixturePacket = {
    from: FROM,
    to: TO,
    l4: sent.l4,
    input: 'eth0',
    local: new Set([TO]),
    status: FIRST,
    change: { lengthBytes: LENGTHS[sent.l4.protocol] ?? 60 },
  };
  const before = throughHook('prerouting', snapshot, { ...given, conntrackAt: -200 });
  const steps = before.flatMap((outcome) => [...outcome.steps, ...afterPrerouting(snapshot, given, outcome)]);
  const rules = steps.filter((step) => step.kind === 'rule');
  const nameOf = (step: (typeof rules)[number]): string =>
    `${step.values.table} ${step.values.chain}#${step.values.ruleNumber}`;
  return {
    matched: [...new Set(rules.filter((step) => step.matched === 'yes').map(nameOf))].sort(),
    undecided: [...new Set(rules.filter((step) => step.matched === 'unknown').map(nameOf))],
  };
}

function afterPrerouting(snapshot: ReturnType<typeof snapshotOf>, given: FixturePacket, outcome: HookOutcome) {
  if (outcome.verdict.kind !== 'accept') return [];
  const hook: HookName = 'input';
  // The kernel sets IPS_DST_NAT only where the mapping changes the tuple (nf_nat_setup_info).
  const changed =
    outcome.packet.ip.destination !== given.to || JSON.stringify(outcome.packet.l4) !== JSON.stringify(given.l4);
  const nat = outcome.nat && changed ? { nat: [outcome.nat.kind] } : {};
  const next = throughHook(hook, snapshot, {
    ...given,
    route: { type: 'local' },
    touched: outcome.touched ?? [],
    to: outcome.packet.ip.destination,
    l4: outcome.packet.l4,
    meta: { ...outcome.meta, ...nat, conntrack: outcome.notrack ? 'untracked' : 'new' },
    original: { to: given.to, l4: given.l4! },
  });
  return next.flatMap((end) => end.steps);
}
